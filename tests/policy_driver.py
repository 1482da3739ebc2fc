"""smtpd's side of the policy protocol (portero-policy(7)), for tests of programs that speak it.

    with Policy(["policy-milter", "unix:PATH"]) as p:
        p.ask("mail", sender="a@b.example")        the answer: a dictionary of lists, and "action"
        p.text(b"Received: us\n\nbody\n")
        p.end()                                    the answer, with "message" as bytes when there is one

Every wait has an end: 20 seconds."""

import os
import re
import socket
import subprocess
import tempfile
import time

WAIT = 20


class Ended(Exception):
    """The program has closed its side."""


def escape(value):
    return re.sub(rb"[\x00-\x1f%\x7f]", lambda m: b"%%%02X" % m.group()[0], value)


def unescape(value):
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m.group(1), 16)]), value)


def raw(text):
    return text if isinstance(text, bytes) else str(text).encode()


class Answer(dict):
    """Each name of the answer with the list of its values, as text."""

    def one(self, name):
        assert len(self.get(name, [])) == 1, "%s is not there once: %s" % (name, dict(self))
        return self[name][0]

    @property
    def action(self):
        return self.one("action")

    def says(self):
        """The action and its reply in one line."""
        return " ".join(self[n][0] for n in ("action", "code", "status", "text") if n in self)


class Policy:
    def __init__(self, command, environment=None, **known):
        self.known = {"session": "7.1", "client_address": "192.0.2.7", "client_name": "client.example",
                      "client_port": "4711", "server_address": "192.0.2.1", "server_port": "25",
                      "protocol": "ESMTP"}
        self.known.update(known)
        ours, theirs = socket.socketpair()
        self.log = tempfile.TemporaryFile()
        self.program = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=self.log,
                                        env={**os.environ, **(environment or {})})
        theirs.close()
        ours.settimeout(WAIT)
        self.socket = ours
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        try:
            self.program.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.program.kill()
            self.program.wait()
            raise
        self.log.close()

    # ---- requests

    def block(self, stage, **more):
        known = {k: v for k, v in {**self.known, **more}.items() if v is not None}
        lines = [b"stage=" + raw(stage)] + [raw(k) + b"=" + escape(raw(v)) for k, v in known.items()]
        return b"".join(line + b"\n" for line in lines) + b"\n"

    def tell(self, stage, **more):
        self.send(self.block(stage, **more))

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Ended() from None

    def ask(self, stage, **more):
        """What is said with an envelope stays known, as smtpd repeats it."""
        for name in ("helo", "sender", "sender_parameters", "user", "tls_version", "tls_cipher"):
            if name in more:
                self.known[name] = more[name]
        self.tell(stage, **more)
        return self.answer()

    def text(self, message, piece=60000):
        for i in range(0, len(message), piece):
            part = message[i:i + piece]
            self.tell("text", bytes=len(part))
            self.send(part)
        self.known["bytes"] = len(message)

    def end(self):
        return self.ask("end")

    def mail(self, message, sender="s@client.example", recipients=("r@example.org",), **more):
        """A whole message; what stops it is the answer."""
        a = self.ask("mail", sender=sender, **more)
        if a.action != "continue":
            return a
        for count, r in enumerate(recipients, 1):
            a = self.ask("rcpt", recipient=r, recipients=count)
            if a.action != "continue":
                return a
        a = self.ask("data", recipients=len(recipients))
        if a.action != "continue":
            return a
        self.text(message)
        return self.end()

    # ---- answers

    def more(self):
        try:
            got = self.socket.recv(1 << 16)
        except ConnectionResetError:
            got = b""
        if not got:
            raise Ended()
        self.buffer += got

    def take(self, n):
        while len(self.buffer) < n:
            self.more()
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def answer(self):
        while b"\n\n" not in self.buffer:
            self.more()
        block, self.buffer = self.buffer.split(b"\n\n", 1)
        a = Answer()
        for line in block.split(b"\n"):
            name, value = line.split(b"=", 1)
            a.setdefault(name.decode(), []).append(unescape(value).decode("utf-8", "surrogateescape"))
        a.action  # it is there
        if "message" in a:
            a.message = self.take(int(a.one("message")))
        return a

    # ---- the end

    def hang_up(self):
        """smtpd goes: the exit code, and what the program has said on descriptor 2."""
        self.socket.shutdown(socket.SHUT_WR)
        return self.wait()

    def wait(self):
        code = self.program.wait(WAIT)
        self.log.seek(0)
        return code, self.log.read().decode()


def wait_for(what, condition):
    """Until it is so, 20 seconds at most."""
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "waited for " + what
        time.sleep(0.02)


def listens(address):
    """A path, or a port of this machine."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
        try:
            s.connect(address if isinstance(address, str) else ("127.0.0.1", address))
        except OSError:
            return False
    return True


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
