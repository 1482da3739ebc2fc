"""RFC 4954 (AUTH), RFC 4616 (PLAIN) and the LOGIN mechanism that everybody has."""

import base64

from suite import NOT_DONE, REFUSED, Failure, Skip, case, dialogue

MAIL = "MAIL FROM:<a@client.example>"


def b64(octets):
    return base64.b64encode(octets).decode()


def login(test):
    if not test.target.auth:
        raise Skip("no --auth")
    user, _, password = test.target.auth.partition(":")
    return user.encode(), password.encode()


def offered(test, mechanism=None):
    """A session in which AUTH may be said."""
    s = test.secured()
    s.need("AUTH")
    if mechanism and mechanism not in s.extensions["AUTH"].upper().split():
        raise Skip("AUTH %s is not announced" % mechanism)
    return s


def plain(test, user=None, password=None, identity=b""):
    known = login(test)
    return b64(b"\0".join((identity, known[0] if user is None else user, known[1] if password is None else password)))


def known(test):
    """Whoever has said who they are."""
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN " + plain(test), "235")
    return s


@case("auth.announced", "4954 3", "AUTH is announced with names of mechanisms.")
def _(test):
    if not offered(test).extensions["AUTH"].split():
        raise Failure("none")


@case("auth.not-in-plain-text", "4954 4", "PLAIN and LOGIN are not announced without TLS.")
def _(test):
    s = test.session(tls=False)
    if s.tls:
        raise Skip("TLS is on from the start")
    words = s.extensions.get("AUTH", "").upper().split()
    if "PLAIN" in words or "LOGIN" in words:
        raise Failure("AUTH %s" % words)


@case("auth.refused-in-plain-text", "4954 4", "PLAIN is refused without TLS, the right password too.")
def _(test):
    answer = plain(test)
    s = test.session(tls=False)
    if s.tls:
        raise Skip("TLS is on from the start")
    if not s.has("STARTTLS"):
        raise Skip("there is no TLS")
    s.command("AUTH PLAIN " + answer, REFUSED)


@case("auth.plain", "4616 2", "PLAIN with the response in the command.")
def _(test):
    known(test).command("NOOP", "250")


@case("auth.plain-asked", "4954 4", "PLAIN with the response behind 334.")
def _(test):
    s = offered(test, "PLAIN")
    answer = plain(test)
    reply = s.command("AUTH PLAIN", "334")
    if reply.texts[0] != b"":
        raise Failure("the challenge is not empty: %s" % reply)
    s.command(answer, "235")


@case("auth.plain-identity", "4616 2", "PLAIN for oneself by name.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN " + plain(test, identity=login(test)[0]), "235")


@case("auth.plain-other-identity", "4616 2", "PLAIN for somebody else is refused.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN " + plain(test, identity=b"somebody-else@example.net"), REFUSED)


@case("auth.lower-case", "4954 4", "Mechanisms have no case.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("auth plain " + plain(test), "235")


@case("auth.login", "4954 4", "LOGIN asks for the user, then for the password.")
def _(test):
    user, password = login(test)
    s = offered(test, "LOGIN")
    s.command("AUTH LOGIN", "334")
    s.command(b64(user), "334")
    s.command(b64(password), "235")


@case("auth.login-user", "4954 4", "LOGIN with the user in the command.")
def _(test):
    user, password = login(test)
    s = offered(test, "LOGIN")
    s.command("AUTH LOGIN " + b64(user), "334")
    s.command(b64(password), "235")


@case("auth.login-challenge", "4954 4", "LOGIN's challenges are base64.")
def _(test):
    user, password = login(test)
    s = offered(test, "LOGIN")
    for line in "AUTH LOGIN", b64(user):
        reply = s.command(line, "334")
        try:
            base64.b64decode(reply.texts[0], validate=True)
        except ValueError:
            raise Failure("%s" % reply) from None
    s.command(b64(password), "235")


def wrong(name, must, answer, mechanism="PLAIN"):
    @case("auth." + name, "4954 6", must)
    def _(test):
        login(test)
        s = offered(test, mechanism)
        s.command("AUTH PLAIN " + answer(test), "535")
        s.command("NOOP", "250")
        test.envelope(s)


wrong("wrong-password", "A wrong password is refused with 535, and the session goes on.", lambda t: plain(t, password=b"wrong"))
wrong("wrong-user", "An unknown user is refused with 535.", lambda t: plain(t, user=b"nobody-here"))
wrong("empty-password", "An empty password is refused with 535.", lambda t: plain(t, password=b""))
wrong("password-prefix", "A part of the password is refused with 535.", lambda t: plain(t, password=login(t)[1][:-1]))
wrong("password-longer", "More than the password is refused with 535.", lambda t: plain(t, password=login(t)[1] + b"x"))


@case("auth.login-wrong-password", "4954 6", "A wrong password is refused with 535.")
def _(test):
    user, _ = login(test)
    s = offered(test, "LOGIN")
    s.command("AUTH LOGIN", "334")
    s.command(b64(user), "334")
    s.command(b64(b"wrong"), "535")
    s.command("NOOP", "250")


@case("auth.again-after-wrong", "4954 4", "After a wrong password the right one is taken.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN " + plain(test, password=b"wrong"), "535")
    s.command("AUTH PLAIN " + plain(test), "235")


def ill_formed(name, must, answer):
    @case("auth.form-" + name, "4954 4", must)
    def _(test):
        s = offered(test, "PLAIN")
        s.command("AUTH PLAIN", "334")
        s.command(answer, REFUSED)
        s.command("NOOP", "250")


ill_formed("not-base64", "A response that is not base64 is refused with 501.", "!!!not base64!!!")
ill_formed("padding", "Padding in the middle is not base64.", "AG=EAYg=")
ill_formed("bare", "A command is no response.", "MAIL FROM:<a@client.example>")
ill_formed("no-nul", "PLAIN without NUL is refused.", b64(b"userpassword"))
ill_formed("one-nul", "PLAIN with one NUL is refused.", b64(b"user\0password"))
ill_formed("empty", "An empty response is refused.", "")
ill_formed("control", "A response with control octets is refused.", b"AGEA\x01Yg==")
ill_formed("8-bit", "A response with octets above 127 is refused.", b"AGEA\xe9Yg==")
ill_formed("nul", "A response with a NUL is refused.", b"AGEAYg==\0")


@case("auth.form-initial", "4954 4", "A response in the command that is not base64 is refused with 501.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN !!!", REFUSED)
    s.command("NOOP", "250")


@case("auth.form-initial-empty", "4954 4", "= in the command is an empty response.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN =", REFUSED)
    s.command("NOOP", "250")


@case("auth.cancel-plain", "4954 4", "* cancels, with 501.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN", "334")
    s.command("*", "501")
    s.command("NOOP", "250")


@case("auth.cancel-login", "4954 4", "* cancels, with 501, at the user and at the password.")
def _(test):
    s = offered(test, "LOGIN")
    s.command("AUTH LOGIN", "334")
    s.command("*", "501")
    s.command("AUTH LOGIN", "334")
    s.command(b64(b"user"), "334")
    s.command("*", "501")
    s.command("NOOP", "250")


@case("auth.cancel-then-good", "4954 4", "After * the exchange may begin again.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN", "334")
    s.command("*", "501")
    s.command("AUTH PLAIN " + plain(test), "235")


def command(name, must, line, want):
    @case("auth." + name, "4954 4", must)
    def _(test):
        s = offered(test)
        s.command(line, want)
        s.command("NOOP", "250")


command("unknown-mechanism", "An unknown mechanism is refused with 504.", "AUTH XYZZY", "504|535|534")
command("unknown-with-response", "An unknown mechanism is refused with 504.", "AUTH XYZZY AGEAYg==", "504|535|534")
command("no-argument", "AUTH without mechanism is refused with 501.", "AUTH", "50.")
command("mechanism-prefix", "PLAINX is no mechanism.", "AUTH PLAINX", "504|535|534")
command("third-argument", "AUTH takes two arguments at most.", "AUTH PLAIN AGEAYg== x", REFUSED)


@case("auth.twice", "4954 4", "AUTH after 235 is refused with 503.")
def _(test):
    s = known(test)
    s.command("AUTH PLAIN " + plain(test), "503")
    s.command("NOOP", "250")


@case("auth.twice-after-rset", "4954 4", "RSET does not make it possible again.")
def _(test):
    s = known(test)
    s.command("RSET", "250")
    s.command("AUTH PLAIN " + plain(test), "503")


@case("auth.in-transaction", "4954 4", "AUTH inside a transaction is refused with 503.")
def _(test):
    s = offered(test, "PLAIN")
    s.command(MAIL, "250")
    s.command("AUTH PLAIN " + plain(test), "503")
    s.command(b"RCPT TO:<" + test.valid + b">", "25.")


@case("auth.relays", "6409 4.3", "Whoever is known may send mail to elsewhere.")
def _(test):
    s = known(test)
    s.command(MAIL, "250")
    s.command(b"RCPT TO:<" + test.foreign + b">", "25.")
    s.command("RSET", "250")


@case("auth.failed-does-not-relay", "6409 4.3", "Whoever failed may not.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN " + plain(test, password=b"wrong"), "535")
    s.command(MAIL, "250")
    s.command(b"RCPT TO:<" + test.foreign + b">", NOT_DONE)


@case("auth.message", "4954 4", "Whoever is known may send a message.")
def _(test):
    s = known(test)
    test.open_text(s)
    s.send(b"x\r\n.\r\n")
    s.reply("250")
    test.stored(b"x\n")


@case("auth.password-secret", "4954 9", "Neither user's password nor response comes back in a reply, or in the header.")
def _(test):
    user, password = login(test)
    s = offered(test, "PLAIN")
    answer = plain(test)
    reply = s.command("AUTH PLAIN " + answer, "235")
    again = s.command("AUTH PLAIN " + answer, "503")
    for each in reply, again:
        if answer.encode() in b"".join(each.texts) or password in b"".join(each.texts):
            raise Failure("%s" % each)
    if test.target.mailbox:
        test.open_text(s)
        s.command(".", "250")
        if password in test.headers():
            raise Failure("it is in the header")


@case("auth.received", "3848", "Received says with ESMTPSA or ESMTPA.")
def _(test):
    s = known(test)
    test.open_text(s)
    s.command(".", "250")
    if b"with ESMTPSA" not in test.headers().upper().replace(b"WITH", b"with") and b"with ESMTPA" not in test.headers():
        raise Failure("%r" % test.headers())


@case("auth.long-response", "4954 4.5", "A response of 12,288 octets is handled.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN", "334")
    s.command(b64(b"\0user\0" + b"p" * 9200)[:12286], "5..")
    s.command("NOOP", "250")


@case("auth.over-long-response", "4954 4.5", "A response that is too long is refused as a whole.")
def _(test):
    s = offered(test, "PLAIN")
    s.command("AUTH PLAIN", "334")
    s.send(b"A" * 40000 + b"\r\nQUIT\r\n")
    codes = [r.code for r in s.rest()]
    if not codes or codes[0][0] not in "45" or codes[1:] not in (["221"], []):
        raise Failure("answered %s" % codes)


@case("auth.split", "4954 4", "Command and response may come octet by octet.")
def _(test):
    s = offered(test, "PLAIN")
    for octet in b"AUTH PLAIN " + plain(test).encode() + b"\r\n":
        s.send(bytes([octet]))
    s.reply("235")


@case("auth.status-good", "4954 6", "235 has the status code 2.7.0.")
def _(test):
    s = offered(test, "PLAIN")
    s.need("ENHANCEDSTATUSCODES")
    reply = s.command("AUTH PLAIN " + plain(test), "235")
    if reply.status() != "2.7.0":
        raise Failure("%s" % reply)


@case("auth.status-wrong", "4954 6", "535 has the status code 5.7.8.")
def _(test):
    s = offered(test, "PLAIN")
    s.need("ENHANCEDSTATUSCODES")
    reply = s.command("AUTH PLAIN " + plain(test, password=b"wrong"), "535")
    if reply.status() != "5.7.8":
        raise Failure("%s" % reply)


@case("auth.forgotten-by-starttls", "4954 4", "STARTTLS is refused after AUTH, or forgets it.")
def _(test):
    s = test.session(tls=False)
    s.need("AUTH", "STARTTLS")
    s.command("AUTH PLAIN " + plain(test), "235")
    test.secure(s)
    s.command(MAIL, "250")
    s.command(b"RCPT TO:<" + test.foreign + b">", NOT_DONE)


def parameter(name, must, value, want):
    @case("auth.parameter-" + name, "4954 5", must)
    def _(test):
        s = offered(test)
        s.command(MAIL + value, want)
        s.command(b"RCPT TO:<" + test.valid + b">", "25." if want == "250" else "503")


parameter("null", "AUTH=<> is taken.", " AUTH=<>", "250")
parameter("address", "AUTH with an address is taken.", " AUTH=e@client.example", "250")
parameter("xtext", "AUTH is xtext.", " AUTH=e+3Dmc2@client.example", "250")
parameter("lower-case", "Names of parameters have no case.", " auth=<>", "250")
parameter("bad-hex", "+ is followed by two hexadecimal digits.", " AUTH=e+ZZmc2@client.example", REFUSED)
parameter("short-hex", "+ is followed by two hexadecimal digits.", " AUTH=e+3", REFUSED)
parameter("equals", "= is no octet of xtext.", " AUTH=e=mc2@client.example", REFUSED)
parameter("empty", "AUTH has a value.", " AUTH=", REFUSED)
parameter("no-value", "AUTH has a value.", " AUTH", REFUSED)
