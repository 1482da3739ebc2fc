#!/usr/bin/env python3
"""faulty.py: does the suite notice? A small SMTP server that does all that the cases ask for, and the same server
with one fault at a time. In TAP: the good one passes every case, each fault fails at least one.

    faulty.py [REGEX]         those faults whose name has it
    faulty.py --serve [NAME]  prints its port and serves, good or with that fault, until it is killed"""

import base64
import concurrent.futures
import datetime
import os
import re
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import types

import every  # noqa: F401  (registers the cases)
import suite

# name: cases that are run against it
FAULTS = {
    "keeps state over STARTTLS": r"starttls\.forgets",
    "keeps input over STARTTLS": r"starttls\.injected",
    "announces STARTTLS in TLS": r"starttls\.(not-announced|twice)",
    "takes STARTTLS with an argument": r"starttls\.argument",
    "ends data at LF.LF": r"smuggling\.",
    "ends data at LF.CRLF": r"smuggling\.",
    "ends data at CRLF.LF": r"smuggling\.",
    "ends data at CR.CR": r"smuggling\.",
    "ends data at CRLF.CRCRLF": r"smuggling\.",
    "ends data at CRLF.NUL": r"smuggling\.",
    "obeys lines that end in LF": r"line-end\.",
    "obeys lines that end in CR": r"line-end\.",
    "removes no dot": r"text\.dot",
    "removes all dots of a line": r"text\.dot",
    "EHLO does not reset": r"ehlo\.",
    "RSET does not reset": r"order\.rset",
    "keeps recipients after a message": r"order\.after-message",
    "takes MAIL twice": r"order\.mail",
    "delivers at the end of the stream": r"order\.lost|bdat\.lost",
    "takes SIZE=abc": r"size\.",
    "does not compare SIZE": r"size\.over",
    "does not count the text": r"size\.text",
    "echoes control octets": r"control\.",
    "replies over 512 octets": r"reply\.",
    "replies end in LF": r"noop",
    "codes of one reply differ": r"ehlo\.",
    "status code of another class": r"status\.",
    "no status codes": r"status\.",
    "status code in the greeting": r"greeting\.",
    "counts chunks wrong": r"bdat\.",
    "does not read past a refused chunk": r"bdat\.consumed",
    "removes dots in chunks": r"bdat\.",
    "takes BDAT 0 FIRST": r"bdat\.form",
    "negative chunks": r"bdat\.form",
    "takes DATA behind BDAT": r"bdat\.then",
    "takes DATA with BINARYMIME": r"binarymime\.",
    "NUL ends a line": r"control\.|sender\.nul|relay\.nul",
    "relays by source route": r"relay\.",
    "relays for everybody": r"relay\.",
    "last @ is the second": r"sender\.two-at|relay",
    "cuts the eighth bit": r"text\.8",
    "cuts long lines of text": r"text\.line",
    "loses empty lines": r"text\.empty",
    "obeys behind a long line": r"limit\.line",
    "ignores unknown parameters": r"parameter\.",
    "holds replies back": r"pipelining\.at-once",
    "drops pipelined input": r"pipelining\.",
    "replies out of order": r"pipelining\.",
    "quotes are not known": r"sender\.quoted",
    "no null sender": r"sender\.null",
    "no Postmaster": r"recipient\.postmaster",
    "no VRFY": r"vrfy",
    "QUIT does not close": r"quit\.",
    "QUIT takes an argument": r"quit\.",
    "no Received": r"trace\.",
    "Received says with SMTP": r"trace\.",
    "no Return-Path": r"trace\.",
    "counts no hops": r"hops\.",
    "counts hops in the body": r"hops\.",
    "no end of errors": r"limit\.errors",
    "ten recipients": r"limit\.recipients",
    "AUTH in plain text": r"auth\.not-in|auth\.refused-in",
    "takes any password": r"auth\.wrong",
    "takes AUTH twice": r"auth\.twice",
    "no cancelling of AUTH": r"auth\.cancel",
    "AUTH in a transaction": r"auth\.in-transaction",
    "xtext of AUTH is not judged": r"auth\.parameter",
    "DSN is not judged": r"dsn\.",
    "UTF-8 is not judged": r"smtputf8\.",
    "SMTPUTF8 is not needed": r"smtputf8\.",
    "obeys commands in HTTP": r"foreign\.",
    "REQUIRETLS without TLS": r"requiretls\.",
    "RCPTMAX is not kept": r"limits\.",
    "LIMITS without values": r"limits\.",
}

LIMIT = 400000
RECIPIENTS = 110
LINE = 2048
USER, PASSWORD = b"user", b"secret"

ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]+"
DOMAIN = rb"(?:[A-Za-z0-9\x80-\xff-]+(?:\.[A-Za-z0-9\x80-\xff-]+)*|\[[0-9A-Za-z:.]+\])"
LOCAL = rb'(?:' + ATOM + rb'(?:\.' + ATOM + rb')*|"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*")'
PATH = re.compile(rb"<(?:(?P<route>@" + DOMAIN + rb"(?:,@" + DOMAIN + rb")*):)?(?P<local>" + LOCAL + rb")@(?P<domain>" + DOMAIN +
                  rb")>|<(?P<null>)>|<(?P<postmaster>(?i:postmaster))>")
XTEXT = rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+"
WORDS = rb"(?:SUCCESS|FAILURE|DELAY)"
MAIL_PARAMETERS = {
    b"SIZE": rb"[0-9]{1,20}", b"BODY": rb"7BIT|8BITMIME|BINARYMIME", b"RET": rb"FULL|HDRS", b"ENVID": XTEXT, b"AUTH": rb"<>|" + XTEXT,
    b"SMTPUTF8": None, b"REQUIRETLS": None,
}
RCPT_PARAMETERS = {b"NOTIFY": rb"NEVER|" + WORDS + rb"(?:," + WORDS + rb")*", b"ORCPT": rb"[A-Za-z0-9-]+;" + XTEXT}


class Gone(Exception):
    """The session is over."""


class Daemon:
    """One session. self.has(NAME): is that the fault?"""

    def __init__(self, sock, server):
        self.sock, self.server = sock, server
        self.buffer, self.held = b"", b""
        self.tls, self.user, self.hello, self.errors, self.spoke = False, None, None, 0, False
        self.reset()

    def has(self, fault):
        return self.server.fault == fault

    def reset(self):
        self.sender, self.recipients, self.body, self.utf8 = None, [], b"7BIT", False
        self.chunks = None

    # ---- octets

    def fill(self):
        more = self.sock.recv(65536)
        if not more:
            raise Gone()
        self.buffer += more

    def say(self, *lines):
        end = b"\n" if self.has("replies end in LF") else b"\r\n"
        out = b""
        for number, line in enumerate(lines):
            code, _, text = line.partition(" ")
            if self.has("codes of one reply differ") and number == 1:
                code = "251"
            if self.has("no status codes"):
                text = re.sub(r"^[245]\.[0-9]+\.[0-9]+ ", "", text)
            if self.has("status code of another class"):
                text = re.sub(r"^5\.", "2.", text)
            out += (code + ("-" if number < len(lines) - 1 else " ") + text).encode("latin-1") + end
        self.held += out
        if not (self.has("holds replies back") and self.verb == b"MAIL"):
            self.flush()
        if lines[-1][0] in "45":
            self.errors += 1
            if self.errors >= 20 and not self.has("no end of errors"):
                self.sock.sendall(b"421 4.7.0 too many errors\r\n")
                raise Gone()

    def flush(self):
        self.sock.sendall(self.held)
        self.held = b""

    def echo(self, octets):
        if not self.has("echoes control octets"):
            octets = re.sub(rb"[^ -~]", b"?", octets)
        if not self.has("replies over 512 octets"):
            octets = octets[:100]
        return octets.decode("latin-1")

    # ---- lines

    def end_of_line(self):
        """Where the line ends, and where the next one begins; None: not yet."""
        if self.has("obeys lines that end in CR"):
            found = re.search(rb"\r\n|\r(?!\n)(?=.)|\n", self.buffer, re.DOTALL)
        else:
            found = re.search(rb"\n", self.buffer)
            if found and found.start() > 0 and self.buffer[found.start() - 1:found.start()] == b"\r":
                return found.start() - 1, found.end(), True
            good = self.has("obeys lines that end in LF")
            return found and (found.start(), found.end(), good)
        return found and (found.start(), found.end(), True)

    def line(self, most=LINE):
        """A line, or None when it was refused."""
        dropped = 0
        while True:
            end = self.end_of_line()
            if end is None and len(self.buffer) > most:
                if self.has("obeys behind a long line"):
                    line, self.buffer = self.buffer[:most], self.buffer[most:]
                    return line
                dropped += len(self.buffer)
                self.buffer = b""
            if end is None:
                self.fill()
                continue
            line, self.buffer = self.buffer[:end[0]], self.buffer[end[1]:]
            if self.has("obeys behind a long line") and len(line) > most:
                self.buffer = line[most:] + b"\r\n" + self.buffer
                return line[:most]
            if dropped + len(line) > most:
                self.say("500 5.5.2 line too long")
                return None
            if not end[2]:
                self.say("500 5.5.2 lines end in CR LF")
                return None
            if self.has("NUL ends a line"):
                line = line.partition(b"\0")[0]
            return line

    def serve(self):
        self.verb = b""
        if self.server.wrap:
            self.start_tls()
        self.say("220 2.0.0 faulty.example" if self.has("status code in the greeting") else "220 faulty.example ESMTP")
        while True:
            line = self.line()
            if line is None:
                continue
            if not self.spoke and re.match(rb"GET |POST |PUT |CONNECT |OPTIONS |HEAD |SSH-|\x16\x03", line) and \
                    not self.has("obeys commands in HTTP"):
                self.say("421 4.7.0 this is SMTP")
                raise Gone()
            self.command(line)
            if self.has("drops pipelined input"):
                self.buffer = b""

    def command(self, line):
        found = re.fullmatch(rb"([A-Za-z]+)(?: +(.*?))? *", line, re.DOTALL)
        self.verb = found[1].upper() if found else b""
        argument = (found[2] or b"") if found else b""
        run = getattr(self, "do_" + self.verb.decode().lower(), None) if found else None
        if run is None:
            self.say("500 5.5.1 not known: " + self.echo(line))
            return
        if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line) and self.verb not in (b"VRFY", b"NOOP", b"HELP"):
            self.say("501 5.5.2 control octet in " + self.echo(line))
            return
        self.spoke = True
        run(argument)

    def alone(self, argument):
        if argument:
            self.say("501 5.5.4 no argument is allowed")
        return not argument

    # ---- hello

    def do_helo(self, argument):
        self.hello_of(argument, False)

    def do_ehlo(self, argument):
        self.hello_of(argument, True)

    def hello_of(self, argument, esmtp):
        if not argument:
            self.say("501 5.5.4 who?")
            return
        self.hello = re.sub(rb"[^A-Za-z0-9.:[\]-]", b"?", argument)[:255]
        self.esmtp = esmtp
        if not self.has("EHLO does not reset"):
            self.reset()
        if not esmtp:
            self.say("250 faulty.example")
            return
        words = ["PIPELINING", "SIZE %d" % LIMIT, "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "DSN", "CHUNKING", "BINARYMIME"]
        words.append("LIMITS RCPTMAX" if self.has("LIMITS without values") else "LIMITS RCPTMAX=%d MAILMAX=100" % RECIPIENTS)
        if self.server.context and (not self.tls or self.has("announces STARTTLS in TLS")):
            words.append("STARTTLS")
        if self.tls or self.has("AUTH in plain text"):
            words.append("AUTH PLAIN LOGIN")
        if self.tls or self.has("REQUIRETLS without TLS"):
            words.append("REQUIRETLS")
        self.say("250 faulty.example", *["250 " + word for word in words])

    # ---- small commands

    def do_noop(self, _):
        self.say("250 2.0.0 ok")

    def do_help(self, _):
        self.say("214 2.0.0 see RFC 5321")

    def do_vrfy(self, argument):
        if self.has("no VRFY"):
            self.say("502 5.5.1 no")
        elif argument:
            self.say("252 2.1.5 perhaps: " + self.echo(argument))
        else:
            self.say("501 5.5.4 whom?")

    def do_rset(self, argument):
        if self.alone(argument):
            if not self.has("RSET does not reset"):
                self.reset()
            self.say("250 2.0.0 ok")

    def do_quit(self, argument):
        if self.has("QUIT takes an argument") or self.alone(argument):
            self.say("221 2.0.0 bye")
            if not self.has("QUIT does not close"):
                raise Gone()

    # ---- TLS and AUTH

    def start_tls(self):
        try:
            self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
        except (ssl.SSLError, OSError):
            raise Gone() from None
        self.tls = True

    def do_starttls(self, argument):
        if argument and not self.has("takes STARTTLS with an argument"):
            self.say("501 5.5.4 no argument is allowed")
            return
        if self.tls or not self.server.context:
            self.say("503 5.5.1 not now")
            return
        self.say("220 2.0.0 go on")
        if self.buffer and not self.has("keeps input over STARTTLS"):
            raise Gone()
        self.start_tls()
        if not self.has("keeps state over STARTTLS"):
            self.reset()
            self.hello = None

    def response(self, initial):
        """None: there is none, and the client has been told."""
        if initial is None:
            answer = self.line(12288)
            if answer is None:
                return None
            if answer == b"*" and not self.has("no cancelling of AUTH"):
                self.say("501 5.0.0 cancelled")
                return None
        else:
            answer = b"" if initial == b"=" else initial
        try:
            return base64.b64decode(answer, validate=True)
        except ValueError:
            self.say("535 5.7.8 no" if answer == b"*" else "501 5.5.2 not base64")
            return None

    def do_auth(self, argument):
        words = argument.split(b" ")
        initial = words[1] if len(words) > 1 else None
        if not argument or len(words) > 2:
            self.say("501 5.5.4 AUTH what?")
        elif not (self.tls or self.has("AUTH in plain text")):
            self.say("538 5.7.11 TLS first")
        elif (self.user is not None and not self.has("takes AUTH twice")) or \
                (self.sender is not None and not self.has("AUTH in a transaction")):
            self.say("503 5.5.1 not now")
        elif words[0].upper() == b"PLAIN":
            if initial is None:
                self.say("334 ")
            self.plain(self.response(initial))
        elif words[0].upper() == b"LOGIN":
            self.login(initial)
        else:
            self.say("504 5.5.4 not known")

    def plain(self, answer):
        if answer is None:
            return
        parts = answer.split(b"\0")
        if len(parts) != 3 or not parts[1]:
            self.say("501 5.5.2 this is not PLAIN")
        else:
            self.judge(parts[1], parts[2], parts[0] in (b"", parts[1]))

    def login(self, initial):
        if initial is None:
            self.say("334 VXNlcm5hbWU6")
        user = self.response(initial)
        if user is None:
            return
        self.say("334 UGFzc3dvcmQ6")
        password = self.response(None)
        if password is not None:
            self.judge(user, password, True)

    def judge(self, user, password, self_only):
        if ((user, password) == (USER, PASSWORD) and self_only) or self.has("takes any password"):
            self.user = user
            self.say("235 2.7.0 welcome")
        else:
            self.say("535 5.7.8 no")

    # ---- the envelope

    def path(self, argument, word):
        """A match, and what follows it. None: it is none."""
        if argument[:len(word)].upper() != word:
            return None
        argument = argument[len(word):].lstrip(b" ")
        found = PATH.match(argument)
        if found is None and self.has("last @ is the second"):
            found = re.match(rb"<(?P<local>[^<>\s\"]+)@(?P<domain>[^@<>\s]+)>(?P<null>(?!))?(?P<postmaster>(?!))?(?P<route>(?!))?", argument)
        if found is None or (self.has("quotes are not known") and b'"' in found[0]):
            return None
        rest = argument[found.end():]
        return None if rest and rest[:1] != b" " else (found, rest)

    def parameters(self, rest, known):
        """A dictionary. None: the client has been told."""
        values = {}
        for word in rest.split():
            name, equals, value = word.partition(b"=")
            name = name.upper()
            pattern = known.get(name, b"")
            if name not in known:
                if self.has("ignores unknown parameters") and name:
                    continue
                self.say("555 5.5.4 not known: " + self.echo(word))
                return None
            if name in (b"RET", b"ENVID", b"NOTIFY", b"ORCPT") and self.has("DSN is not judged"):
                continue
            if (name == b"SIZE" and self.has("takes SIZE=abc")) or (name == b"AUTH" and self.has("xtext of AUTH is not judged")):
                continue
            good = equals == b"" if pattern is None else re.fullmatch(pattern, value, re.IGNORECASE if name != b"ENVID" else 0)
            if not good or name in values:
                self.say("501 5.5.4 value of " + self.echo(name))
                return None
            values[name] = value
        return values

    def letters(self, path, utf8):
        """Is it of the letters that were agreed upon?"""
        if path.isascii() or (self.has("SMTPUTF8 is not needed") and not utf8):
            return True
        if not utf8:
            return False
        if self.has("UTF-8 is not judged"):
            return True
        try:
            path.decode()
        except UnicodeDecodeError:
            return False
        return True

    def do_mail(self, argument):
        if self.sender is not None and not self.has("takes MAIL twice"):
            self.say("503 5.5.1 one at a time")
            return
        found = self.path(argument, b"FROM:")
        if found is None or found[0]["postmaster"] or (self.has("no null sender") and found[0]["null"] is not None):
            self.say("501 5.1.7 bad sender: " + self.echo(argument))
            return
        values = self.parameters(found[1], MAIL_PARAMETERS)
        if values is None:
            return
        if not self.letters(found[0][0], b"SMTPUTF8" in values):
            self.say("553 5.6.7 US-ASCII, please")
        elif b"REQUIRETLS" in values and not self.tls and not self.has("REQUIRETLS without TLS"):
            self.say("530 5.7.10 TLS first")
        elif int(values.get(b"SIZE", 0)) > LIMIT and not self.has("does not compare SIZE"):
            self.say("552 5.3.4 too large")
        else:
            self.sender, self.recipients = found[0][0][1:-1], []
            self.body, self.utf8 = values.get(b"BODY", b"7BIT").upper(), b"SMTPUTF8" in values
            self.say("250 2.1.0 ok")

    def is_ours(self, found):
        if self.user is not None or self.has("relays for everybody"):
            return True
        if self.has("relays by source route") and found["route"]:
            return True
        return found["postmaster"] or found["domain"].lower() == b"example.org"

    def do_rcpt(self, argument):
        if self.sender is None or self.chunks is not None:
            self.say("503 5.5.1 MAIL first")
            return
        found = self.path(argument, b"TO:")
        if found is None or found[0]["null"] is not None or (self.has("no Postmaster") and found[0]["postmaster"]):
            self.say("501 5.1.3 bad recipient: " + self.echo(argument))
            return
        if self.parameters(found[1], RCPT_PARAMETERS) is None:
            return
        if not self.letters(found[0][0], self.utf8):
            self.say("553 5.6.7 US-ASCII, please")
        elif not self.is_ours(found[0]):
            self.say("550 5.7.1 not here: " + self.echo(found[0][0]))
        elif len(self.recipients) >= (10 if self.has("ten recipients") else RECIPIENTS) and not self.has("RCPTMAX is not kept"):
            self.say("452 4.5.3 too many recipients")
        else:
            self.recipients.append(found[0][0][1:-1])
            if self.has("replies out of order") and self.buffer.startswith(b"DATA"):
                self.say("354 go on")
                self.say("250 2.1.5 ok")
                raise Gone()
            self.say("250 2.1.5 ok")

    # ---- the text

    def ends(self):
        fault = self.server.fault or ""
        forms = {"ends data at LF.LF": rb"\n\.\n", "ends data at LF.CRLF": rb"\n\.\r\n", "ends data at CRLF.LF": rb"\r\n\.\n",
                 "ends data at CR.CR": rb"\r\.\r", "ends data at CRLF.CRCRLF": rb"\r\n\.\r\r\n",
                 "ends data at CRLF.NUL": rb"\r\n\.\0\r\n"}
        return re.compile(rb"\r\n\.\r\n" + (b"|" + forms[fault] if fault in forms else b""))

    def do_data(self, argument):
        if not self.alone(argument):
            return
        if self.chunks is not None and not self.has("takes DATA behind BDAT"):
            self.say("503 5.5.1 BDAT has begun")
        elif self.sender is None or not self.recipients:
            self.say("503 5.5.1 MAIL and RCPT first")
        elif self.body == b"BINARYMIME" and not self.has("takes DATA with BINARYMIME"):
            self.say("503 5.5.1 BDAT, please")
        else:
            self.say("354 go on")
            self.text()

    def text(self):
        end, self.buffer = self.ends(), b"\r\n" + self.buffer
        at = 0
        while True:
            found = end.search(self.buffer, max(0, at - 6))
            if found:
                break
            at = len(self.buffer)
            try:
                self.fill()
            except Gone:
                if self.has("delivers at the end of the stream"):
                    self.keep(self.buffer[2:])
                raise
        text, self.buffer = self.buffer[2:found.start() + 2] if found.start() else b"", self.buffer[found.end():]
        if self.has("removes all dots of a line"):
            text = re.sub(rb"(?m)^\.+", b"", text)
        elif not self.has("removes no dot"):
            text = re.sub(rb"(^|\r\n)\.", rb"\1", text)
        self.finish(text, re.search(rb"(?<!\r)\n|\r(?!\n)", text) is not None)

    def finish(self, text, bare):
        header, _, rest = text.partition(b"\r\n\r\n")
        hops = len(re.findall(rb"(?im)^received:", text if self.has("counts hops in the body") else header))
        if bare and not (self.server.fault or "").startswith("ends data at"):
            self.say("550 5.6.11 bare CR or LF")
        elif hops >= 100 and not self.has("counts no hops"):
            self.say("554 5.4.6 a loop")
        elif len(text) > LIMIT and not self.has("does not count the text"):
            self.say("552 5.3.4 too large")
        else:
            self.keep(text)
            self.say("250 2.0.0 kept")
        sender, recipients = self.sender, self.recipients
        self.reset()
        if self.has("keeps recipients after a message"):
            self.sender, self.recipients = sender, recipients

    def do_bdat(self, argument):
        found = re.fullmatch(rb"([0-9]{1,9})( +LAST)?", argument, re.IGNORECASE)
        if found is None and self.has("takes BDAT 0 FIRST"):
            found = re.match(rb"([0-9]{1,9})( LAST)?", argument, re.IGNORECASE)
        if found is None and self.has("negative chunks") and argument.startswith(b"-"):
            self.say("250 2.0.0 ok")
            return
        if found is None:
            self.say("521 5.5.4 that is no size")
            raise Gone()
        refused = self.sender is None or not self.recipients
        if refused and self.has("does not read past a refused chunk"):
            self.say("503 5.5.1 MAIL and RCPT first")
            return
        chunk = self.chunk(int(found[1]) + (1 if self.has("counts chunks wrong") else 0))
        if refused:
            self.say("503 5.5.1 MAIL and RCPT first")
            return
        self.chunks = (self.chunks or b"") + chunk
        if found[2] is None:
            self.say("250 2.0.0 ok")
            return
        text = self.chunks
        if self.has("removes dots in chunks"):
            text = re.sub(rb"(^|\r\n)\.", rb"\1", text)
        self.finish(text, self.body != b"BINARYMIME" and re.search(rb"(?<!\r)\n|\r(?!\n)", text) is not None)

    def chunk(self, size):
        while len(self.buffer) < size:
            try:
                self.fill()
            except Gone:
                if self.has("delivers at the end of the stream"):
                    self.keep((self.chunks or b"") + self.buffer)
                raise
        chunk, self.buffer = self.buffer[:size], self.buffer[size:]
        return chunk

    def kind(self):
        if self.has("Received says with SMTP") or not self.esmtp:
            return b"SMTP"
        ending = (b"S" if self.tls else b"") + (b"A" if self.user is not None else b"")
        return (b"UTF8SMTP" if self.utf8 else b"ESMTP") + ending

    def keep(self, text):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%d %b %Y %H:%M:%S +0000").encode()
        top = b"" if self.has("no Return-Path") else b"Return-Path: <" + self.sender + b">\r\n"
        if not self.has("no Received"):
            top += b"Received: from " + (self.hello or b"unknown") + b" ([127.0.0.1])\r\n by faulty.example with " + \
                self.kind() + b"; " + now + b"\r\n"
        if self.has("cuts the eighth bit"):
            text = bytes(x & 127 for x in text)
        if self.has("cuts long lines of text"):
            text = re.sub(rb"([^\r\n]{990})[^\r\n]+", rb"\1", text)
        if self.has("loses empty lines"):
            text = re.sub(rb"(\r\n\r\n)(?:\r\n)+", rb"\1", text)
        self.server.keep((top + text).replace(b"\r\n", b"\n") if self.body != b"BINARYMIME" else top.replace(b"\r\n", b"\n") + text)


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.settimeout(30)
        daemon = Daemon(self.request, self.server)
        daemon.esmtp = False
        try:
            daemon.serve()
        except (Gone, OSError):
            pass
        finally:
            try:
                daemon.sock.close()
            except OSError:
                pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100

    def __init__(self, fault, folder, context, wrap=False):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault, self.context, self.wrap, self.kept = fault, context, wrap, 0
        self.lock, self.maildir = threading.Lock(), tempfile.mkdtemp(dir=folder)
        for name in "tmp", "new", "cur":
            os.mkdir(os.path.join(self.maildir, name))

    def keep(self, content):
        with self.lock:
            self.kept += 1
            name = "%06d.faulty" % self.kept
        with open(os.path.join(self.maildir, "tmp", name), "wb") as f:
            f.write(content)
        os.rename(os.path.join(self.maildir, "tmp", name), os.path.join(self.maildir, "new", name))

    def handle_error(self, request, address):
        with self.lock:
            super().handle_error(request, address)


def context_of(folder):
    """None without openssl: then there is no STARTTLS."""
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                           "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=faulty.example"], capture_output=True, check=False)
    if made.returncode != 0:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context


def results(fault, only, folder, context, timeout, wrap=False):
    server = Server(fault, folder, context, wrap)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    target = types.SimpleNamespace(
        host="127.0.0.1", port=server.server_address[1], spawn=None, tls="wrap" if wrap else "none", timeout=timeout,
        valid="user@example.org", foreign="x@elsewhere.example", auth=b":".join((USER, PASSWORD)).decode(),
        mailbox=suite.Mailbox(server.maildir))
    try:
        yield from suite.run(suite.chosen(only), target)
    finally:
        server.shutdown()
        server.server_close()


def good(number, wrap, folder, context):
    """The good server passes."""
    found = list(results(None, None, folder, context, 8, wrap))
    failed = [r for r in found if r.verdict == "failed"]
    count = sum(r.verdict == "passed" for r in found)
    print("%s %d - without a fault%s: %d passed, %d failed, %d skipped" % (
        "not ok" if failed or not count else "ok", number, " and with TLS from the start" if wrap else "",
        count, len(failed), len(found) - count - len(failed)))
    for r in failed:
        print("# %s: %s" % (r.case.name, r.why))
    return not failed


def caught(fault, folder, context):
    """The first case that notices, or None."""
    for result in results(fault, FAULTS[fault], folder, context, 2):
        if result.verdict == "failed":
            return result
    return None


def all_caught(numbered, folder, context):
    """Some faults at a time: most of the time they wait."""
    fine = []
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for (number, fault), by in zip(numbered, pool.map(lambda x: caught(x[1], folder, context), numbered)):
            print("%s %d - noticed: %s" % ("ok" if by else "not ok", number, fault))
            print("# %s" % ("%s: %s" % (by.case.name, by.why) if by else "no case of " + FAULTS[fault]), flush=True)
            fine.append(by is not None)
    return fine


def serve(fault):
    with tempfile.TemporaryDirectory() as folder:
        server = Server(fault, folder, context_of(folder))
        print(server.server_address[1], server.maildir, flush=True)
        server.serve_forever()


def main():
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2] if len(sys.argv) > 2 else None)
    faults = [f for f in FAULTS if len(sys.argv) < 2 or re.search(sys.argv[1], f)]
    whole = len(sys.argv) < 2
    print("1..%d" % (len(faults) + 2 * whole))
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        context = context_of(folder)
        fine = [good(1, False, folder, context), good(2, True, folder, context)] if whole else []
        fine += all_caught(list(enumerate(faults, 2 * whole + 1)), folder, context)
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
