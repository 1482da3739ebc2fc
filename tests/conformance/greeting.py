"""Greeting, EHLO and HELO: RFC 5321 sections 3.1, 3.2, 4.1.1.1 and 4.1.4."""

import re

from suite import REFUSED, Failure, case, dialogue
from wire import show

NAME = rb"(?:[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[^]]+\])"


@case("greeting.code", "5321 3.1", "A server greets first, with 220, or 554 if it serves nobody.")
def _(test):
    test.connect().reply("220|554")


@case("greeting.name", "5321 4.2", "The greeting's first word is the server's domain or address literal.")
def _(test):
    reply = test.connect().reply("220")
    if re.fullmatch(NAME, reply.texts[0].split(b" ")[0]) is None:
        raise Failure("the first word of %s is no name" % reply)


@case("greeting.once", "5321 3.1", "There is one greeting: the next reply is EHLO's.")
def _(test):
    s = test.greeted()
    s.ehlo()
    s.command("NOOP", "250")


@case("greeting.no-status", "2034 4", "The greeting carries no enhanced status code.")
def _(test):
    reply = test.connect().reply("220")
    if reply.status():
        raise Failure("%s" % reply)


@case("ehlo.name", "5321 4.1.1.1", "The first line of the answer to EHLO begins with the server's name.")
def _(test):
    reply = test.greeted().ehlo()
    if re.fullmatch(NAME, reply.texts[0].split(b" ")[0]) is None:
        raise Failure("the first word of %s is no name" % reply)


@case("ehlo.keywords", "5321 4.1.1.1", "Each further line is a keyword of letters, digits and hyphens, and parameters.")
def _(test):
    for text in test.greeted().ehlo().texts[1:]:
        if re.fullmatch(rb"[A-Za-z0-9][A-Za-z0-9-]*(?: [!-~]+)*", text) is None:
            raise Failure("not an extension: " + show(text))


@case("ehlo.keywords-once", "5321 4.1.1.1", "No extension is announced twice.")
def _(test):
    words = [text.split(b" ")[0].upper() for text in test.greeted().ehlo().texts[1:]]
    if len(words) != len(set(words)):
        raise Failure("announced twice: %s" % words)


@case("ehlo.no-status", "2034 4", "Replies to EHLO and HELO carry no enhanced status code.")
def _(test):
    s = test.greeted()
    for reply in s.ehlo(), s.command("HELO c.example", "250"):
        if reply.status():
            raise Failure("%s" % reply)


@case("helo.one-line", "5321 4.1.1.1", "HELO is answered with one line: no extensions.")
def _(test):
    s = test.greeted()
    if len(s.command("HELO c.example", "250").texts) != 1:
        raise Failure("more than one line")


def hello(name, must, argument, want="250"):
    @case("ehlo." + name, "5321 4.1.1.1", must)
    def _(test):
        s = test.greeted()
        s.command(argument, want)
        s.command("NOOP", "250")


hello("literal4", "An IPv4 literal is a name.", "EHLO [192.0.2.1]")
hello("literal6", "An IPv6 literal is a name.", "EHLO [IPv6:2001:db8::1]")
hello("other-name", "A name that is not the client's is no reason to refuse (4.1.4).", "EHLO mx.example.com")
hello("own-name", "A single label is a domain.", "EHLO client")
hello("lower-case", "Verbs have no case.", "ehlo c.example")
hello("trailing-blank", "Blanks before CR LF are tolerated.", "EHLO c.example ")
hello("no-argument", "EHLO without a name is refused with 501.", "EHLO", "501")
hello("blank-argument", "EHLO and blanks is refused with 501.", "EHLO ", "501")
hello("helo-no-argument", "HELO without a name is refused with 501.", "HELO", "501")
hello("long-name", "A name of 255 octets is handled (4.5.3.1.2).", b"EHLO " + b".".join([b"a" * 63] * 3 + [b"b" * 63]))
hello("over-long-name", "A name of 1,000 octets gets one reply of the right form.", b"EHLO " + b"a" * 1000, "250|5..")
hello("control-byte", "A name with a control octet gets one reply, without that octet.", b"EHLO c\x1b[1m.example", "250|5..")
hello("nul", "A name with a NUL gets one reply of the right form.", b"EHLO c\0.example", "250|5..")
hello("8-bit", "A name with octets above 127 gets one reply of the right form.", b"EHLO caf\xc3\xa9.example", "250|5..")
hello("two-arguments", "Two names get one reply of the right form.", "EHLO a.example b.example", "250|5..")

dialogue("ehlo.resets", "5321 4.1.4", "EHLO ends the transaction.",
         ["MAIL FROM:<a@client.example>", "EHLO c.example", "RCPT TO:<%v>"], "503")
dialogue("ehlo.helo-resets", "5321 4.1.4", "HELO ends the transaction.",
         ["MAIL FROM:<a@client.example>", "HELO c.example", "RCPT TO:<%v>"], "503")
dialogue("ehlo.twice", "5321 4.1.4", "EHLO may come again at any time.",
         ["EHLO c.example", "MAIL FROM:<a@client.example>", "RCPT TO:<%v>"], "25.")
dialogue("ehlo.after-helo", "5321 4.1.4", "EHLO may follow HELO.", ["HELO c.example", "EHLO c.example"], "250")


@case("ehlo.refused-keeps", "5321 4.1.4", "An EHLO that is refused leaves the transaction as it is.")
def _(test):
    s = test.session()
    s.command("MAIL FROM:<a@client.example>", "250")
    s.command("EHLO", REFUSED)
    s.command(b"RCPT TO:<" + test.valid + b">", "25.")


def before_hello(verb, want):
    @case("ehlo.not-needed-" + verb.split()[0].lower(), "5321 4.1.4", "%s is obeyed before EHLO." % verb.split()[0])
    def _(test):
        test.greeted().command(verb, want, "before EHLO")


before_hello("NOOP", "250")
before_hello("RSET", "250")
before_hello("QUIT", "221")
before_hello("VRFY user", "25.|55.|50[124]")
before_hello("HELP", "21.|250|50[024]")


@case("ehlo.missing", "5321 4.1.4", "MAIL before EHLO or HELO is obeyed or refused with 5xx, and the session goes on.")
def _(test):
    s = test.greeted()
    s.command("MAIL FROM:<a@client.example>", "250|503|5..")
    s.command("RSET", "250")


@case("helo.transaction", "5321 4.1.1.1", "After HELO a whole transaction works.")
def _(test):
    s = test.helo()
    test.open_text(s)
    s.send(b"after helo\r\n")
    s.command(".", "250")
    test.stored(b"after helo\n")
