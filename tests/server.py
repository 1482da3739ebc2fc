#!/usr/bin/env python3
"""Clients for server.bats.

    server.py crowd PORT ADDRESS N ...       N connections at once from each address, all held to the end
    server.py crowd_out PORT ADDRESS N OTHER  N silent ones, then another client
    server.py resets PORT N                  N connections that are reset at once
    server.py unix PATH                      what a Unix socket says
    server.py notify PATH FILE               a supervisor: what it is told goes into FILE, a line each
    server.py drain PORT PID                 a session, SIGTERM, a second client, the end of the session
    server.py replace PORT PID N             N clients, SIGUSR2 again and again meanwhile
    server.py json FILE                      every line is an object; the events and reasons, sorted
    server.py deaf_log TCPSERVER N           N clients of a server whose log is a pipe that nobody reads"""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time


def dial(port, source=None):
    s = socket.socket()
    s.settimeout(30)  # a busy machine starts programs slowly
    if source:
        s.bind((source, 0))
    s.connect(("127.0.0.1", port))
    return s


def first(s):
    try:
        return s.recv(1000)
    except ConnectionResetError:
        return b""


def crowd(port, *pairs):
    held = []
    for source, count in zip(pairs[::2], pairs[1::2]):
        served = refused = 0
        words = ""
        for _ in range(int(count)):
            s = dial(int(port), source)
            held.append(s)
            said = first(s)
            if said == b"hello\n":
                served += 1
            else:
                refused += 1
                words = " with " + said.decode().rstrip("\r\n") if said else words
        print("%s: %d served, %d refused%s" % (source, served, refused, words))


def crowd_out(port, source, count, other):
    held = [dial(int(port), source) for _ in range(int(count))]
    for s in held:
        assert s.recv(10) == b"hello\n"
    said = dial(int(port), other).recv(10)
    # the one that has been silent for longest: on a busy machine that need not be the one that came first
    ended = [first(s) for s in select.select(held, [], [], 30)[0]]
    print("%s, and the other one %s" % ("served" if said == b"hello\n" else said,
          "reads the end" if ended == [b""] else "does not: %r" % ended))


def resets(port, count):
    for _ in range(int(count)):
        s = dial(int(port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()


def unix(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)  # a busy machine starts programs slowly
    s.connect(path)
    print(s.recv(1000).decode(), end="")


def notify(path, file):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    s.settimeout(30)  # a busy machine starts programs slowly
    said = s.recv(100)
    with open(file, "w") as f:
        f.write(said.decode() + "\n")


def drain(port, pid):
    s = dial(int(port))
    words = [s.recv(100).decode().strip()]
    os.kill(int(pid), signal.SIGTERM)
    for _ in range(100):
        try:
            dial(int(port)).close()
        except ConnectionRefusedError:
            words.append("refused")
            break
        except ConnectionResetError:
            pass  # the socket was closed in this moment
        time.sleep(0.05)
    s.sendall(b"bye\n")
    words.append(s.recv(100).decode().strip())
    print(", ".join(words))


def replace(port, pid, count):
    old = dial(int(port))
    assert old.recv(10) == b"in\n"
    served = refused = 0
    for i in range(int(count)):
        if i % 100 == 0:
            os.kill(int(pid), signal.SIGUSR2)
        try:
            s = dial(int(port))
            assert s.recv(10) == b"in\n"
            s.sendall(b"x\n")
            served += s.recv(10) == b"x\n"
            s.close()
        except OSError:
            refused += 1
    old.sendall(b"on\n")
    print("%d served, %d refused, the old session %s" % (served, refused,
          "goes on" if old.recv(10) == b"on\n" else "is gone"))


def read_json(file):
    seen = set()
    with open(file) as f:
        for line in f:
            o = json.loads(line)
            seen.add((o["event"] + " " + o.get("reason", "")).strip())
    print("\n".join(sorted(seen)))


def deaf_log(server, count):
    log, end = os.pipe()
    p = subprocess.Popen([server, "-1", "-v", "-HRl0", "127.0.0.1", "0", "echo", "hello"],
                         stdout=subprocess.PIPE, stderr=end)
    os.close(end)
    served = 0
    try:
        port = int(p.stdout.readline())
        for _ in range(int(count)):
            s = dial(port)
            served += s.recv(10) == b"hello\n"
            s.close()
        dropped = 0
        os.set_blocking(log, False)
        text = b""
        for _ in range(100):
            try:
                text += os.read(log, 1 << 16)
            except BlockingIOError:
                s = dial(port)
                s.recv(10)
                s.close()
            for line in text.splitlines():
                if b"the log does not keep up: " in line:
                    dropped = int(line.split(b"keep up: ")[1].split()[0])
            if dropped:
                break
        print("%d served, the log tells of %d dropped lines" % (served, dropped))
    finally:
        p.terminate()
        p.wait()


if __name__ == "__main__":
    actions = {"crowd": crowd, "crowd_out": crowd_out, "resets": resets, "unix": unix, "notify": notify, "drain": drain, "replace": replace,
               "json": read_json, "deaf_log": deaf_log}
    actions[sys.argv[1]](*sys.argv[2:])
