#!/usr/bin/env python3
"""tls_program.py: a program under tcpserver --tls that speaks UCSPI-TLS, for tls.bats.

Greets; a line "PLAIN" ends it; "STARTTLS" starts TLS, "QUIET" too, without variables. Then (in wrap mode at once) it
says the variables, a line each, and an empty line, and obeys one line: ECHO (until the end of file), SEND n (bytes),
SINK (says how many came), BYE (says so when the client's end has come), SPY (what of the helper's it can reach)."""

import ctypes
import os
import sys


def line(fd):
    got = b""
    while not got.endswith(b"\n"):
        byte = os.read(fd, 1)
        if byte == b"":
            break
        got += byte
    return got.strip()


def write(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def start(quiet):
    control, r, w = (int(os.environ[name]) for name in ("SSLCTLFD", "SSLREADFD", "SSLWRITEFD"))
    write(1, b"220 go\r\n")
    write(control, b"y" if quiet else b"Y")
    return r, w, b"" if quiet else variables(control)


def variables(control):
    got = b""
    while not got.endswith(b"\0\0"):
        piece = os.read(control, 4096)
        if piece == b"":
            print("no TLS", file=sys.stderr)
            sys.exit(1)
        got += piece
    return got


def refused(action):
    try:
        action()
    except OSError as e:
        return e.strerror
    return "REACHED"


def ptrace(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, pid, 0, 0) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def spy():
    """Every process called tls, and the key itself."""
    said = ["key: " + refused(lambda: open(os.environ["SPY_KEY"], "rb").read())]
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                name = f.read().strip()
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                uid = f.read().split("Uid:")[1].split()[0]
        except OSError:
            continue
        if name == "tls":
            said.append(f"uid {uid}, mem: " + refused(lambda: open(f"/proc/{pid}/mem", "rb")))
            said.append(f"uid {uid}, ptrace: " + refused(lambda: ptrace(pid)))
    return "".join(s + "\n" for s in said).encode()


def obey(r, w):
    word, _, argument = line(r).partition(b" ")
    if word == b"ECHO":
        while (piece := os.read(r, 65536)) != b"":
            write(w, piece)
    elif word == b"SEND":
        left = int(argument)
        while left > 0:
            n = min(left, 65536)
            write(w, bytes(n))
            left -= n
    elif word == b"SINK":
        total = 0
        while (piece := os.read(r, 65536)) != b"":
            total += len(piece)
        write(w, b"%d\n" % total)
    elif word == b"BYE":
        while os.read(r, 65536) != b"":
            pass
        write(w, b"bye\n")
    elif word == b"SPY":
        write(w, spy())


def main():
    if os.environ.get("SMTPS") == "1":
        r, w, told = 0, 1, variables(int(os.environ["SSLCTLFD"]))
    else:
        write(1, b"220 hello\r\n")
        word = line(0)
        if word not in (b"STARTTLS", b"QUIET"):
            return
        r, w, told = start(word == b"QUIET")
    write(w, told.replace(b"\0", b"\n") or b"\n\n")
    obey(r, w)


main()
