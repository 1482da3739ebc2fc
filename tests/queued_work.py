"""queued_work.py BIN TARGET: mail through queued into the working directory, and what was promised of it.

TARGET is queued, smtpd or qmail-queue: the one that "$STRIKE" stands before. What is written to standard output is told by
promises.py; strike.py runs this. A message's first line says its id, "id N"; its SUM is the crc32 of it and its envelope.

Exit 0: all of it went as it should, up to a struck program's end; 1: queued takes no mail any more.
"""
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import zlib

BIN, TARGET = os.path.abspath(sys.argv[1]), sys.argv[2]
STRIKE = shlex.split(os.environ.get("STRIKE", ""))
WAIT_S = 10
RECOVER_S = 20
SEGMENT_KB = "64"
MESSAGES = {"queued": 24, "smtpd": 2, "qmail-queue": 1}[TARGET]
AT_ONCE = 4
HOME = os.path.abspath("home")
PATH = os.path.join(HOME, "run/queue")
LARGE = 300 * 1024


def say(line):
    os.write(1, line.encode() + b"\n")


class Message:
    count = 0

    def __init__(self):
        Message.count += 1
        self.id = Message.count
        size = LARGE if self.id % 8 == 2 else self.id * 397 % 3000
        self.text = b"id %d\n\n" % self.id + b"%016d\n" % self.id * (size // 17)
        self.sender, self.recipient = b"s%d@a.example" % self.id, b"r%d@example.org" % self.id
        self.envelope = b"F%b\0T%b\0\0" % (self.sender, self.recipient)
        say(f"? {self.id} {len(self.text)} {zlib.crc32(self.envelope, zlib.crc32(self.text)):08x}")


def program(name):
    return [*(STRIKE if TARGET == name else []), os.path.join(BIN, name)]


# ---- queued -------------------------------------------------------------------------------------------------

def start():
    for folder in "control", "run", "queue":
        os.makedirs(os.path.join(HOME, folder), exist_ok=True)
    for control, text in ("me", "mx.example.org\n"), ("rcpthosts", "example.org\n"), ("idhost", "mx.example.org\n"):
        with open(os.path.join(HOME, "control", control), "w", encoding="ascii") as f:
            f.write(text)
    os.environ["PORTERO_HOME"] = HOME
    return subprocess.Popen([*program("queued"), "-f", "1", "-S", SEGMENT_KB], stdin=subprocess.DEVNULL)


def connect(queued):
    """None when it has ended, or cannot be reached."""
    deadline = time.monotonic() + WAIT_S
    while queued.poll() is None and time.monotonic() < deadline:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(WAIT_S)
        try:
            s.connect(PATH)
            return s
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            s.close()
            time.sleep(0.01)
    return None


def stop(queued):
    """Its exit code. It is the only child of strike."""
    pid = queued.pid
    try:
        if TARGET == "queued" and STRIKE:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                pid = int(f.read().split()[0])
        os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, IndexError, ProcessLookupError):
        pass  # it has ended
    return queued.wait(WAIT_S * 2)


# ---- its clients --------------------------------------------------------------------------------------------

def frame(letter, data):
    return b"%d:%b%b," % (1 + len(data), letter, data)


def answers(f, count):
    """Up to so many."""
    for _ in range(count):
        try:
            length = f.read(1)
            while length and not length.endswith(b":"):
                length += f.read(1) or b":x"
            text = f.read(int(length[:-1]) + 1)
        except (OSError, ValueError):
            return
        if not text.endswith(b","):
            return
        yield text[:-1]


def hand_in(queued, count):
    """By the socket, some at a time. How many were kept; None when it cannot be reached."""
    s = connect(queued)
    if s is None:
        return None
    kept = 0
    messages = [Message() for _ in range(count)]
    with s, s.makefile("rb") as f:
        try:
            for m in messages:
                for at in range(0, len(m.text), 65536):
                    s.sendall(frame(b"M", m.text[at:at + 65536]))
                s.sendall(frame(b"E", m.envelope))
        except OSError:
            pass
        for m, answer in zip(messages, answers(f, count)):
            say(f"{'+' if answer.startswith(b'K') else '!'} {m.id}")
            kept += answer.startswith(b"K")
    return kept


def by_socket(queued):
    for _ in range(MESSAGES // AT_ONCE):
        if hand_in(queued, AT_ONCE) is None:
            return
        time.sleep(0.005)
    deadline = time.monotonic() + RECOVER_S  # whatever was struck: it takes mail again
    while hand_in(queued, 1) == 0:
        if time.monotonic() > deadline:
            sys.exit("no mail is taken any more")
        time.sleep(0.1)


def by_smtpd(_):
    """Two messages in a session; up to where it ends."""
    mine, its = socket.socketpair()
    mine.settimeout(WAIT_S)
    environment = {"PATH": os.environ["PATH"], "PORTERO_HOME": HOME, "QMAILQUEUE": "unix:" + PATH, "TCPREMOTEIP": "192.0.2.1"}
    smtpd = subprocess.Popen(program("smtpd"), env=environment, stdin=its, stdout=its)
    its.close()
    with mine, mine.makefile("rb") as f:
        def reply():
            line = f.readline()
            while line[3:4] == b"-":
                line = f.readline()
            return line[:3]

        def command(line):
            mine.sendall(line + b"\r\n")
            return reply()
        try:
            reply()
            command(b"EHLO client.example")
            for _ in range(MESSAGES):
                m = Message()
                command(b"MAIL FROM:<%b>" % m.sender)
                command(b"RCPT TO:<%b>" % m.recipient)
                if command(b"DATA") != b"354":
                    continue
                mine.sendall(m.text.replace(b"\n", b"\r\n") + b".\r\n")
                if reply() == b"250":
                    say(f"+ {m.id}")
            command(b"QUIT")
        except OSError:
            pass
    smtpd.wait(WAIT_S)


def by_qmail_queue(_):
    m = Message()
    reading, writing = os.pipe()
    os.write(writing, m.envelope)
    os.close(writing)
    with open("message", "w+b") as f:
        f.write(m.text)
        f.seek(0)
        done = subprocess.run(program("qmail-queue"), stdin=f, stdout=reading, check=False)
    os.close(reading)
    if done.returncode == 0:
        say(f"+ {m.id}")


def main():
    queued = start()
    first = connect(queued)
    if first is not None:
        first.close()
        say("begin")
        {"queued": by_socket, "smtpd": by_smtpd, "qmail-queue": by_qmail_queue}[TARGET](queued)
        say("end")
    code = stop(queued)
    sys.exit(1 if code != 0 and first is not None else 0)


if __name__ == "__main__":
    main()
