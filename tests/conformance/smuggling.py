"""Only CR LF . CR LF ends a text: RFC 5321 sections 2.3.8 and 4.1.1.4. Each form is sent alone, when a server that
ends the text there would answer, and with a whole transaction behind it, when it would obey."""

from suite import QUIET_S, Failure, case, show

ENDS = {"lf": b"\n", "cr": b"\r", "crlf": b"\r\n", "crcrlf": b"\r\r\n", "lfcr": b"\n\r"}
FORMS = {"%s.%s" % (before, after): ENDS[before] + b"." + ENDS[after]
         for before in ("lf", "cr", "crlf", "lfcr") for after in ENDS if (before, after) != ("crlf", "crlf")}
FORMS.update({
    "lflf.lflf": b"\n\n.\n\n",
    "crlf.nul-crlf": b"\r\n.\0\r\n",
    "crlf.crlf-nul-first": b"\r\n\0.\r\n",
    "crlf.blank-crlf": b"\r\n. \r\n",
    "crlf.tab-crlf": b"\r\n.\t\r\n",
    "crlf.blank-first": b"\r\n .\r\n",
    "crlf.two-dots": b"\r\n..\r\n",
    "crlf.ctrl-z": b"\r\n.\x1a\r\n",
    "crlf.vt": b"\r\n.\x0b\r\n",
    "crlf.nel": b"\r\n.\x85\r\n",
    "nel.crlf": b"\x85.\r\n",
    "crlf.backspace": b"\r\n.x\x08\r\n",
})
MUST = "Only CR LF . CR LF ends a text: these octets are part of it, or it is refused."


def refused_and_gone(s):
    """A server may drop a client that sends such octets, if it refuses the message before."""
    s.reply("[45]..", "the text has not ended")
    if s.rest():
        raise Failure("more than one reply to one text")


def alone(name, octets):
    @case("smuggling." + name + "-alone", "5321 4.1.1.4", MUST)
    def _(test):
        s = test.session()
        test.open_text(s)
        s.send(b"first" + octets)
        try:
            s.quiet(QUIET_S)
        except Failure:
            refused_and_gone(s)
            return
        s.send(b"still text\r\n.\r\n")
        s.reply("250|[45]..")
        s.send(b"QUIT\r\n")
        replies = s.rest()
        if [r.code for r in replies] not in (["221"], []):
            raise Failure("more than one reply to one text: %s" % ", ".join(map(str, replies)))


def with_commands(name, octets):
    @case("smuggling." + name + "-commands", "5321 4.1.1.4", MUST)
    def _(test):
        s = test.session()
        test.open_text(s)
        s.send(b"first" + octets + b"MAIL FROM:<smuggler@client.example>\r\nRCPT TO:<" + test.valid +
               b">\r\nDATA\r\n" + test.head() + b"smuggled\r\n.\r\nQUIT\r\n")
        replies = s.rest()
        codes = [r.code for r in replies]
        if not codes or codes[1:] not in (["221"], []) or codes[0][0] not in "245":
            raise Failure("more than one message: %s" % show(" ".join(codes).encode()))


for key, value in FORMS.items():
    alone(key, value)
    with_commands(key, value)


@case("smuggling.first-line-lf", "5321 4.1.1.4", "LF . CR LF right behind 354's reply is no end.")
def _(test):
    s = test.session()
    test.envelope(s)
    s.command("DATA", "354")
    s.send(b"\n.\r\n")
    try:
        s.quiet(QUIET_S)
    except Failure:
        refused_and_gone(s)
        return
    s.send(b"\r\n.\r\nQUIT\r\n")
    codes = [r.code for r in s.rest()]
    if len(codes) > 2:
        raise Failure("more than one reply to one text: %s" % codes)


@case("smuggling.after-true-end", "5321 4.1.1.4", "Behind the true end commands are commands again.")
def _(test):
    s = test.session()
    test.open_text(s)
    s.send(b"first\r\n.\r\nMAIL FROM:<second@client.example>\r\n")
    s.reply("250")
    s.reply("250")
