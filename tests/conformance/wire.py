"""wire.py: one SMTP session as octets: connecting, TLS, and replies whose form is judged as they are read."""

import re
import shlex
import socket
import ssl
import subprocess
import time
import warnings

REPLY_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])(.*))?", re.DOTALL)
STATUS = re.compile(rb"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?: |$)")
CLIENT = b"conformance.example"


class Failure(Exception):
    """The server did what it must not, or left undone what it must do."""


class Skip(Exception):
    """The case has no meaning for this server."""


class Closed(Failure):
    """The server closed the connection while something was owed."""


def show(octets, limit=200):
    text = repr(bytes(octets))[1:]
    return text if len(text) <= limit else text[:limit] + "... (%d octets)" % len(octets)


class Reply:
    """All lines of one reply. RFC 5321 section 4.2."""

    def __init__(self, code, texts):
        self.code = code
        self.texts = texts

    def __str__(self):
        return self.code + " " + show(b" / ".join(self.texts), 300)

    def is_like(self, pattern):
        return re.fullmatch(pattern, self.code) is not None

    def status(self):
        """The enhanced status code that the first line begins with, or None. RFC 2034."""
        found = STATUS.match(self.texts[0])
        return found and found[0].strip().decode()


def is_utf8(octets):
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def judge_line(line, utf8=False):
    """RFC 5321 sections 2.3.8, 4.2 and 4.5.3.1.5. The line has its end; returns code, mark, text. UTF-8 may come
    when the client has said SMTPUTF8: RFC 6531 section 3.7.4."""
    if not line.endswith(b"\r\n"):
        raise Failure("a reply line ends in LF alone: " + show(line))
    if len(line) > 512:
        raise Failure("a reply line has %d octets: %s" % (len(line), show(line)))
    if re.search(rb"[^\t -~\x80-\xff]" if utf8 and is_utf8(line) else rb"[^\t -~]", line[:-2]):
        raise Failure("a reply line has unprintable octets: " + show(line))
    found = REPLY_LINE.fullmatch(line[:-2])
    if found is None:
        raise Failure("this is no reply line: " + show(line))
    return found[1].decode(), found[2], found[3] or b""


def judge_reply(reply):
    """Where there are status codes, class and code agree, in every line. RFC 2034 section 4."""
    marks = {found[0].strip() for found in map(STATUS.match, reply.texts) if found}
    for mark in marks:
        if mark[:1] != reply.code[:1].encode():
            raise Failure("class of status code and reply code differ: %s" % reply)
    if len(marks) > 1:
        raise Failure("the lines of one reply differ in their status code: %s" % reply)


def tls_context(old=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if old:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


class Session:
    """Sends octets as they are, and reads replies. Nothing waits longer than the deadline."""

    def __init__(self, target, deadline):
        self.deadline = deadline
        self.timeout = target.timeout
        self.pending = b""
        self.tls = False
        self.utf8 = False
        self.extensions = {}
        self.process = None
        self.sent = []
        if target.spawn:
            self.sock, theirs = socket.socketpair()
            with theirs:
                self.process = subprocess.Popen(shlex.split(target.spawn), stdin=theirs, stdout=theirs,
                                                stderr=subprocess.DEVNULL)
        else:
            self.sock = socket.create_connection((target.host, target.port), timeout=target.timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self.sock.close()
        if self.process is None:
            return
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def left(self, limit):
        return max(0.001, min(limit, self.deadline - time.monotonic()))

    def send(self, octets):
        """What cannot be sent because the server has closed is found out at the next reply."""
        self.sent.append(octets[-60:])
        self.utf8 = self.utf8 or b"SMTPUTF8" in octets.upper()
        self.sock.settimeout(self.left(self.timeout))
        try:
            self.sock.sendall(octets)
        except TimeoutError:
            raise Failure("the server does not read: %d octets, ending in %s" % (len(octets), show(octets[-60:]))) from None
        except OSError:
            pass

    def fill(self, limit):
        """One read. False: end of stream, or a reset."""
        self.sock.settimeout(self.left(limit))
        try:
            got = self.sock.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            return False
        self.pending += got
        return got != b""

    def line(self):
        began = time.monotonic()
        while b"\n" not in self.pending:
            if len(self.pending) > 65536:
                raise Failure("a reply line without end")
            try:
                more = self.fill(self.timeout)
            except TimeoutError:
                raise Failure("no reply for %.0f s after %s" % (time.monotonic() - began, self.last())) from None
            if not more:
                raise Closed("closed without a reply after %s" % self.last())
        line, _, self.pending = self.pending.partition(b"\n")
        return line + b"\n"

    def last(self):
        return show(self.sent[-1]) if self.sent else "connecting"

    def reply(self, want=None, why=""):
        texts, code = [], None
        while True:
            this, mark, text = judge_line(self.line(), self.utf8)
            if code not in (None, this):
                raise Failure("the lines of one reply differ in their code: %s, %s" % (code, this))
            code = this
            texts.append(text)
            if mark != b"-":
                break
        reply = Reply(code, texts)
        judge_reply(reply)
        if want is not None and not reply.is_like(want):
            raise Failure("%s was answered %s; wanted: %s%s" % (self.last(), reply, want, why and " (%s)" % why))
        return reply

    def command(self, line, want=None, why=""):
        if isinstance(line, str):
            line = line.encode()
        self.send(line + b"\r\n")
        return self.reply(want, why)

    def ehlo(self, name=CLIENT):
        reply = self.command(b"EHLO " + name, "250")
        self.extensions = {}
        for text in reply.texts[1:]:
            word, _, rest = text.decode("ascii").partition(" ")
            self.extensions[word.upper()] = rest
        return reply

    def has(self, extension):
        return extension in self.extensions

    def need(self, *extensions):
        for extension in extensions:
            if not self.has(extension):
                raise Skip("%s is not announced" % extension)

    def need_room(self, size_bytes):
        """For a text of that size."""
        most = self.extensions.get("SIZE", "")
        if most.isdigit() and 0 < int(most) < size_bytes + 5000:
            raise Skip("SIZE %s is too small" % most)

    def quiet(self, seconds):
        """Nothing comes in that time."""
        try:
            more = not self.pending and self.fill(seconds)
        except TimeoutError:
            return
        if self.pending:
            raise Failure("a reply before its time, after %s: %s" % (self.last(), show(self.pending)))
        if not more:
            raise Closed("closed after %s" % self.last())

    def ends(self, why=""):
        """The server closes, and says nothing before."""
        try:
            while self.fill(self.timeout):
                pass
        except TimeoutError:
            raise Failure("the connection stays open%s" % (why and ": " + why)) from None
        if self.pending:
            raise Failure("a reply instead of the end of the session: %s" % show(self.pending))

    def rest(self):
        """All replies until the server closes."""
        replies = []
        try:
            while True:
                replies.append(self.reply())
        except Closed:
            return replies

    def start_tls(self, old=False):
        """The handshake. OSError: it failed."""
        if self.pending:
            raise Failure("more than one reply to STARTTLS: %s" % show(self.pending))
        self.sock.settimeout(self.left(self.timeout))
        self.sock = tls_context(old).wrap_socket(self.sock)
        self.tls = True
