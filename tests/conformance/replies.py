"""Form and contents of replies: RFC 5321 sections 4.2 and 4.5.3.1.5, RFC 2034, RFC 3463. The form of each reply
is judged whenever one is read (wire.py); here are commands that tempt a server."""

from suite import NOT_DONE, REFUSED, Failure, case, dialogue

MAIL = "MAIL FROM:<a@client.example>"


def echoes(name, line, must="A reply line has at most 512 octets, whatever the command was."):
    dialogue("reply." + name, "5321 4.5.3.1.5", must, line, "25.|21.|[45]..")


echoes("long-verb", b"X" * 900)
echoes("long-unknown", b"XYZZY " + b"a" * 900)
echoes("long-noop", b"NOOP " + b"a" * 900)
echoes("long-help", b"HELP " + b"a" * 900)
echoes("long-vrfy", b"VRFY " + b"a" * 900 + b"@elsewhere.example")
echoes("long-sender", b"MAIL FROM:<" + b"a" * 900 + b"@client.example>")
echoes("long-bad-sender", b"MAIL FROM:<" + b"a" * 900)
echoes("long-parameter", b"MAIL FROM:<a@client.example> X" + b"a" * 900 + b"=1")
echoes("percent", b"VRFY %s%n%x%p", "Nothing that a client says is a format.")
dialogue("reply.long-recipient", "5321 4.5.3.1.5", "A reply line has at most 512 octets, whatever the command was.",
         [MAIL, b"RCPT TO:<" + b"a" * 900 + b"@elsewhere.example>"], "[45]..")
dialogue("reply.long-bad-recipient", "5321 4.5.3.1.5", "A reply line has at most 512 octets, whatever the command was.",
         [MAIL, b"RCPT TO:<" + b"a." * 450], "5..")


@case("reply.one-each", "5321 4.2", "Each command gets one reply, in order.")
def _(test):
    s = test.session()
    for line, want in (("NOOP", "250"), ("XYZZY", "50."), ("RSET", "250"), ("VRFY x", "25.|5.."), (MAIL, "250"), (MAIL, "503"),
                       ("RSET", "250"), ("QUIT", "221")):
        s.command(line, want)
    s.ends()


@case("reply.data-354", "5321 4.1.1.4", "DATA is answered with 354, and nothing more until the end.")
def _(test):
    s = test.session()
    test.open_text(s)
    s.send(b"NOOP\r\nRSET\r\nQUIT\r\n")
    s.quiet(0.05)
    s.send(b".\r\n")
    s.reply("250")
    test.stored(b"NOOP\nRSET\nQUIT\n")


def status(name, lines, want, code="2.."):
    """The status code's form and its class in the last of these replies."""
    @case("status." + name, "2034 4", "Replies of classes 2, 4 and 5 begin with a status code of that class.")
    def _(test):
        s = test.session()
        s.need("ENHANCEDSTATUSCODES")
        for line in lines[:-1]:
            s.command(test.fill(line), "2..")
        reply = s.command(test.fill(lines[-1]), code)
        if reply.status() is None or not reply.status().startswith(want):
            raise Failure("no status code %s... in %s" % (want, reply))


status("mail", [MAIL], "2.")
status("rcpt", [MAIL, "RCPT TO:<%v>"], "2.")
status("rset", ["RSET"], "2.")
status("noop", ["NOOP"], "2.")
status("quit", ["QUIT"], "2.")
status("vrfy", ["VRFY %v"], "2.", "25.|550")
status("unknown", ["XYZZY"], "5.5.", "50.")
status("order", ["RCPT TO:<%v>"], "5.5.", "503")
status("mail-twice", [MAIL, MAIL], "5.5.", "503")
status("data-first", ["DATA"], "5.5.", "503|554")
status("bad-sender", ["MAIL FROM:<a@c.example"], "5.", REFUSED)
status("bad-recipient", [MAIL, "RCPT TO:<a@"], "5.", REFUSED)
status("relay", [MAIL, "RCPT TO:<%f>"], "", NOT_DONE)
status("unknown-parameter", [MAIL + " XYZZY=1"], "5.5.", REFUSED)
status("argument", ["RSET now"], "5.5.", REFUSED)


@case("status.queued", "2034 4", "The reply to a whole message begins with a status code of class 2.")
def _(test):
    s = test.session()
    s.need("ENHANCEDSTATUSCODES")
    test.open_text(s)
    reply = s.command(".", "250")
    if reply.status() is None:
        raise Failure("no status code in %s" % reply)


@case("status.not-354", "2034 4", "354 carries no status code: it has no class 3.")
def _(test):
    s = test.session()
    test.envelope(s)
    reply = s.command("DATA", "354")
    if reply.texts[0][:2] in (b"2.", b"3.", b"5."):
        raise Failure("%s" % reply)
