#!/usr/bin/env python3
"""Peers for tests: a name server and an ident server that say what they are told to.

    peers.py dns NAME=ANSWER ...    prints its port. NAME is 1.0.0.127.in-addr.arpa or a host name, ANSWER
                                    ptr:NAME, a:ADDRESS, servfail or silent; what is not named does not exist.
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


def dns(zone):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1], flush=True)
    while True:
        packet, peer = s.recvfrom(4096)
        name, at = read_name(packet, 12)
        kind = struct.unpack(">H", packet[at:at + 2])[0]
        with open("asked", "a") as f:
            f.write("%s %d\n" % (name, kind))
        answer = zone.get(name.lower(), "none")
        code, records = 0, b""
        if answer == "silent":
            continue
        if answer == "servfail":
            code = 2
        elif answer == "none":
            code = 3
        elif answer.startswith("ptr:") and kind == 12:
            data = name_bytes(answer[4:])
            records = b"\xc0\x0c" + struct.pack(">HHIH", 12, 1, 60, len(data)) + data
        elif answer.startswith("a:"):
            family, number = (socket.AF_INET6, 28) if ":" in answer[2:] else (socket.AF_INET, 1)
            if kind == number:
                data = socket.inet_pton(family, answer[2:])
                records = b"\xc0\x0c" + struct.pack(">HHIH", number, 1, 60, len(data)) + data
        head = packet[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, 1 if records else 0, 0, 0)
        s.sendto(head + packet[12:at + 4] + records, peer)


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
    dns(dict(x.split("=", 1) for x in sys.argv[2:]))
elif sys.argv[1] == "ident":
    ident(sys.argv[2])
elif sys.argv[1] == "lo":
    lo(sys.argv[2:])
