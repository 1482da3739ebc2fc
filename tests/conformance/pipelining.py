"""RFC 2920: groups of commands. Only RSET, MAIL, RCPT and text may stand inside a group; what else a group
has comes last, as a client must do it."""

from suite import NOT_DONE, QUIET_S, REFUSED, Failure, case

MAIL = b"MAIL FROM:<a@client.example>\r\n"


def group(name, rfc, must, octets, wants, then="NOOP"):
    """Sent in one packet, and once more octet by octet."""
    def run(test, pieces):
        s = test.session()
        s.need("PIPELINING")
        for piece in pieces(test.fill(octets)):
            s.send(piece)
        for want in wants:
            s.reply(want)
        if wants[-1] == "354":
            s.send(test.head() + b"x\r\n.\r\n")
            s.reply("250")
            test.stored(b"x\n")
        if then:
            s.command(then, "250")

    @case("pipelining." + name, rfc, must)
    def _(test):
        run(test, lambda whole: [whole])

    @case("pipelining." + name + "-by-octet", rfc, must + " (Octet by octet.)")
    def _(test):
        run(test, lambda whole: [bytes([x]) for x in whole])


RCPT = b"RCPT TO:<%v>\r\n"
FOREIGN = b"RCPT TO:<%f>\r\n"
group("mail-rcpt", "2920 3.1", "A group is answered in order.", MAIL + RCPT, ["250", "25."])
group("envelope", "2920 3.1", "DATA may end a group.", MAIL + RCPT + b"DATA\r\n", ["250", "25.", "354"])
group("three-recipients", "2920 3.1", "Each command of a group has its reply.", MAIL + RCPT * 3 + b"DATA\r\n",
      ["250", "25.", "25.", "25.", "354"])
group("one-refused", "2920 3.1", "A refused recipient in a group does not harm the others.", MAIL + FOREIGN + RCPT + b"DATA\r\n",
      ["250", "[45]..", "25.", "354"])
group("last-refused", "2920 3.1", "A refused recipient in a group does not harm the others.", MAIL + RCPT + FOREIGN + b"DATA\r\n",
      ["250", "25.", "[45]..", "354"])
group("rset-first", "2920 3.1", "RSET may stand in a group.", b"RSET\r\n" + MAIL + RCPT + b"DATA\r\n", ["250", "250", "25.", "354"])
group("rset-between", "2920 3.1", "RSET in a group forgets what stood before it.", MAIL + RCPT + b"RSET\r\n" + MAIL + b"DATA\r\n",
      ["250", "25.", "250", "250", "503|554"])
group("rset-last", "2920 3.1", "RSET may end a group.", MAIL + RCPT + b"RSET\r\n", ["250", "25.", "250"])
group("mail-refused", "2920 3.1", "After a refused MAIL the rest of its group is refused.", b"MAIL FROM:<a@\r\n" + RCPT + b"DATA\r\n",
      ["5..", "503", "503|554"])
group("noop-last", "2920 3.1", "NOOP may end a group.", MAIL + RCPT + b"NOOP\r\n", ["250", "25.", "250"])
group("vrfy-last", "2920 3.1", "VRFY may end a group.", MAIL + RCPT + b"VRFY x\r\n", ["250", "25.", "25.|5.."])
group("ehlo-last", "2920 3.1", "EHLO may end a group.", MAIL + RCPT + b"EHLO c.example\r\n", ["250", "25.", "250"])
group("unknown-last", "2920 3.1", "A command that is not known has its place in the order.", MAIL + RCPT + b"XYZZY\r\n",
      ["250", "25.", "50."])
group("quit-last", "2920 3.1", "QUIT may end a group.", MAIL + RCPT + b"QUIT\r\n", ["250", "25.", "221"], then=None)
group("ninety", "2920 3.1", "A group may be long.", MAIL + RCPT * 90 + b"DATA\r\n", ["250"] + ["25."] * 90 + ["354"])


@case("pipelining.all-refused", "2920 3.1", "DATA behind nothing but refused recipients is refused, or its empty text is.")
def _(test):
    s = test.session()
    s.need("PIPELINING")
    s.send(MAIL + test.fill(FOREIGN) * 2 + b"DATA\r\n")
    for want in "250", NOT_DONE, NOT_DONE:
        s.reply(want)
    if s.reply("354|503|554").code == "354":
        s.command(".", REFUSED)
    s.command("NOOP", "250")


@case("pipelining.next-message", "2920 3.1", "Text, its end and the next group may come in one packet.")
def _(test):
    s = test.session()
    s.need("PIPELINING")
    test.open_text(s)
    for _ in range(3):
        s.send(b"x\r\n.\r\n" + MAIL + test.fill(RCPT) + b"DATA\r\n")
        for want in "250", "250", "25.", "354":
            s.reply(want)
        s.send(b"\r\n")
    s.send(b".\r\n")
    s.reply("250")


@case("pipelining.quit-behind-text", "2920 3.1", "QUIT may come in one packet with the end of the text.")
def _(test):
    s = test.session()
    s.need("PIPELINING")
    test.open_text(s)
    s.send(b"x\r\n.\r\nQUIT\r\n")
    s.reply("250")
    s.reply("221")
    s.ends()
    test.stored(b"x\n")


def at_once(name, must, line, want):
    """Its reply comes although the next command has begun to arrive."""
    @case("pipelining.at-once-" + name, "2920 3.2", must)
    def _(test):
        s = test.session()
        s.need("PIPELINING")
        s.send(test.fill(line) + b"RS")
        s.reply(want)
        s.quiet(0.01)
        s.send(b"ET\r\n")
        s.reply("250")


at_once("ehlo", "The reply to EHLO is not held back.", b"EHLO c.example\r\n", "250")
at_once("noop", "The reply to NOOP is not held back.", b"NOOP\r\n", "250")
at_once("vrfy", "The reply to VRFY is not held back.", b"VRFY x\r\n", "25.|5..")
at_once("unknown", "The reply to a command that is not known is not held back.", b"XYZZY\r\n", "50.")
at_once("mail", "All replies are sent when nothing more is there to read.", MAIL, "250")
at_once("mail-rcpt", "All replies are sent when nothing more is there to read.", RCPT, "503")


@case("pipelining.held-not-lost", "2920 3.2", "Replies that were held come in order when the group ends.")
def _(test):
    s = test.session()
    s.need("PIPELINING")
    for size in (1, 3, 7, 19, 64):
        whole = MAIL + test.fill(RCPT) * 3 + b"RSET\r\n"
        for at in range(0, len(whole), size):
            s.send(whole[at:at + size])
        for want in "250", "25.", "25.", "25.", "250":
            s.reply(want)


@case("pipelining.lockstep", "2920 3.2", "A client that waits for each reply is served as well.")
def _(test):
    s = test.session()
    for line, want in ((b"RSET", "250"), (MAIL.strip(), "250"), (test.fill(RCPT).strip(), "25."), (b"DATA", "354"), (b".", "[25]..")):
        s.command(line, want)
        s.quiet(0.005)


@case("pipelining.text-is-not-read-as-commands", "2920 3.1", "Text sent before 354 came is no command when DATA was taken.")
def _(test):
    s = test.session()
    s.need("PIPELINING")
    s.send(MAIL + test.fill(RCPT) + b"DATA\r\n" + test.head() + b"RSET\r\n.\r\nQUIT\r\n")
    codes = [r.code for r in s.rest()]
    if codes not in (["250", "250", "354", "250", "221"], ["250", "250", "354", "554"]) and not codes[2:3] in (["554"], ["503"], ["421"]):
        raise Failure("answered %s" % codes)


@case("pipelining.rcpt-quiet", "2920 3.2", "Nothing comes that was not asked for.")
def _(test):
    s = test.session()
    test.envelope(s)
    s.quiet(QUIET_S / 5)
