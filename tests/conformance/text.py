"""The text: transparency, contents, trace fields. RFC 5321 sections 4.1.1.4, 4.4, 4.5.2 and 6.3, RFC 6152."""

import re

from suite import NOT_DONE, Failure, case
from wire import Skip, show


def arrives(name, must, sent, stored, rfc="5321 4.5.2", parameters=b"", may_refuse=False):
    """Sent behind a header, with CR LF and the dots of the wire; stored with LF."""
    @case("text." + name, rfc, must)
    def _(test):
        s = test.session()
        if parameters:
            s.need("8BITMIME")
        s.need_room(len(sent))
        test.open_text(s, parameters=parameters)
        s.send(sent + b".\r\n")
        if s.reply("250|5.." if may_refuse else "250").code == "250":
            test.stored(stored)
        s.command("NOOP", "250")


arrives("plain", "A text arrives as it was sent.", b"hello\r\n", b"hello\n")
arrives("no-body", "A text may end behind its header.", b"", b"")
arrives("dot-removed", "The first dot of a line is removed.", b"..\r\n", b".\n")
arrives("dot-removed-text", "The first dot of a line is removed.", b"..x\r\n", b".x\n")
arrives("dot-three", "Only the first dot of a line is removed.", b"...\r\n", b"..\n")
arrives("dot-unstuffed", "A dot in front is removed, whatever follows.", b".x\r\n", b"x\n")
arrives("dot-blank", "A dot and a blank end nothing.", b". \r\n", b" \n")
arrives("dot-tab", "A dot and a tab end nothing.", b".\t\r\n", b"\t\n")
arrives("dot-many", "Each line is judged by itself.", b"..\r\n..\r\n...\r\n..a\r\n", b".\n.\n..\n.a\n")
arrives("dot-inside", "A dot inside a line is left alone.", b"a.b\r\na..b\r\n", b"a.b\na..b\n")
arrives("dot-last", "A dot that ends a line ends nothing else.", b"a.\r\nb\r\n", b"a.\nb\n")
arrives("dot-after-empty", "A dot behind an empty line is removed.", b"\r\n..\r\n\r\n..a\r\n", b"\n.\n\n.a\n")
arrives("dot-blank-before", "A blank and a dot end nothing.", b" .\r\n", b" .\n")
arrives("empty-lines", "Empty lines arrive.", b"\r\n\r\na\r\n\r\n\r\n", b"\n\na\n\n\n")
arrives("blanks", "Blanks at the end of lines arrive.", b"a  \r\n\t\r\n \r\n", b"a  \n\t\n \n")
arrives("from-line", "A line that begins with From arrives.", b"From here\r\n", b"From here\n")
arrives("commands", "Commands in a text are text.", b"QUIT\r\nRSET\r\nDATA\r\n", b"QUIT\nRSET\nDATA\n")
arrives("controls", "All octets of US-ASCII but NUL, CR and LF arrive.",
        bytes(x for x in range(1, 128) if x not in (10, 13)) + b"\r\n",
        bytes(x for x in range(1, 128) if x not in (10, 13)) + b"\n", "5321 4.1.1.4")
arrives("nul", "A text with NUL arrives whole or is refused.", b"a\0b\r\nc\r\n", b"a\0b\nc\n", "5321 4.1.1.4", may_refuse=True)
arrives("8-bit", "Octets above 127 arrive or are refused, also without BODY=8BITMIME.",
        bytes(range(128, 256)) + b"\r\n", bytes(range(128, 256)) + b"\n", "6152 3", may_refuse=True)
arrives("8bitmime", "With BODY=8BITMIME octets above 127 arrive.", bytes(range(128, 256)) + b"\r\n",
        bytes(range(128, 256)) + b"\n", "6152 2", parameters=b" BODY=8BITMIME")
arrives("line-998", "A line of 998 octets and CR LF arrives.", b"a" * 998 + b"\r\n", b"a" * 998 + b"\n", "5321 4.5.3.1.6")
arrives("line-998-dot", "The dot of transparency does not count.", b".." + b"a" * 997 + b"\r\n", b"." + b"a" * 997 + b"\n",
        "5321 4.5.3.1.6")
arrives("line-5000", "A longer line arrives whole or the message is refused.", b"a" * 5000 + b"\r\n", b"a" * 5000 + b"\n",
        "5321 4.5.3.1.6", may_refuse=True)
arrives("line-70000", "A much longer line arrives whole or the message is refused.", b"a" * 70000 + b"\r\n",
        b"a" * 70000 + b"\n", "5321 4.5.3.1.6", may_refuse=True)
BIG = b"".join(b"%06d " % n + b"x" * 60 + b"\r\n" for n in range(4000))
arrives("big", "A text of 270,000 octets arrives.", BIG, BIG.replace(b"\r\n", b"\n"), "5321 4.5.3.1.7")
STUFFED = b"".join(b"." * (n % 5 + 1) + b"x" * (n % 97 + 1) + b"\r\n" for n in range(1, 3000))
arrives("big-dots", "Dots are removed wherever a buffer ends.", STUFFED,
        b"".join(line[1:] + b"\n" for line in STUFFED.split(b"\r\n")[:-1]))


@case("text.empty", "5321 4.1.1.4", "A text without any line gets one reply.")
def _(test):
    s = test.session()
    test.envelope(s)
    s.command("DATA", "354")
    s.command(".", "250|5..")
    s.command("NOOP", "250")


@case("text.empty-line-first", "5321 4.1.1.4", "A text that begins with an empty line gets one reply.")
def _(test):
    s = test.session()
    test.envelope(s)
    s.command("DATA", "354")
    s.send(b"\r\n" + test.token + b"\r\n.\r\n")
    s.reply("250|5..")
    s.command("NOOP", "250")


@case("text.header-dot", "5321 4.5.2", "Transparency holds in the header too.")
def _(test):
    s = test.session()
    test.envelope(s)
    s.command("DATA", "354")
    s.send(b".Subject: " + test.token + b"\r\n\r\nx\r\n.\r\n")
    s.reply("250")
    if b"\nSubject: " + test.token not in b"\n" + test.headers():
        raise Failure("the dot stays")


@case("text.folded", "5322 2.2.3", "A folded header field arrives as it was.")
def _(test):
    s = test.session()
    test.envelope(s)
    s.command("DATA", "354")
    s.send(b"Subject: " + test.token + b"\r\n\tand more\r\n and more still\r\n\r\nx\r\n.\r\n")
    s.reply("250")
    if test.token + b"\n\tand more\n and more still\n" not in test.headers():
        raise Failure("changed: " + show(test.headers(), 600))


@case("text.two-recipients", "5321 3.3", "A text for two recipients gets one reply.")
def _(test):
    s = test.session()
    test.envelope(s)
    s.command("RCPT TO:<postmaster>", "25.")
    s.command("DATA", "354")
    s.send(test.head() + b"x\r\n.\r\n")
    s.reply("250")
    s.command("NOOP", "250")


def split(name, must, pieces):
    @case("text.split-" + name, "5321 4.1.1.4", must)
    def _(test):
        s = test.session()
        test.open_text(s)
        for piece in pieces:
            s.send(piece)
            s.quiet(0.01)
        s.send(b"\n")
        s.reply("250")
        test.stored(b"x\n.y\n")
        s.command("NOOP", "250")


split("dot", "The end may come in pieces.", [b"x\r\n..y\r\n.", b"\r"])
split("before-dot", "The end may come in pieces.", [b"x\r\n..y\r\n", b".\r"])
split("cr", "The end may come in pieces.", [b"x\r\n..y\r", b"\n.\r"])
split("stuffed", "The two dots may come in two packets.", [b"x\r\n.", b".y\r\n.\r"])
split("octets", "A text may come octet by octet.", [bytes([x]) for x in b"x\r\n..y\r\n.\r"])


@case("text.one-packet", "5321 4.1.1.4", "Text, end and the next command may come in one packet.")
def _(test):
    s = test.session()
    test.open_text(s)
    s.send(b"x\r\n.\r\nRSET\r\n")
    s.reply("250")
    s.reply("250")
    test.stored(b"x\n")


# ---- trace fields: section 4.4

def trace(test, hello="ehlo", sender=b"sender@client.example"):
    s = test.session() if hello == "ehlo" else test.helo()
    test.open_text(s, sender=sender)
    s.send(b"x\r\n")
    s.command(".", "250")
    return test.headers()


def received(header):
    """The first Received field, unfolded."""
    unfolded = re.sub(rb"\n[ \t]+", b" ", header)
    found = re.search(rb"^Received: (.*)$", unfolded, re.MULTILINE | re.IGNORECASE)
    if found is None:
        raise Failure("no Received field: " + show(header, 500))
    return found[1]


def first_received(name, must, pattern, hello="ehlo"):
    @case("trace." + name, "5321 4.4", must)
    def _(test):
        field = received(trace(test, hello))
        # portero and qmail have two fields, of the daemon and of the queue: the daemon's is the one with "from"
        if re.search(pattern, field) is None:
            raise Failure("Received: " + show(field, 500))


first_received("from", "Received says from whom.", rb"^from \S+")
first_received("by", "Received says by whom.", rb"\bby \S+")
first_received("hello", "Received names what the client called itself.", rb"conformance\.example")
first_received("date", "Received ends in a semicolon and a date (RFC 5322 section 3.3).",
               rb"; *(?:[A-Z][a-z]{2}, *)?[0-9]{1,2} [A-Z][a-z]{2} 20[0-9]{2} [0-9]{2}:[0-9]{2}(?::[0-9]{2})? [+-][0-9]{4}(?: \(.*\))?$")
first_received("with-esmtp", "After EHLO Received says with ESMTP or one of its kin (RFC 3848).", rb"\bwith (?i:e?smtps?a?|UTF8SMTPS?A?)\b")
first_received("with-smtp", "After HELO Received says with SMTP (with or without TLS).", rb"\bwith (?i:smtps?|esmtps)\b", "helo")
first_received("client-address", "Received has the address of the client.", rb"[\[(](?:IPv6:)?(?:[0-9.]{7,}|[0-9a-f:]{2,})[\])]|unknown")


@case("trace.with-not-smtp", "3848", "After EHLO Received does not say with SMTP.")
def _(test):
    field = received(trace(test))
    if re.search(rb"\bwith (?i:smtp)\b", field):
        raise Failure("Received: " + show(field, 500))


@case("trace.first", "5321 4.4", "Received is put in front of the fields that were there, and those stay.")
def _(test):
    s = test.session()
    test.envelope(s)
    s.command("DATA", "354")
    s.send(b"Received: from old by older; 1 Jan 2020 00:00:00 +0000\r\nSubject: " + test.token + b"\r\n\r\nx\r\n.\r\n")
    s.reply("250")
    fields = re.findall(rb"^Received: from (\S+)", test.headers(), re.MULTILINE | re.IGNORECASE)
    if len(fields) < 2 or fields[-1] != b"old":
        raise Failure("Received fields: " + show(b", ".join(fields)))


@case("trace.return-path", "5321 4.4", "At final delivery there is one Return-Path, the sender's.")
def _(test):
    fields = re.findall(rb"^Return-Path: *(.*)$", trace(test), re.MULTILINE | re.IGNORECASE)
    if fields != [b"<sender@client.example>"]:
        raise Failure("Return-Path: " + show(b", ".join(fields)))


@case("trace.return-path-null", "5321 4.5.5", "The null sender's Return-Path is <>.")
def _(test):
    fields = re.findall(rb"^Return-Path: *(.*)$", trace(test, sender=b""), re.MULTILINE | re.IGNORECASE)
    if fields != [b"<>"]:
        raise Failure("Return-Path: " + show(b", ".join(fields)))


@case("trace.no-control", "5321 4.4", "No control octet of EHLO reaches the Received field.")
def _(test):
    s = test.session()
    if not s.command(b"EHLO c\x1b\x07\x01.example", "250|5..").is_like("250"):
        s.command("EHLO c.example", "250")
    test.open_text(s)
    s.command(".", "250")
    if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", test.headers()):
        raise Failure("Received: " + show(received(test.headers())))


@case("trace.no-parenthesis", "5321 4.4", "A comment of the Received field cannot be closed by the client's name.")
def _(test):
    s = test.session()
    if not s.command(b"EHLO c).by(evil;x", "250|5..").is_like("250"):
        raise Skip("such a name is refused")
    test.open_text(s)
    s.command(".", "250")
    if b"c).by(evil" in test.headers():
        raise Failure("Received: " + show(received(test.headers())))


def hops(name, must, count, want, field=b"Received: from a by b; 1 Jan 2020 00:00:00 +0000\r\n"):
    @case("hops." + name, "5321 6.3", must)
    def _(test):
        s = test.session()
        test.envelope(s)
        s.command("DATA", "354")
        s.send(field * count + test.head() + b"x\r\n.\r\n")
        s.reply(want)
        s.command("NOOP", "250")


hops("20", "20 hops are no loop.", 20, "250")
hops("90", "A threshold is normally 100 at least: 90 hops are no loop.", 90, "250")
hops("250", "250 hops are a loop: the message is refused.", 250, NOT_DONE)
hops("lower-case", "Names of fields have no case: 250 hops are a loop.", 250, NOT_DONE,
     b"received: from a by b; 1 Jan 2020 00:00:00 +0000\r\n")


@case("hops.body", "5321 6.3", "What looks like Received in the body is no hop.")
def _(test):
    s = test.session()
    test.open_text(s)
    s.send(b"Received: from a by b; 1 Jan 2020 00:00:00 +0000\r\n" * 250 + b".\r\n")
    s.reply("250")


@case("hops.other-field", "5321 6.3", "A field whose name only begins like Received is no hop.")
def _(test):
    s = test.session()
    test.envelope(s)
    s.command("DATA", "354")
    s.send(b"Received-SPF: pass\r\n" * 150 + test.head() + b"x\r\n.\r\n")
    s.reply("250")
