#!/usr/bin/env python3
"""smtpd in a crowd: 500 slow sessions, and among them a thousand recipients and a message of 50 MB.

CROWD=N sets another number of sessions. Memory is private memory (smaps_rollup): what is shared with other
processes that run the same program costs nothing more."""

import hashlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import time

import tap

CROWD = int(os.environ.get("CROWD", "500"))
SESSION_KIB = 200       # of a session that is idle after EHLO
BUSY_KIB = 2048         # of one that has a thousand recipients
SERVER_DESCRIPTORS = 64  # of tcpserver, whatever the number of sessions
SESSION_DESCRIPTORS = 16


class Server:
    def __init__(self, bin_folder, home, *options):
        for folder in ("control", "Maildir/tmp", "Maildir/new", "Maildir/cur"):
            os.makedirs(os.path.join(home, folder), exist_ok=True)
        for name, text in (("me", "mx.example.org"), ("rcpthosts", "example.org")):
            with open(os.path.join(home, "control", name), "w", encoding="ascii") as f:
                f.write(text + "\n")
        self.home = home
        environment = {"PATH": bin_folder + ":" + os.environ["PATH"], "PORTERO_HOME": home,
                       "QMAILQUEUE": f"queue-maildir {home}/Maildir"}
        with open(os.path.join(home, "log"), "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(bin_folder, "tcpserver"), "-1", "-HRl0", "-c", str(CROWD + 10), "-b", "1000", *options,
                 "127.0.0.1", "0", "smtpd"], env=environment, stdout=subprocess.PIPE, stderr=log)
        self.port = int(self.process.stdout.readline())

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            return [int(pid) for pid in f.read().split()]

    def mails(self):
        folder = os.path.join(self.home, "Maildir/new")
        return [os.path.join(folder, name) for name in os.listdir(folder)]


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.replies = self.sock.makefile("rb")
        self.expect(220)

    def expect(self, *codes):
        for code in codes:
            line = b"250-"
            while line[3:4] == b"-":
                line = self.replies.readline()
            if line[:3] != b"%d" % code:
                raise AssertionError(f"{line!r} instead of {code}")

    def say(self, *lines):
        self.sock.sendall(b"".join(line + b"\r\n" for line in lines))

    def close(self):
        self.replies.close()
        self.sock.close()


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private"))


def slow_crowd(server):
    """A session that is idle after EHLO has less than 200 KiB of its own, and few descriptors."""
    held = [Client(server.port) for _ in range(CROWD)]
    for c in held:
        c.say(b"EHLO client.example")
    for c in held:
        c.expect(250)
    pids = server.children()
    sizes = sorted(private_kib(pid) for pid in pids)
    open_now = max(descriptors(pid) for pid in pids)
    server.held = held
    assert len(pids) >= CROWD, f"{len(pids)} processes"
    assert sizes[-1] < SESSION_KIB and open_now < SESSION_DESCRIPTORS, (sizes[-1], open_now)
    assert descriptors(server.process.pid) < SERVER_DESCRIPTORS, descriptors(server.process.pid)
    return (f"{CROWD} sessions: {sizes[len(sizes) // 2]} KiB, {sizes[-1]} KiB at most, {open_now} descriptors; "
            f"tcpserver {private_kib(server.process.pid)} KiB, {descriptors(server.process.pid)} descriptors")


def thousand_recipients(server):
    """Among them, a thousand recipients and one message: bounded memory."""
    before = set(server.children())
    c = Client(server.port)
    c.say(b"EHLO client.example", b"MAIL FROM:<s@client.example>")
    c.say(*(b"RCPT TO:<%s%d@example.org>" % (b"u" * 200, i) for i in range(1000)))
    c.expect(250, 250, *[250] * 1000)
    own, = set(server.children()) - before
    size = private_kib(own)
    c.say(b"DATA", b"Subject: to a thousand", b"", b"x", b".", b"QUIT")
    c.expect(354, 250, 221)
    c.close()
    with open(server.mails()[0], "rb") as f:
        count = f.read().count(b"\nDelivered-To: ")
    assert size < BUSY_KIB and count == 1000, (size, count)
    return f"{size} KiB"


def large_message(server):
    """Among them, a message of 50 MB arrives as it was, in memory that does not grow with it."""
    line = b"%072d\r\n" % 7
    count = 50_000_000 // len(line)
    before, had = set(server.children()), set(server.mails())
    c = Client(server.port)
    c.say(b"EHLO client.example", b"MAIL FROM:<s@client.example>", b"RCPT TO:<u@example.org>", b"DATA")
    c.expect(250, 250, 250, 354)
    own, = set(server.children()) - before
    peak = 0
    for done in range(0, count, 10000):
        c.sock.sendall(line * min(10000, count - done))
        peak = max(peak, private_kib(own))
    c.say(b".", b"QUIT")
    c.expect(250, 221)
    c.close()
    new, = set(server.mails()) - had
    with open(new, "rb") as f:
        text = f.read().split(b"-0000\n", 1)[1]
    assert hashlib.sha256(text).digest() == hashlib.sha256(line.replace(b"\r", b"") * count).digest()
    assert peak < SESSION_KIB + 256, peak
    return f"{len(text)} bytes, {peak} KiB at most"


def still_there(server):
    """The slow ones have been waited for, and each delivers; no process is left behind."""
    held = server.held
    for c in held:
        for byte in b"MAIL FROM:<>\r\n":  # a byte at a time, as slow ones do
            c.sock.sendall(bytes([byte]))
    for c in held:
        c.expect(250)
        c.say(b"RSET", b"QUIT")
        c.expect(250, 221)
        c.close()
    deadline = time.monotonic() + 20
    while server.children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not server.children(), server.children()
    return f"{len(held)} sessions ended"


def main():
    bin_folder = os.path.abspath(os.environ.get("BIN") or os.path.join(os.path.dirname(__file__), "../build/bin"))
    want = CROWD + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < want:
        return tap.skip(f"needs {want} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, want), hard))
    if "sanitize" in bin_folder:
        return tap.skip("the sanitizers' memory is not ours")
    with tap.folder() as folder:
        server = Server(bin_folder, os.path.join(folder, "home"))
        try:
            return tap.run([slow_crowd, thousand_recipients, large_message, still_there], server)
        finally:
            server.close()
            shutil.rmtree(server.home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
