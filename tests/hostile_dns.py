#!/usr/bin/env python3
"""A name server and an ident server that do everything except what they should.

    hostile_dns.py ADDRESS    DNS on port 53 of ADDRESS, udp and tcp, ident on port 113 of every address;
                              prints "ready". Run it in a network of its own.

The last byte of the client's address chooses: NAMES for its name, USERS for its user. Addresses whose
name is true are in ADDRESSES."""

import os
import socket
import struct
import sys
import threading
import time

GOOD, FORGED, SPOOF = b"good.example", b"forged.example", b"spoof.example"
ADDRESSES = {GOOD: "127.0.0.2", FORGED: "203.0.113.9", b"server.example": "127.0.0.1", b"many.example": "127.0.0.28"}
PTR, CNAME, A = 12, 5, 1
FLOOD = 300


def wire(name):
    return b"".join(bytes([len(x)]) + x for x in name.split(b".") if x) + b"\0"


def record(kind, data, owner=b"\xc0\x0c", length=None):
    return owner + struct.pack("!HHIH", kind, 1, 60, len(data) if length is None else length) + data


class Question:
    def __init__(self, packet):
        self.id = packet[:2]
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].lower())
            at += 1 + packet[at]
        self.name = b".".join(labels)
        self.kind = struct.unpack("!H", packet[at + 1:at + 3])[0]
        self.raw = packet[12:at + 5]

    def answer(self, *records, id=None, flags=0x8580, raw=None, count=None):
        count = len(records) if count is None else count
        head = struct.pack("!HHHHH", flags, 1, count, 0, 0)
        return (id or self.id) + head + (self.raw if raw is None else raw) + b"".join(records)

    def at_data(self):
        """Where the data of a first record lies in the packet."""
        return 12 + len(self.raw) + 12


def pointer(at):
    return struct.pack("!H", 0xC000 | at)


def other_id(q):
    return bytes([q.id[0] ^ 0x55, q.id[1]])


NAMES = {  # what the PTR records of 127.x.x.N are; None: nothing comes
    1: lambda q: q.answer(record(PTR, wire(b"server.example"))),
    2: lambda q: q.answer(record(PTR, wire(b"Good.Example"))),
    3: lambda q: q.answer(record(PTR, wire(FORGED))),
    4: lambda q: None,
    5: lambda q: q.answer(flags=0x8582),
    # answers to another question, or from nobody that was asked
    10: lambda q: q.answer(record(PTR, wire(SPOOF)), id=other_id(q)),
    11: lambda q: ("elsewhere", q.answer(record(PTR, wire(SPOOF)))),
    12: lambda q: q.answer(record(PTR, wire(SPOOF), owner=wire(b"9.9.9.9.in-addr.arpa")),
                           raw=wire(b"9.9.9.9.in-addr.arpa") + b"\0\x0c\0\1"),
    # names and records that are none
    14: lambda q: q.answer(record(PTR, pointer(q.at_data()))),
    15: lambda q: q.answer(record(PTR, pointer(q.at_data() + 2) + pointer(q.at_data()))),
    16: lambda q: q.answer(record(PTR, pointer(0x3FFF))),
    17: lambda q: q.answer(record(PTR, wire(b".".join([b"x" * 63] * 8)))),
    18: lambda q: q.answer(record(PTR, b"\x7f" + b"x" * 127 + b"\0")),
    19: lambda q: q.answer(record(PTR, wire(SPOOF)[:-4], length=4000)),
    20: lambda q: q.answer(record(PTR, wire(b"a.example")), count=65535),
    21: lambda q: q.answer(record(PTR, wire(SPOOF)))[:12],
    22: lambda q: q.id[:1],
    23: lambda q: q.id + os.urandom(510),
    24: lambda q: q.answer(record(PTR, wire(b"a\x1b[31m\xff\x07b\0\nA=b%s:.example"))),
    25: lambda q: q.answer(flags=0x8780),  # too long for udp; and tcp says nothing
    26: lambda q: q.answer(record(CNAME, wire(b"a.loop.example")),
                           record(CNAME, wire(b"b.loop.example"), owner=wire(b"a.loop.example")),
                           record(CNAME, wire(b"a.loop.example"), owner=wire(b"b.loop.example"))),
    27: lambda q: ("flood", q.answer(record(PTR, wire(SPOOF)), id=other_id(q))),
    28: lambda q: q.answer(*[record(PTR, wire(b"many.example"))] * 20),
    29: lambda q: q.answer(record(PTR, b"\0")),
    30: lambda q: q.answer(record(PTR, b"")),
    31: lambda q: q.answer(record(PTR, wire(b".".join([b"\xff\\"] * 80)))),  # four bytes as text, each
}
TRUE_NAMES = {1, 2, 3, 28}
SPOOFED = {10, 11, 12, 27}
TARPITS = {4, 25, 27}
MALFORMED = {14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 26, 28, 29, 30, 31}


def reply_to(packet):
    q = Question(packet)
    if q.kind == PTR:
        first = q.name.split(b".")[0]
        make = NAMES.get(int(first) if first.isdigit() else 0)
        return make(q) if make else q.answer(flags=0x8583)
    if q.kind == A and q.name in ADDRESSES:
        return q.answer(record(A, socket.inet_aton(ADDRESSES[q.name])))
    return q.answer(flags=0x8580 if q.name in ADDRESSES else 0x8583)


def serve_dns(s, address):
    elsewhere = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    elsewhere.bind((address, 0))
    while True:
        packet, peer = s.recvfrom(4096)
        try:
            reply = reply_to(packet)
        except (IndexError, struct.error):
            continue
        if isinstance(reply, tuple) and reply[0] == "flood":
            for _ in range(FLOOD):
                s.sendto(reply[1], peer)
        elif isinstance(reply, tuple):
            elsewhere.sendto(reply[1], peer)
        elif reply is not None:
            s.sendto(reply, peer)


def drip(c):
    while True:
        c.sendall(b"x")
        time.sleep(0.1)


def flood(c):
    while True:
        c.sendall(b"1, 2 : USERID : UNIX : " + b"x" * 65536)


USERS = {
    1: b"%s : USERID : UNIX : joe\r\n",
    2: b"%s : USERID : UNIX : a\x1b]0;x\x07\xffb\r\n",
    3: None,
    4: drip,
    5: flood,
    6: b"%s : USERID : UNIX : joe\0root\nTCPREMOTEINFO=root\r\n",
    7: b"%s : USERID : UNIX : () { :;}; echo x\r\n",
    8: b"%s : USERID : UNIX : " + b"x" * 100000 + b"\r\n",
    9: b"%s : USERID : UNIX : \x7f\x80\x9b2J\xe2\x80\xae\r\n",
    10: b"\r\n\r\n\r\n",
    11: b"%s : ERROR : \x1b[2J\r\n",
}
IDENT_TARPITS = {3, 4, 5}


def serve_ident(c):
    with c:
        try:
            line = c.recv(100)
            user = USERS.get(int(c.getsockname()[0].split(".")[3]))
            if user is None:
                c.recv(1)  # until the other side gives up
            elif callable(user):
                user(c)
            else:
                c.sendall(user.replace(b"%s", line.strip()))
        except OSError:
            pass


def accept_all(listener, each):
    while True:
        c = listener.accept()[0]
        threading.Thread(target=each, args=(c,), daemon=True).start()


def keep(held, c):
    held.append(c)


def main(address):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, 53))
    held = []
    jobs = [(serve_dns, (udp, address)),
            (accept_all, (socket.create_server((address, 53), backlog=128), lambda c: keep(held, c))),
            (accept_all, (socket.create_server(("0.0.0.0", 113), backlog=128), serve_ident))]
    for job, arguments in jobs[1:]:
        threading.Thread(target=job, args=arguments, daemon=True).start()
    print("ready", flush=True)
    jobs[0][0](*jobs[0][1])


if __name__ == "__main__":
    main(sys.argv[1])
