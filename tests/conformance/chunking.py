"""RFC 3030: BDAT and BINARYMIME."""

from suite import NOT_DONE, REFUSED, Closed, Failure, Skip, case

MAIL = b"MAIL FROM:<a@client.example>"


def begun(test, parameters=b"", need=()):
    s = test.session()
    s.need("CHUNKING", *need)
    test.envelope(s, b"a@client.example", parameters)
    return s


def chunk(s, octets, last=False, want="250"):
    s.send(b"BDAT %d%s\r\n" % (len(octets), b" LAST" if last else b"") + octets)
    return s.reply(want)


def lines(text):
    """As a Maildir may have it: with LF, or with CR LF."""
    return text.replace(b"\r\n", b"\n"), text


def arrives(name, must, pieces, rfc="3030 2"):
    """The first piece gets a header in front."""
    @case("bdat." + name, rfc, must)
    def _(test):
        s = begun(test)
        s.need_room(sum(map(len, pieces)))
        for number, piece in enumerate(pieces):
            chunk(s, (test.head() if number == 0 else b"") + piece, number == len(pieces) - 1)
        test.stored(*lines(b"".join(pieces)))
        s.command("NOOP", "250")
        s.command(MAIL, "250")


arrives("one", "BDAT LAST is a whole text.", [b"hello\r\n"])
arrives("two", "Chunks are one text.", [b"one\r\n", b"two\r\n"])
arrives("many", "Chunks are one text.", [b"%d\r\n" % n for n in range(50)])
arrives("zero-last", "BDAT 0 LAST ends a text.", [b"one\r\n", b""])
arrives("dots", "There is no transparency in chunks: dots stay.", [b".\r\n..\r\n.x\r\n"])
arrives("end-inside", "CR LF . CR LF is text in a chunk.", [b"one\r\n.\r\ntwo\r\n"])
arrives("commands-inside", "Commands in a chunk are text.", [b"one\r\n.\r\nQUIT\r\nRSET\r\nBDAT 5 LAST\r\n"])
arrives("cut-line", "A chunk may end inside a line.", [b"on", b"e\r\nt", b"wo\r\n"])
arrives("cut-cr-lf", "A chunk may end between CR and LF.", [b"one\r", b"\ntwo\r\n"])
arrives("cut-dot", "CR LF . CR LF over chunks is text.", [b"one\r\n", b".", b"\r\n", b"two\r\n"])
arrives("octets", "Chunks may have one octet each.", [bytes([x]) for x in b"a\r\n.b\r\n"])
arrives("8-bit", "Octets above 127 arrive.", [bytes(range(128, 256)) + b"\r\n"])
arrives("long-line", "A line of 998 octets arrives.", [b"a" * 998 + b"\r\n"])
arrives("big", "A chunk may be larger than any buffer.", [b"".join(b"%06d " % n + b"x" * 60 + b"\r\n" for n in range(4000))])
arrives("big-two", "Chunks may be larger than any buffer.", [(b"y" * 70 + b"\r\n") * 1000, (b"z" * 70 + b"\r\n") * 1001])


@case("bdat.lower-case", "3030 2", "BDAT and LAST have no case.")
def _(test):
    s = begun(test)
    text = test.head() + b"x\r\n"
    s.send(b"bdat %d last\r\n" % len(text) + text)
    s.reply("250")
    test.stored(*lines(b"x\r\n"))


@case("bdat.empty", "3030 2", "BDAT 0 LAST alone gets one reply.")
def _(test):
    s = begun(test)
    s.command("BDAT 0 LAST", "250|5..")
    s.command("NOOP", "250")


@case("bdat.zero", "3030 2", "BDAT 0 is a chunk like others, or refused.")
def _(test):
    s = begun(test)
    chunk(s, test.head() + b"one\r\n")
    if chunk(s, b"", want="250|5..").code == "250":
        chunk(s, b"two\r\n", True)
        test.stored(*lines(b"one\r\ntwo\r\n"))
    s.command("RSET", "250")


@case("bdat.reply-each", "3030 2", "Each chunk gets its reply when all of it has come, not before.")
def _(test):
    s = begun(test)
    s.send(b"BDAT 6\r\nhel")
    s.quiet(0.05)
    s.send(b"lo\r")
    s.reply("250")
    s.command("RSET", "250")


@case("bdat.split", "3030 2", "Command and chunk may come octet by octet.")
def _(test):
    s = begun(test)
    text = test.head() + b"x\r\n"
    for octet in b"BDAT %d LAST\r\n" % len(text) + text:
        s.send(bytes([octet]))
    s.reply("250")
    test.stored(*lines(b"x\r\n"))


@case("bdat.pipelined", "3030 4.2", "Envelope and chunks may come in one packet.")
def _(test):
    s = test.session()
    s.need("CHUNKING", "PIPELINING")
    one, two = test.head() + b"one\r\n", b"two\r\n"
    s.send(MAIL + b"\r\nRCPT TO:<" + test.valid + b">\r\nBDAT %d\r\n" % len(one) + one + b"BDAT %d LAST\r\n" % len(two) + two +
           b"RSET\r\n")
    for want in "250", "25.", "250", "250", "250":
        s.reply(want)
    test.stored(*lines(b"one\r\ntwo\r\n"))


@case("bdat.two-messages", "3030 4.2", "A session takes message after message by BDAT.")
def _(test):
    s = begun(test)
    chunk(s, test.head() + b"one\r\n", True)
    test.envelope(s)
    chunk(s, test.head() + b"two\r\n", True)


@case("bdat.then-data", "3030 2", "The next message of a session may come by DATA.")
def _(test):
    s = begun(test)
    chunk(s, test.head() + b"one\r\n", True)
    test.token += b"-second"
    test.open_text(s)
    s.send(b"..two\r\n.\r\n")
    s.reply("250")
    test.stored(b".two\n")


@case("bdat.after-data-message", "3030 2", "The next message of a session may come by BDAT.")
def _(test):
    s = test.session()
    s.need("CHUNKING")
    test.open_text(s)
    s.send(b"one\r\n.\r\n")
    s.reply("250")
    test.token += b"-second"
    test.envelope(s)
    chunk(s, test.head() + b".two\r\n", True)
    test.stored(*lines(b".two\r\n"))


def wrong_now(name, must, line, want="503"):
    """Commands that have no place behind a chunk."""
    @case("bdat." + name, "3030 2", must)
    def _(test):
        s = begun(test)
        chunk(s, test.head())
        s.command(test.fill(line), want)
        s.command("RSET", "250")


wrong_now("then-data-refused", "DATA behind a chunk is refused with 503.", "DATA")
wrong_now("then-mail", "MAIL behind a chunk is refused with 503.", MAIL, "503")
wrong_now("then-rcpt", "RCPT behind a chunk is refused with 503.", "RCPT TO:<%v>", "503|25.")


@case("bdat.then-noop", "3030 2", "NOOP between chunks changes nothing.")
def _(test):
    s = begun(test)
    chunk(s, test.head() + b"one\r\n")
    s.command("NOOP", "250")
    chunk(s, b"two\r\n", True)
    test.stored(*lines(b"one\r\ntwo\r\n"))


@case("bdat.rset", "3030 2", "RSET between chunks drops the message.")
def _(test):
    s = begun(test)
    chunk(s, test.head() + b"half\r\n")
    s.command("RSET", "250")
    chunk(s, b"rest\r\n", True, "503|554")
    s.command("NOOP", "250")
    test.stored_nothing()


@case("bdat.ehlo", "5321 4.1.4", "EHLO between chunks drops the message.")
def _(test):
    s = begun(test)
    chunk(s, test.head() + b"half\r\n")
    s.ehlo()
    chunk(s, b"rest\r\n", True, "503|554")
    test.stored_nothing()


@case("bdat.quit", "3030 2", "QUIT between chunks drops the message.")
def _(test):
    s = begun(test)
    chunk(s, test.head() + b"half\r\n")
    s.command("QUIT", "221")
    s.ends()
    test.stored_nothing()


@case("bdat.lost", "3030 2", "A message whose last chunk is cut is not delivered.")
def _(test):
    s = begun(test)
    text = test.head() + b"half\r\n"
    s.send(b"BDAT %d LAST\r\n" % (len(text) + 1) + text)
    s.close()
    test.stored_nothing()


@case("bdat.lost-between", "3030 2", "A message without LAST is not delivered.")
def _(test):
    s = begun(test)
    chunk(s, test.head() + b"half\r\n")
    s.close()
    test.stored_nothing()


@case("bdat.after-last", "3030 2", "A chunk behind LAST is refused, and read past.")
def _(test):
    s = begun(test)
    chunk(s, test.head() + b"x\r\n", True)
    s.send(b"BDAT 6 LAST\r\nNOOP\r\n")
    s.reply("503|554")
    s.command("QUIT", "221")


def consumed(name, must, before, last=b" LAST", want="503|5.."):
    """The octets of a refused chunk are no commands."""
    @case("bdat.consumed-" + name, "3030 2", must)
    def _(test):
        s = test.session()
        s.need("CHUNKING")
        for line, code in before:
            s.command(test.fill(line), code)
        s.send(b"BDAT 12" + last + b"\r\nNOOP\r\nRSET\r\n")
        s.reply(want)
        s.command("QUIT", "221", "the chunk's octets have been obeyed")


consumed("no-mail", "A chunk without MAIL is refused, and read past.", [])
consumed("no-mail-not-last", "A chunk without MAIL is refused, and read past.", [], b"")
consumed("no-rcpt", "A chunk without RCPT is refused, and read past.", [(MAIL, "250")])
consumed("refused-rcpt", "A chunk behind refused recipients is refused, and read past.",
         [(MAIL, "250"), (b"RCPT TO:<%f>", NOT_DONE)])


@case("bdat.consumed-pipelined", "3030 4.2", "A group whose recipients are refused has its chunks read past.")
def _(test):
    s = test.session()
    s.need("CHUNKING", "PIPELINING")
    s.send(MAIL + b"\r\n" + test.fill(b"RCPT TO:<%f>\r\n") + b"BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n" + b"RSET\r\n")
    for want in "250", NOT_DONE, REFUSED, REFUSED, "250":
        s.reply(want)
    s.command("NOOP", "250")


def ill_formed(argument, name=None):
    """No size is known, so a server may hang up when it has said no. It must say it at once."""
    @case("bdat.form-" + (name or argument.replace(" ", "-").lower()), "3030 2",
          "BDAT whose argument is not its grammar's is refused at once, and nothing is taken for its chunk's end.")
    def _(test):
        s = begun(test)
        reply = s.command("BDAT" + (argument and " " + argument), NOT_DONE)
        if reply.code in ("421", "521"):
            s.ends()
            return
        try:
            s.command("RSET", "250|421|5..")
        except Closed:
            return


ill_formed("", "nothing")
ill_formed("abc")
ill_formed("-1", "negative")
ill_formed("+5", "plus")
ill_formed("0x5", "hex")
ill_formed("5x", "letter-behind")
ill_formed("1.5", "fraction")
ill_formed("LAST")
ill_formed("0 FIRST")
ill_formed("0 LASTX")
ill_formed("0 LAST LAST")
ill_formed("0 0")
ill_formed("99999999999999999999999", "huge")
ill_formed("18446744073709551616", "2-to-64")
ill_formed("18446744073709551615 LAST", "2-to-64-less-1")
ill_formed("-18446744073709551615 LAST", "negative-wraps")


@case("bdat.over-size", "1870 6.3", "Chunks over the limit are refused, and read past.")
def _(test):
    s = begun(test, need=["SIZE"])
    most = int(s.extensions["SIZE"] or 0)
    if not 0 < most <= 4000000:
        raise Skip("no limit, or one too far")
    piece = (b"x" * 76 + b"\r\n") * 1000
    codes = [chunk(s, test.head()).code]
    for number in range(most // len(piece) + 2):
        codes.append(chunk(s, piece, want="250|5..").code)
    codes.append(chunk(s, b"", True, "250|5..").code)
    if codes[-1] == "250":
        raise Failure("taken: %s" % codes)
    s.command("RSET", "250")
    test.stored_nothing()


@case("bdat.over-size-one", "1870 6.3", "One chunk over the limit is refused, and read past or the session ended.")
def _(test):
    s = begun(test, need=["SIZE"])
    most = int(s.extensions["SIZE"] or 0)
    if not 0 < most <= 4000000:
        raise Skip("no limit, or one too far")
    piece = (b"QUIT\r\n") * (most // 6 * 2)
    try:
        if chunk(s, piece, True, "552|554|421|521").code in ("552", "554"):
            s.command("NOOP", "250|421|5..", "the chunk's octets are no commands")
    except Closed as e:
        raise Failure("no refusal: %s" % e) from None


@case("bdat.nul", "3030 2", "A chunk with NUL arrives whole or is refused, and is read past.")
def _(test):
    s = begun(test)
    if chunk(s, test.head() + b"a\0b\r\n", True, "250|5..").code == "250":
        test.stored(*lines(b"a\0b\r\n"))
    s.command("NOOP", "250")


@case("bdat.bare-lf", "3030 2", "A chunk of text with a bare LF gets one reply, and is read past.")
def _(test):
    s = begun(test)
    chunk(s, test.head() + b"one\n.\ntwo\r\n", True, "250|5..")
    s.command("NOOP", "250")


@case("bdat.no-line-end", "3030 2", "A text whose last line has no end gets one reply.")
def _(test):
    s = begun(test)
    if chunk(s, test.head() + b"no end", True, "250|5..").code == "250":
        test.stored(b"no end", b"no end\n", b"no end\r\n")
    s.command("NOOP", "250")


@case("bdat.hops", "5321 6.3", "250 hops in a chunk are a loop.")
def _(test):
    s = begun(test)
    chunk(s, b"Received: from a by b; 1 Jan 2020 00:00:00 +0000\r\n" * 250 + test.head() + b"x\r\n", True, NOT_DONE)
    s.command("NOOP", "250")


# ---- BINARYMIME: section 3

@case("binarymime.needs-chunking", "3030 3", "BINARYMIME is announced only with CHUNKING.")
def _(test):
    s = test.session()
    s.need("BINARYMIME")
    if not s.has("CHUNKING"):
        raise Failure("CHUNKING is missing")


@case("binarymime.data-refused", "3030 3", "DATA is refused with 503 when BODY=BINARYMIME was said.")
def _(test):
    s = begun(test, b" BODY=BINARYMIME", ["BINARYMIME"])
    s.command("DATA", "503")
    s.command("RSET", "250")


@case("binarymime.data-after-rset", "3030 3", "RSET forgets BODY=BINARYMIME.")
def _(test):
    s = begun(test, b" BODY=BINARYMIME", ["BINARYMIME"])
    s.command("RSET", "250")
    test.envelope(s)
    s.command("DATA", "354")


@case("binarymime.exact", "3030 3", "With BODY=BINARYMIME every octet arrives.")
def _(test):
    s = begun(test, b" BODY=BINARYMIME", ["BINARYMIME"])
    text = bytes(range(256)) + b"\r\r\n\n\n\r.\n\r\n.\r\n\0\0" + bytes(reversed(range(256)))
    s.send(b"BDAT %d\r\n" % (len(test.head()) + len(text)) + test.head() + text)
    s.reply("250")
    s.command("BDAT 0 LAST", "250")
    test.stored(text, text.replace(b"\r\n", b"\n"))


@case("binarymime.lower-case", "3030 3", "BINARYMIME has no case.")
def _(test):
    s = begun(test, b" body=binarymime", ["BINARYMIME"])
    chunk(s, test.head() + b"x\r\n", True)
