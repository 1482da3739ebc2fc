"""Order of commands and what a transaction keeps: RFC 5321 sections 3.3 and 4.1.4."""

from suite import NOT_DONE, REFUSED, Failure, case, dialogue

MAIL = "MAIL FROM:<a@client.example>"
RCPT = "RCPT TO:<%v>"

dialogue("order.rcpt-first", "5321 4.1.4", "RCPT without MAIL is refused with 503.", RCPT, "503")
dialogue("order.data-first", "5321 4.1.4", "DATA without MAIL is refused with 503.", "DATA", "503")
dialogue("order.data-without-rcpt", "5321 3.3", "DATA without RCPT is refused with 503 or 554.", [MAIL, "DATA"], "503|554")
dialogue("order.mail-twice", "5321 4.1.4", "MAIL inside a transaction is refused with 503, and changes nothing.",
         [MAIL, MAIL], "503", then=(RCPT, "25."))
dialogue("order.mail-after-rcpt", "5321 4.1.4", "MAIL after RCPT is refused with 503.", [MAIL, RCPT, MAIL], "503",
         then=("DATA", "354"))
dialogue("order.rset-forgets-sender", "5321 4.1.1.5", "RSET forgets the sender.", [MAIL, "RSET", RCPT], "503")
dialogue("order.rset-forgets-recipient", "5321 4.1.1.5", "RSET forgets the recipients.",
         [MAIL, RCPT, "RSET", MAIL, "DATA"], "503|554")
dialogue("order.mail-after-rset", "5321 4.1.1.5", "After RSET a transaction may begin.", [MAIL, "RSET", MAIL, RCPT], "25.")
dialogue("order.noop-keeps", "5321 4.1.1.9", "NOOP changes nothing.", [MAIL, "NOOP", RCPT, "NOOP"], "250", then=("DATA", "354"))
dialogue("order.recipient-twice", "5321 3.3", "A recipient may be named twice.", [MAIL, RCPT, RCPT], "25.")
dialogue("order.rset-keeps-ehlo", "5321 4.1.1.5", "RSET leaves EHLO as it was.", ["RSET", MAIL + " SIZE=1"], "250", need=["SIZE"])


def keeps(name, line, want):
    @case("order." + name + "-keeps", "5321 4.1.4", "A command that fails or asks leaves the transaction as it is.")
    def _(test):
        s = test.session()
        s.command(MAIL, "250")
        s.command(line, want)
        s.command(b"RCPT TO:<" + test.valid + b">", "25.")
        s.command(line, want)
        s.command("DATA", "354")


keeps("vrfy", "VRFY user", "25.|5..")
keeps("help", "HELP", "21.|5..")
keeps("unknown", "XYZZY", REFUSED)
keeps("bad-rcpt", "RCPT TO:<a@", REFUSED)
keeps("bad-mail", "MAIL FROM:<a@", REFUSED)
keeps("rset-argument", "RSET now", REFUSED)
keeps("data-argument", "DATA now", REFUSED)


@case("order.refused-recipient", "5321 3.3", "DATA is refused when all recipients were.")
def _(test):
    s = test.session()
    s.command(MAIL, "250")
    s.command(b"RCPT TO:<" + test.foreign + b">", NOT_DONE)
    reply = s.command("DATA", "354|503|554")
    if reply.code == "354":
        s.command(".", "5..", "no recipient was taken")
    test.stored_nothing()


@case("order.one-of-two", "5321 3.3", "A refused recipient does not harm the others.")
def _(test):
    s = test.session()
    s.command(MAIL, "250")
    s.command(b"RCPT TO:<" + test.foreign + b">", NOT_DONE)
    s.command(b"RCPT TO:<" + test.valid + b">", "25.")
    s.command(b"RCPT TO:<" + test.foreign + b">", NOT_DONE)
    s.command("DATA", "354")
    s.send(test.head() + b"one\r\n.\r\n")
    s.reply("250")
    test.stored(b"one\n")


def after_message(name, line, want):
    @case("order.after-message-" + name, "5321 4.1.1.4", "A message ends its transaction: nothing of it is left.")
    def _(test):
        s = test.session()
        test.open_text(s)
        s.send(b"one\r\n")
        s.command(".", "250")
        s.command(test.fill(line), want)


after_message("rcpt", RCPT, "503")
after_message("data", "DATA", "503|554")
after_message("mail", MAIL, "250")
after_message("noop", "NOOP", "250")


@case("order.three-messages", "5321 3.3", "A session takes message after message, each with its own text.")
def _(test):
    s = test.session()
    for word in b"one", b"two", b"three":
        test.token = test.token + b"-" + word
        test.open_text(s)
        s.send(word + b"\r\n")
        s.command(".", "250")
        test.stored(word + b"\n")


@case("order.quit-drops", "5321 4.1.1.10", "QUIT in a transaction drops it.")
def _(test):
    s = test.session()
    s.command(MAIL, "250")
    s.command(b"RCPT TO:<" + test.valid + b">", "25.")
    s.command("QUIT", "221")
    s.ends()


@case("order.lost-in-text", "5321 4.1.1.4", "A text whose end never came is not delivered.")
def _(test):
    s = test.session()
    test.open_text(s)
    s.send(b"half a message\r\n")
    s.close()
    test.stored_nothing()


@case("order.lost-before-lf", "5321 4.1.1.4", "A text that ends in CR LF . CR and nothing more is not delivered.")
def _(test):
    s = test.session()
    test.open_text(s)
    s.send(b"half a message\r\n.\r")
    s.close()
    test.stored_nothing()


@case("order.lost-after-dot", "5321 4.1.1.4", "A text that ends in CR LF . and nothing more is not delivered.")
def _(test):
    s = test.session()
    test.open_text(s)
    s.send(b"half a message\r\n.")
    s.close()
    test.stored_nothing()


@case("order.lost-command", "5321 2.3.8", "A command whose end never came is not obeyed.")
def _(test):
    s = test.session()
    s.send(b"NOOP")
    s.quiet(0.02)
    s.send(b"\r\n")
    s.reply("250")


@case("relay.foreign", "5321 7.8", "Mail for elsewhere is refused to a stranger.")
def _(test):
    s = test.session()
    s.command(MAIL, "250")
    s.command(b"RCPT TO:<" + test.foreign + b">", NOT_DONE)


def no_relay(name, path):
    @case("relay." + name, "5321 7.8", "No form of an address gets mail relayed.")
    def _(test):
        s = test.session()
        s.command(MAIL, "250")
        reply = s.command(test.fill(path), "25.|[45]..")
        if reply.is_like("25."):
            raise Failure("taken: %s" % reply)


no_relay("route", "RCPT TO:<@%d:%f>")
no_relay("null-sender-route", "RCPT TO:<@%d,@other.example:%f>")
no_relay("two-at", "RCPT TO:<%f@%d>")
no_relay("two-at-foreign", "RCPT TO:<%v@elsewhere.example>")
no_relay("nul", b"RCPT TO:<%v\0@elsewhere.example>")
no_relay("nul-foreign", b"RCPT TO:<x@elsewhere.example\0@%d>")
no_relay("behind", "RCPT TO:<%v> %f")
no_relay("two-paths", "RCPT TO:<%v><%f>")
no_relay("two-paths-comma", "RCPT TO:<%v>,<%f>")
no_relay("quoted-domain", 'RCPT TO:<x@"%d">')
no_relay("dot-before", "RCPT TO:<x@.%d>")
no_relay("under", "RCPT TO:<x@%d.elsewhere.example>")
no_relay("suffix", "RCPT TO:<x@elsewhere%d>")
no_relay("literal", "RCPT TO:<x@[192.0.2.77]>")
