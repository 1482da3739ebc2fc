#!/usr/bin/env python3
"""A name server for SPF: records from standard input, answers by UDP and, where they are long, by TCP.

    spf_server.py [PORT]
                     reads lines "NAME TYPE DATA" parted by tabs, until the input ends (\\xNN is a byte), listens on
                     127.0.0.1, udp and tcp, prints the port. TYPE is A AAAA TXT MX PTR CNAME, or SERVFAIL or
                     SILENT for all types of that name that have no record. A CNAME is followed eight times.
                     Each question is a line in the file "asked"."""

import re
import socket
import struct
import sys
import threading

TYPES = {1: "A", 5: "CNAME", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}
NUMBERS = {name: number for number, name in TYPES.items()}
UDP_MAX, MESSAGE_MAX = 512, 65535


def bytes_of(text):
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes([int(m.group(1), 16)]), text.encode("latin-1"))


def name_bytes(name):
    return b"".join(bytes([len(x)]) + x for x in name.split(b".") if x) + b"\0"


def data_of(kind, data):
    if kind in ("A", "AAAA"):
        return socket.inet_pton(socket.AF_INET if kind == "A" else socket.AF_INET6, data.decode())
    if kind in ("PTR", "CNAME"):
        return name_bytes(data)
    if kind == "MX":
        preference, _, name = data.partition(b" ")
        return struct.pack("!H", int(preference)) + name_bytes(name)
    return b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255)) or b"\0"


class Zone:
    def __init__(self, lines):
        self.names = {}
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            if len(fields) >= 2:
                name, kind, data = bytes_of(fields[0]), fields[1], bytes_of(fields[2] if len(fields) > 2 else "")
                self.names.setdefault(name.lower().rstrip(b"."), []).append((kind, data))

    def answer(self, name, kind):
        """The response code, or None for silence, and the records: owner, type, data."""
        records, owner = [], name
        for _ in range(9):
            here = self.names.get(owner.lower())
            if here is None:
                return 3, records
            found = [(owner, kind, data_of(kind, data)) for k, data in here if k == kind]
            alias = [data for k, data in here if k == "CNAME"]
            if found or not alias:
                failure = [k for k, _ in here if k in ("SERVFAIL", "SILENT")]
                if not found and failure:
                    return (None if failure[0] == "SILENT" else 2), []
                return 0, records + found
            records.append((owner, "CNAME", name_bytes(alias[0])))
            owner = alias[0]
        return 0, records


def question_of(packet):
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]])
        at += 1 + packet[at]
    return b".".join(labels), struct.unpack("!H", packet[at + 1:at + 3])[0], at + 5


def reply(zone, packet, limit):
    name, number, end = question_of(packet)
    with open("asked", "ab") as f:
        f.write(name + b" %d\n" % number)
    code, records = zone.answer(name, TYPES.get(number, ""))
    if code is None:
        return None
    body = b"".join((b"\xc0\x0c" if owner == name else name_bytes(owner)) +
                    struct.pack("!HHIH", NUMBERS[kind], 1, 60, len(data)) + data for owner, kind, data in records)
    cut = 12 + end - 12 + len(body) > limit
    head = packet[:2] + struct.pack("!HHHHH", 0x8580 | (0x200 if cut else 0) | code, 1, 0 if cut else len(records), 0, 0)
    return head + packet[12:end] + (b"" if cut else body)


def read_all(c, n):
    got = b""
    while len(got) < n:
        piece = c.recv(n - len(got))
        if not piece:
            raise ConnectionError
        got += piece
    return got


def serve_stream(zone, c):
    with c:
        try:
            while True:
                packet = read_all(c, struct.unpack("!H", read_all(c, 2))[0])
                answer = reply(zone, packet, MESSAGE_MAX)
                if answer is not None:
                    c.sendall(struct.pack("!H", len(answer)) + answer)
        except OSError:
            pass


def serve_streams(zone, listener):
    while True:
        threading.Thread(target=serve_stream, args=(zone, listener.accept()[0]), daemon=True).start()


def open_both(port):
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", port))
        try:
            return udp, socket.create_server(udp.getsockname(), backlog=64)
        except OSError:  # somebody has that port
            udp.close()
            if port:
                raise


def main():
    zone = Zone(sys.stdin)
    udp, listener = open_both(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    threading.Thread(target=serve_streams, args=(zone, listener), daemon=True).start()
    print(udp.getsockname()[1], flush=True)
    while True:
        packet, peer = udp.recvfrom(4096)
        answer = reply(zone, packet, UDP_MAX)
        if answer is not None:
            udp.sendto(answer, peer)


if __name__ == "__main__":
    main()
