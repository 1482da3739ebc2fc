"""Form of commands: RFC 5321 sections 2.3.8, 2.4, 4.1.1 and 4.5.1."""

from suite import REFUSED, Failure, case, dialogue

UNKNOWN = "50[0-4]|[24]21"  # a server may take it for another protocol, and go

for verb in ("noop", "NoOp", "rset", "RsEt", "vrfy %v"):
    dialogue("case." + verb.partition(" ")[0], "5321 2.4", "Verbs have no case.", verb, "25.|55[0-3]")
dialogue("case.mail", "5321 2.4", "Verbs have no case.", "mail FROM:<a@client.example>", "250")
dialogue("case.from", "5321 2.4", "FROM has no case.", "MAIL from:<a@client.example>", "250")
dialogue("case.rcpt", "5321 2.4", "Verbs have no case.", ["MAIL FROM:<a@client.example>", "rcpt tO:<%v>"], "25.")
dialogue("case.quit", "5321 2.4", "Verbs have no case.", "quit", "221", then=None)
dialogue("case.data", "5321 2.4", "Verbs have no case.",
         ["MAIL FROM:<a@client.example>", "RCPT TO:<%v>", "data"], "354", then=(".", "[25].."))

dialogue("noop", "5321 4.1.1.9", "NOOP is answered with 250.", "NOOP", "250")
dialogue("noop.argument", "5321 4.1.1.9", "NOOP may have an argument, which is ignored.", "NOOP hello there", "250")
dialogue("rset", "5321 4.1.1.5", "RSET is answered with 250, without a transaction too.", "RSET", "250")
dialogue("rset.argument", "5321 4.1.1.5", "RSET takes no argument.", "RSET now", REFUSED)
dialogue("rset.trailing-blank", "5321 4.1.1", "Blanks before CR LF are tolerated.", "RSET  ", "250")
dialogue("noop.trailing-blank", "5321 4.1.1", "Blanks before CR LF are tolerated.", "NOOP ", "250")
dialogue("mail.trailing-blank", "5321 4.1.1", "Blanks before CR LF are tolerated.", "MAIL FROM:<a@client.example> ", "250")
dialogue("rcpt.trailing-blank", "5321 4.1.1", "Blanks before CR LF are tolerated.",
         ["MAIL FROM:<a@client.example>", "RCPT TO:<%v> "], "25.")
dialogue("data.trailing-blank", "5321 4.1.1", "Blanks before CR LF are tolerated.",
         ["MAIL FROM:<a@client.example>", "RCPT TO:<%v>", "DATA "], "354", then=(".", "[25].."))
dialogue("quit.trailing-blank", "5321 4.1.1", "Blanks before CR LF are tolerated.", "QUIT ", "221", then=None)
dialogue("vrfy", "5321 4.5.1", "VRFY is implemented, if only to say that it says nothing.", "VRFY user", "25[0-2]|55[0-3]|501")
dialogue("vrfy.address", "5321 3.5.1", "VRFY takes an address.", "VRFY %v", "25[0-2]|55[0-3]")
dialogue("vrfy.no-argument", "5321 4.1.1.6", "VRFY without an argument is a syntax error.", "VRFY", "50.")
dialogue("expn", "5321 3.5.2", "EXPN is answered, if only with 502 or 252.", "EXPN list", "25[0-2]|50[02]|55.")
dialogue("help", "5321 4.1.1.8", "HELP is answered with 211 or 214.", "HELP", "21[14]")
dialogue("help.argument", "5321 4.1.1.8", "HELP may have an argument.", "HELP MAIL", "21[14]|50[024]")
dialogue("data.argument", "5321 4.1.1.4", "DATA takes no argument; no text is then expected.",
         ["MAIL FROM:<a@client.example>", "RCPT TO:<%v>", "DATA now"], REFUSED)
dialogue("quit.argument", "5321 4.1.1.10", "QUIT takes no argument, and does not quit then.", "QUIT now", REFUSED)

for verb in ("SEND FROM:<a@client.example>", "SOML FROM:<a@client.example>", "SAML FROM:<a@client.example>", "TURN",
             "XYZZY", "X", "NOOPS", "NOO", "RSETX", "DATAX", "QUITX", "QUI", "MAILFROM:<a@client.example>",
             "EHLOX c.example", "RCPTTO:<%v>"):
    dialogue("unknown." + verb.partition(" ")[0].partition(":")[0].lower(), "5321 4.2.4",
             "A verb that is not known is refused with 500 or 502, and nothing is done.", verb, UNKNOWN)
dialogue("unknown.empty-line", "5321 4.2.4", "An empty line is no command.", "", UNKNOWN)
dialogue("unknown.8-bit", "5321 2.4", "Octets above 127 are no verb.", b"\xff\xfe\xfd", REFUSED)
dialogue("unknown.two-verbs", "5321 4.1.1", "Two commands in one line are not two commands.", "RSET; QUIT", REFUSED)
dialogue("control.verb", "5321 4.1.1", "A verb with a control octet in it is no verb.", b"NO\x01OP", REFUSED)
dialogue("control.nul-verb", "5321 4.1.1", "A NUL does not end a verb.", b"NOOP\0", REFUSED)
dialogue("control.nul-quit", "5321 4.1.1", "A NUL does not end a verb.", b"QUIT\0 x", REFUSED)
dialogue("control.nul-argument", "5321 4.1.1", "An argument with a NUL gets one reply.", b"NOOP a\0b", "250|5..")
dialogue("control.escape", "5321 4.2", "A control octet does not come back in a reply.", b"XY\x1b[31m\x07", REFUSED)
dialogue("control.del", "5321 4.2", "DEL does not come back in a reply.", b"XY\x7f", REFUSED)
dialogue("control.help", "5321 4.2", "A control octet does not come back in a reply.", b"HELP \x1b[31m", "21[14]|5..")
dialogue("control.vrfy", "5321 4.2", "A control octet does not come back in a reply.", b"VRFY a\x1b[31m\x08", "25[0-2]|5..")
dialogue("control.vrfy-8-bit", "5321 4.2", "Octets above 127 do not come back in a reply.", b"VRFY a\xe9b", "25[0-2]|5..")


def not_obeyed(name, must, octets, obeyed):
    """Octets with a line end that is none: no reply may be the one that obedience gets."""
    @case("line-end." + name, "5321 2.3.8", must)
    def _(test):
        s = test.session()
        if "MAIL" in name:
            s.command("RSET", "250")
        s.send(octets + b"NOOP\r\n")
        first = s.reply()
        if first.is_like(obeyed):
            raise Failure("obeyed: %s" % first)


not_obeyed("lf-noop", "LF alone does not end a command.", b"NOOP\n", "2..")
not_obeyed("lf-rset", "LF alone does not end a command.", b"RSET\n", "2..")
not_obeyed("lf-quit", "LF alone does not end a command.", b"QUIT\n", "2..")
not_obeyed("lf-mail", "LF alone does not end a command.", b"MAIL FROM:<a@client.example>\n", "2..")
not_obeyed("lf-ehlo", "LF alone does not end a command.", b"EHLO c.example\n", "2..")
not_obeyed("cr-rset", "CR alone does not end a command.", b"RSET\r", "2..")
not_obeyed("cr-mail", "CR alone does not end a command.", b"MAIL FROM:<a@client.example>\r", "2..")
not_obeyed("lfcr-rset", "LF CR does not end a command.", b"RSET\n\r", "2..")


@case("line-end.cr-one-reply", "5321 2.3.8", "A line with CR in it is one line: it gets one reply.")
def _(test):
    s = test.session()
    s.send(b"RSET\rRSET\r\n")
    s.reply("[25]..")
    s.command("QUIT", "221")


@case("line-end.cr-in-path", "5321 2.3.8", "A path with CR in it is refused, and what follows is no command.")
def _(test):
    s = test.session()
    s.send(b"MAIL FROM:<a@client.example>\rRSET\r\n")
    s.reply(REFUSED)
    s.command("QUIT", "221")


@case("line-end.lf-in-path", "5321 2.3.8", "A path with LF in it is not taken.")
def _(test):
    s = test.session()
    s.send(b"MAIL FROM:<a\n@client.example>\r\n")
    s.reply(REFUSED)
    s.send(b"RCPT TO:<" + test.valid + b">\r\nQUIT\r\n")
    if any(r.is_like("25.") for r in s.rest()):
        raise Failure("a transaction has begun")


@case("quit.closes", "5321 4.1.1.10", "After QUIT the server says 221 and closes.")
def _(test):
    s = test.session()
    s.command("QUIT", "221")
    s.ends()


@case("quit.nothing-after", "5321 4.1.1.10", "What stands behind QUIT is not obeyed.")
def _(test):
    s = test.session()
    s.send(b"QUIT\r\nNOOP\r\nMAIL FROM:<a@client.example>\r\n")
    s.reply("221")
    s.ends()


@case("quit.first", "5321 4.1.1.10", "QUIT is obeyed at once after the greeting.")
def _(test):
    s = test.greeted()
    s.command("QUIT", "221")
    s.ends()


@case("split.command", "5321 2.3.8", "A command may come octet by octet.")
def _(test):
    s = test.session()
    for octet in b"MAIL FROM:<a@client.example>\r\n":
        s.send(bytes([octet]))
    s.reply("250")
    for octet in b"RCPT TO:<" + test.valid + b">\r\n":
        s.send(bytes([octet]))
    s.reply("25.")


@case("split.cr-lf", "5321 2.3.8", "CR and LF may come in two packets.")
def _(test):
    s = test.session()
    s.send(b"NOOP\r")
    s.quiet(0.02)
    s.send(b"\n")
    s.reply("250")
    s.command("NOOP", "250")
