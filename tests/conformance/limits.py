"""Limits: RFC 5321 sections 4.5.3.1 and 7.8."""

from suite import NOT_DONE, REFUSED, Closed, Failure, case, dialogue

MAIL = "MAIL FROM:<a@client.example>"

dialogue("limit.command-512", "5321 4.5.3.1.4", "A command line of 512 octets is handled.", b"NOOP " + b"a" * 505, "250")
dialogue("limit.command-1000", "5321 4.5.3.1.4", "A command line of 1,000 octets gets one reply.", b"NOOP " + b"a" * 993, "250|5..")


def over_long(size):
    @case("limit.line-%d" % size, "5321 4.5.3.1.10", "A line that is too long is refused as a whole: its rest is no command.")
    def _(test):
        s = test.session()
        s.send(b"x" * size + b"QUIT\r\n")
        try:
            reply = s.reply(NOT_DONE)
            s.send(b"QUIT\r\n")
            rest = [r.code for r in s.rest()]
        except Closed:
            return
        if rest not in (["221"], []) or reply.code == "221":
            raise Failure("replies to the rest of the line: %s" % rest)


for length in (506, 508, 512, 998, 1000, 1024, 2042, 2046, 2048, 4096, 8192, 16384, 32768, 65536, 131072):
    over_long(length)


@case("limit.line-blanks", "5321 4.5.3.1.10", "A command in front of very many blanks is taken or refused, with one reply.")
def _(test):
    s = test.session()
    s.send(b"NOOP" + b" " * 9000 + b"\r\n")
    s.reply("250|5..")
    s.command("QUIT", "221")


@case("limit.recipients-100", "5321 4.5.3.1.8", "A message may have 100 recipients.")
def _(test):
    s = test.session()
    s.command(MAIL, "250")
    s.send((b"RCPT TO:<" + test.valid + b">\r\n") * (100 if s.has("PIPELINING") else 0))
    for _ in range(100):
        if not s.has("PIPELINING"):
            s.send(b"RCPT TO:<" + test.valid + b">\r\n")
        s.reply("25.")
    s.command("DATA", "354")
    s.send(test.head() + b"x\r\n.\r\n")
    s.reply("250")


@case("limit.recipients-many", "5321 4.5.3.1.10", "Too many recipients are refused with 452 or 552, and those before stay.", slow=True)
def _(test):
    s = test.session()
    s.need("PIPELINING")
    s.command(MAIL, "250")
    taken = 0
    for _ in range(60):
        s.send((b"RCPT TO:<" + test.valid + b">\r\n") * 100)
        codes = [s.reply("25.|452|552|421").code for _ in range(100)]
        taken += sum(c[0] == "2" for c in codes)
        if "452" in codes or "552" in codes:
            break
    s.command("DATA", "354")
    s.send(test.head() + b"x\r\n.\r\n")
    s.reply("250")
    if taken < 100:
        raise Failure("%d recipients were taken" % taken)


def bounded(name, must, line, before=None):
    @case("limit." + name, "5321 7.8", must)
    def _(test):
        s = test.session()
        if before:
            s.command(before, "250")
        try:
            for number in range(200):
                if s.command(test.fill(line), NOT_DONE).code == "421":
                    s.ends("after 421")
                    return
        except Closed:
            if number:
                return
            raise
        raise Failure("200 times refused, and the session goes on")


bounded("errors", "A session of nothing but errors is ended.", "XYZZY")
bounded("refused-recipients", "A session that guesses recipients is ended.", "RCPT TO:<%f>", MAIL)


@case("limit.ten-transactions", "5321 4.5.3.1", "A session may have ten transactions, RSET between them.")
def _(test):
    s = test.session()
    for _ in range(5):
        test.envelope(s)
        s.command("RSET", "250")
    for _ in range(5):
        test.envelope(s)
        s.command("DATA", "354")
        s.send(test.head() + b"x\r\n.\r\n")
        s.reply("250")


@case("limit.errors-few", "5321 4.2", "A few errors do not end a session.")
def _(test):
    s = test.session()
    s.command("XYZZY", "50.")
    s.command("RCPT TO:<a@", REFUSED)
    test.open_text(s)
    s.command(".", "250")


@case("limit.header-lines", "5322 2.1.1", "A header of 500 fields arrives.")
def _(test):
    s = test.session()
    test.envelope(s)
    s.command("DATA", "354")
    s.send(b"".join(b"X-Field-%d: %d\r\n" % (n, n) for n in range(500)) + test.head() + b"x\r\n.\r\n")
    s.reply("250")
    if b"\nX-Field-499: 499\n" not in test.headers():
        raise Failure("a field is missing")
