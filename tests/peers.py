#!/usr/bin/env python3
"""Peers for tests: a name server and an ident server that say what they are told to.

    peers.py dns [PORT] NAME=ANSWER ...
                                    prints its port. NAME is 1.0.0.127.in-addr.arpa or a host name, ANSWER
                                    ptr:NAME, a:ADDRESS, aaaa:ADDRESS, cname:NAME, txt:TEXT (Python escapes),
                                    txts:TEXT|TEXT (one record of several strings), raw:TYPE:HEX (any data),
                                    servfail or silent; what is not named does not exist. A name given again
                                    has one record more. "after:OTHER:ANSWER" waits for a question for OTHER.
                                    Each question is a line in the file "asked".
    peers.py ident TEXT             listens on 113, answers TEXT (Python escapes), or "silent".
    peers.py lo COMMAND...          bring the loopback device of this namespace up, run COMMAND."""

import fcntl
import os
import socket
import struct
import sys


def name_bytes(name):
    out = b""
    for label in name.split("."):
        raw = label.encode("latin-1").decode("unicode_escape").encode("latin-1")
        out += bytes([len(raw)]) + raw
    return out + b"\0"


def read_name(packet, at):
    labels = []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    return ".".join(labels), at + 1


def text_bytes(text):
    raw = text.encode("latin-1").decode("unicode_escape").encode("latin-1")
    parts = [raw[i:i + 255] for i in range(0, len(raw), 255)] or [b""]
    return b"".join(bytes([len(x)]) + x for x in parts)


def record(answer, asked):
    """One answer's type and data, if the question asks for it; None otherwise."""
    kind, _, value = answer.partition(":")
    if kind == "ptr":
        number, data = 12, name_bytes(value)
    elif kind == "cname":
        return 5, name_bytes(value)
    elif kind in ("a", "aaaa"):
        family, number = (socket.AF_INET6, 28) if ":" in value else (socket.AF_INET, 1)
        data = socket.inet_pton(family, value)
    elif kind == "txt":
        number, data = 16, text_bytes(value)
    elif kind == "txts":
        number, data = 16, b"".join(text_bytes(x) for x in value.split("|"))
    elif kind == "raw":
        number, data = int(value.partition(":")[0]), bytes.fromhex(value.partition(":")[2])
    else:
        return None
    return (number, data) if number == asked else None


def reply(packet, at, kind, answers):
    code, records = 0, []
    if answers is None or "none" in answers:
        code = 3
    elif "servfail" in answers:
        code = 2
    else:
        records = [x for x in (record(a, kind) for a in answers) if x is not None]
    head = packet[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0)
    return head + packet[12:at + 4] + b"".join(
        b"\xc0\x0c" + struct.pack(">HHIH", number, 1, 60, len(data)) + data for number, data in records)


def dns(port, zone):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", port))
    print(s.getsockname()[1], flush=True)
    seen, held = set(), []
    while True:
        packet, peer = s.recvfrom(4096)
        name, at = read_name(packet, 12)
        name = name.lower()
        kind = struct.unpack(">H", packet[at:at + 2])[0]
        with open("asked", "a") as f:
            f.write("%s %d\n" % (name, kind))
        seen.add(name)
        answers = zone.get(name)
        other = None
        if answers and answers[0].startswith("after:"):
            other = answers[0].split(":")[1]
            answers = [x.split(":", 2)[2] if x.startswith("after:") else x for x in answers]
        if not (answers and "silent" in answers):
            held.append((other, reply(packet, at, kind, answers), peer))
        # what waits for nobody goes first
        for one in sorted((x for x in held if x[0] is None or x[0] in seen), key=lambda x: x[0] is not None):
            held.remove(one)
            s.sendto(one[1], one[2])


def ident(text):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 113))
    s.listen()
    print("ready", flush=True)
    held = []
    while True:
        c, _ = s.accept()
        question = c.recv(100)
        with open("asked", "ab") as f:
            f.write(question)
        if text == "silent":
            held.append(c)
            continue
        try:
            for byte in text.encode("latin-1").decode("unicode_escape").encode("latin-1"):
                c.send(bytes([byte]))
        except ConnectionError:
            pass  # who asked has heard enough
        c.close()


def lo(command):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    up = struct.pack("16sH14s", b"lo", 1 | 64, b"")  # IFF_UP, IFF_RUNNING
    fcntl.ioctl(s, 0x8914, up)  # SIOCSIFFLAGS
    s.close()
    os.execvp(command[0], command)


if sys.argv[1] == "dns":
    args = sys.argv[2:]
    number = int(args.pop(0)) if args and args[0].isdigit() else 0
    names = {}
    for arg in args:
        names.setdefault(arg.split("=", 1)[0].lower(), []).append(arg.split("=", 1)[1])
    dns(number, names)
elif sys.argv[1] == "ident":
    ident(sys.argv[2])
elif sys.argv[1] == "lo":
    lo(sys.argv[2:])
