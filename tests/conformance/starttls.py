"""RFC 3207 (STARTTLS), RFC 8314 (TLS from the start) and RFC 8996 (old versions)."""

import re
import ssl

from suite import NOT_DONE, REFUSED, Closed, Failure, Skip, case
from wire import show

MAIL = b"MAIL FROM:<a@client.example>"


def offered(test):
    if test.target.tls == "wrap":
        raise Skip("TLS is on from the start")
    s = test.session(tls=False)
    s.need("STARTTLS")
    return s


def handshake(s, old=False):
    try:
        s.start_tls(old)
    except (ssl.SSLError, OSError) as e:
        raise Failure("no TLS handshake: %s" % e) from None


def begun(test):
    s = offered(test)
    s.command("STARTTLS", "220")
    handshake(s)
    return s


@case("starttls.works", "3207 4", "STARTTLS is answered with 220, and a TLS handshake follows.")
def _(test):
    begun(test).ehlo()


@case("starttls.no-greeting", "3207 4.2", "There is no second greeting.")
def _(test):
    s = begun(test)
    s.quiet(0.05)
    s.ehlo()
    s.command("NOOP", "250")


@case("starttls.lower-case", "5321 2.4", "Verbs have no case.")
def _(test):
    s = offered(test)
    s.command("starttls", "220")
    handshake(s)
    s.ehlo()


@case("starttls.argument", "3207 4", "STARTTLS takes no argument.")
def _(test):
    s = offered(test)
    s.command("STARTTLS now", "50.")
    s.command("NOOP", "250")


@case("starttls.not-announced-again", "3207 4.2", "In TLS, STARTTLS is not announced.")
def _(test):
    s = begun(test)
    s.ehlo()
    if s.has("STARTTLS"):
        raise Failure("STARTTLS is announced")


@case("starttls.twice", "3207 4.2", "In TLS, STARTTLS is refused, and the session goes on.")
def _(test):
    s = begun(test)
    s.ehlo()
    s.command("STARTTLS", REFUSED)
    s.command("NOOP", "250")


@case("starttls.forgets-sender", "3207 4.2", "What was said before TLS is forgotten.")
def _(test):
    s = offered(test)
    s.command(MAIL, "250")
    if s.command("STARTTLS", "220|503").code == "503":
        raise Skip("not inside a transaction")
    handshake(s)
    s.ehlo()
    s.command(b"RCPT TO:<" + test.valid + b">", "503")


@case("starttls.forgets-recipients", "3207 4.2", "What was said before TLS is forgotten.")
def _(test):
    s = offered(test)
    test.envelope(s)
    if s.command("STARTTLS", "220|503").code == "503":
        raise Skip("not inside a transaction")
    handshake(s)
    s.command("DATA", "503|554")


@case("starttls.forgets-without-ehlo", "3207 4.2", "It is forgotten without a new EHLO too.")
def _(test):
    s = offered(test)
    s.command(MAIL, "250")
    if s.command("STARTTLS", "220|503").code == "503":
        raise Skip("not inside a transaction")
    handshake(s)
    s.command(b"RCPT TO:<" + test.valid + b">", "503")


@case("starttls.forgets-name", "3207 4.2", "The client's name before TLS is forgotten.")
def _(test):
    s = offered(test)
    s.ehlo(b"before-tls.example")
    s.command("STARTTLS", "220")
    handshake(s)
    s.ehlo()
    test.open_text(s)
    s.command(".", "250")
    if b"before-tls.example" in test.headers():
        raise Failure("it is in the header")


def injected(name, must, octets, innocent):
    """Plain text behind STARTTLS. A server hangs up, or does as if it had never come."""
    @case("starttls.injected-" + name, "3207 4.2", must)
    def _(test):
        s = offered(test)
        s.send(test.fill(b"STARTTLS\r\n" + octets))
        try:
            if not s.reply("220|[45]..").is_like("220"):
                return
            if s.pending:
                if re.match(rb"[23]", s.pending):
                    raise Failure("obeyed in plain text: " + show(s.pending))
                return
            s.start_tls()
        except (Closed, ssl.SSLError, OSError):
            return
        try:
            s.send(b"XYZZY\r\n")
            first = s.reply()
        except Closed:
            return
        if not first.is_like("50.|421") or (innocent and s.pending):
            raise Failure("obeyed inside TLS: %s" % first)
        try:
            s.command(b"RCPT TO:<" + test.valid + b">", "50.|421")
        except Closed:
            return


BEHIND = "What came behind STARTTLS in plain text is not obeyed inside TLS."
injected("noop", BEHIND, b"NOOP\r\n", True)
injected("rset", BEHIND, b"RSET\r\n", True)
injected("ehlo", BEHIND, b"EHLO injected.example\r\n", True)
injected("mail", BEHIND, b"EHLO injected.example\r\nMAIL FROM:<evil@client.example>\r\n", True)
injected("envelope", BEHIND, b"EHLO i.example\r\nMAIL FROM:<evil@client.example>\r\nRCPT TO:<%v>\r\nDATA\r\n", True)
injected("half", BEHIND, b"MAIL FROM:<evil@client.example", False)
injected("starttls", BEHIND, b"STARTTLS\r\n", True)


@case("starttls.garbage", "3207 4.1", "After 220, what is no TLS handshake is obeyed in no way.")
def _(test):
    s = offered(test)
    s.command("STARTTLS", "220")
    s.send(b"NOOP\r\nEHLO c.example\r\nMAIL FROM:<a@client.example>\r\nQUIT\r\n" * 20)
    s.sock.settimeout(s.left(s.timeout))
    got = b""
    try:
        while True:
            more = s.sock.recv(4096)
            if not more:
                break
            got += more
    except TimeoutError:
        raise Failure("the connection stays open") from None
    except OSError:
        pass
    if re.search(rb"(?m)^[23][0-9][0-9][ -]", got):
        raise Failure("obeyed: " + show(got))


@case("starttls.hangs-up", "3207 4.1", "A client that goes away after 220 harms nobody else.")
def _(test):
    s = offered(test)
    s.command("STARTTLS", "220")
    s.close()
    test.session(tls=False)


@case("starttls.message", "3207 4", "A message arrives through TLS.")
def _(test):
    s = begun(test)
    s.ehlo()
    test.open_text(s)
    s.send(b"..secret\r\n.\r\n")
    s.reply("250")
    test.stored(b".secret\n")


@case("starttls.big", "3207 4", "A text of many TLS records arrives.")
def _(test):
    s = begun(test)
    s.ehlo()
    s.need_room(210000)
    test.open_text(s)
    text = b"".join(b"%06d " % n + b"x" * 60 + b"\r\n" for n in range(3000))
    s.send(text + b".\r\n")
    s.reply("250")
    test.stored(text.replace(b"\r\n", b"\n"))


@case("starttls.pipelined", "2920 3.1", "Groups work inside TLS.")
def _(test):
    s = begun(test)
    s.ehlo()
    s.need("PIPELINING")
    s.send(MAIL + b"\r\nRCPT TO:<" + test.valid + b">\r\nDATA\r\n")
    for want in "250", "25.", "354":
        s.reply(want)
    s.send(test.head() + b".\r\nQUIT\r\n")
    s.reply("250")
    s.reply("221")


@case("starttls.quit", "5321 4.1.1.10", "QUIT is answered inside TLS, and the connection closed.")
def _(test):
    s = begun(test)
    s.command("QUIT", "221")
    s.ends()


@case("starttls.received", "3848", "Received says with ESMTPS when the message came through TLS.")
def _(test):
    s = begun(test)
    s.ehlo()
    test.open_text(s)
    s.command(".", "250")
    if re.search(rb"with (?i:esmtpsa?|utf8smtpsa?)\b", test.headers()) is None:
        raise Failure(show(test.headers(), 600))


@case("starttls.before-ehlo", "3207 4", "STARTTLS before EHLO is obeyed or refused, with one reply.")
def _(test):
    offered(test)
    s = test.greeted()
    if s.command("STARTTLS", "220|[45]..").code == "220":
        handshake(s)
    s.ehlo()


@case("starttls.pipelined-ehlo", "2920 3.1", "STARTTLS may end a group.")
def _(test):
    s = offered(test)
    s.need("PIPELINING")
    s.send(b"RSET\r\nSTARTTLS\r\n")
    s.reply("250")
    s.reply("220")
    handshake(s)
    s.ehlo()


@case("starttls.old-versions", "8996", "TLS 1.0 and 1.1 are not spoken.")
def _(test):
    if test.target.tls == "wrap":
        raise Skip("see wrap.old-versions")
    s = offered(test)
    s.command("STARTTLS", "220")
    try:
        s.start_tls(old=True)
    except (ssl.SSLError, OSError):
        return
    raise Failure("%s was spoken" % s.sock.version())


@case("starttls.version", "9325 3.1.1", "TLS 1.2 or newer is spoken.")
def _(test):
    s = begun(test)
    if s.sock.version() not in ("TLSv1.2", "TLSv1.3"):
        raise Failure(s.sock.version())


@case("starttls.in-text", "3207 4", "STARTTLS in a text is text.")
def _(test):
    s = offered(test)
    test.open_text(s)
    s.send(b"STARTTLS\r\n.\r\n")
    s.reply("250")
    test.stored(b"STARTTLS\n")


@case("starttls.status", "2034 4", "The reply to STARTTLS has a status code of class 2.")
def _(test):
    s = offered(test)
    s.need("ENHANCEDSTATUSCODES")
    if s.command("STARTTLS", "220").status() is None:
        raise Failure("no status code")


# ---- TLS from the start

def wrapped(test):
    if test.target.tls != "wrap":
        raise Skip("not without --tls=wrap")
    return test.session()


@case("wrap.no-starttls", "8314 3.3", "Where TLS is on from the start, STARTTLS is not announced.")
def _(test):
    if wrapped(test).has("STARTTLS"):
        raise Failure("STARTTLS is announced")


@case("wrap.starttls", "8314 3.3", "Where TLS is on from the start, STARTTLS is refused.")
def _(test):
    s = wrapped(test)
    s.command("STARTTLS", REFUSED)
    s.command("NOOP", "250")


@case("wrap.received", "3848", "Received says with ESMTPS where TLS is on from the start.")
def _(test):
    s = wrapped(test)
    test.open_text(s)
    s.command(".", "250")
    if re.search(rb"with (?i:esmtpsa?)\b", test.headers()) is None:
        raise Failure(show(test.headers(), 600))


def raw(test):
    """Connected where TLS is on from the start, without speaking it."""
    from wire import Session
    s = Session(test.target, test.deadline)
    test.sessions.append(s)
    return s


@case("wrap.plain-text", "8314 3.3", "Plain text is not obeyed where TLS is on from the start.")
def _(test):
    wrapped(test)
    s = raw(test)
    s.send(b"EHLO c.example\r\nMAIL FROM:<a@client.example>\r\nQUIT\r\n")
    while s.fill(s.timeout):
        pass
    if re.search(rb"(?m)^2[0-9][0-9][ -]", s.pending):
        raise Failure("obeyed: " + show(s.pending))


@case("wrap.old-versions", "8996", "TLS 1.0 and 1.1 are not spoken.")
def _(test):
    wrapped(test)
    s = raw(test)
    try:
        s.start_tls(old=True)
    except (ssl.SSLError, OSError):
        return
    raise Failure("%s was spoken" % s.sock.version())


# ---- REQUIRETLS: RFC 8689

@case("requiretls.only-in-tls", "8689 2", "REQUIRETLS is announced only inside TLS.")
def _(test):
    s = test.session(tls=False)
    if not s.tls and s.has("REQUIRETLS"):
        raise Failure("REQUIRETLS is announced in plain text")


@case("requiretls.not-in-plain-text", "8689 4.1", "REQUIRETLS without TLS is refused.")
def _(test):
    s = test.session(tls=False)
    if s.tls:
        raise Skip("TLS is on from the start")
    s.command(MAIL + b" REQUIRETLS", REFUSED)


def requiretls(name, must, parameter, want):
    @case("requiretls." + name, "8689 4.1", must)
    def _(test):
        s = test.secured()
        s.need("REQUIRETLS")
        s.command(MAIL + parameter, want)


requiretls("taken", "REQUIRETLS is taken.", b" REQUIRETLS", "250")
requiretls("lower-case", "Names of parameters have no case.", b" requiretls", "250")
requiretls("value", "REQUIRETLS has no value.", b" REQUIRETLS=1", NOT_DONE)
requiretls("empty-value", "REQUIRETLS has no value.", b" REQUIRETLS=", NOT_DONE)
