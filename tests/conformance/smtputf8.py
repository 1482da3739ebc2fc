"""RFC 6531: internationalized mail."""

from suite import NOT_DONE, REFUSED, Failure, case, dialogue, octets

MAIL = b"MAIL FROM:<%s>%s"
NOTHING = ("RCPT TO:<%v>", "503")
TAKEN = ("RCPT TO:<%v>", "25.")
NEED = ["SMTPUTF8"]


def sender(name, must, path, want, parameter=b" SMTPUTF8"):
    dialogue("smtputf8." + name, "6531 3.3", must, MAIL % (octets(path), parameter), want, need=NEED,
             then=TAKEN if want == "250" else NOTHING)


@case("smtputf8.needs-8bitmime", "6531 3.1", "SMTPUTF8 is announced without value, and with 8BITMIME.")
def _(test):
    s = test.session()
    s.need("SMTPUTF8")
    if not s.has("8BITMIME") or s.extensions["SMTPUTF8"]:
        raise Failure("%s" % s.extensions)


sender("ascii", "SMTPUTF8 may be said with an address of US-ASCII.", "a@client.example", "250")
sender("null", "SMTPUTF8 may be said with the null sender.", "", "250")
sender("lower-case", "Names of parameters have no case.", "é@client.example", "250", b" smtputf8")
sender("local", "A local part may be UTF-8.", "café@client.example", "250")
sender("domain", "A domain may be UTF-8.", "a@café.example", "250")
sender("both", "Both may be UTF-8.", "用户@例子.example", "250")
sender("four-octets", "Characters of four octets are UTF-8.", "😀@client.example", "250")
sender("quoted", "A quoted string may be UTF-8.", '"é à"@client.example', "250")
sender("other-parameters", "It stands beside other parameters.", "é@client.example", "250", b" BODY=8BITMIME SMTPUTF8")
sender("value", "SMTPUTF8 has no value.", "a@client.example", REFUSED, b" SMTPUTF8=1")
sender("empty-value", "SMTPUTF8 has no value.", "a@client.example", REFUSED, b" SMTPUTF8=")
sender("not-said", "Without the parameter such an address is refused.", "é@client.example", REFUSED, b"")
sender("invalid-latin1", "What is not UTF-8 is refused.", b"caf\xe9@client.example", REFUSED)
sender("invalid-lone", "A continuation alone is not UTF-8.", b"a\x80b@client.example", REFUSED)
sender("invalid-short", "A character cut short is not UTF-8.", b"a\xe2\x82@client.example", REFUSED)
sender("invalid-overlong", "C0 AF is not UTF-8.", b"a\xc0\xaf@client.example", REFUSED)
sender("invalid-overlong-3", "E0 80 AF is not UTF-8.", b"a\xe0\x80\xaf@client.example", REFUSED)
sender("invalid-surrogate", "A surrogate is not UTF-8.", b"a\xed\xa0\x80@client.example", REFUSED)
sender("invalid-large", "What is above U+10FFFF is not UTF-8.", b"a\xf4\x90\x80\x80@client.example", REFUSED)
sender("invalid-fe", "FE is not UTF-8.", b"a\xfe@client.example", REFUSED)
sender("invalid-domain", "In a domain too, what is not UTF-8 is refused.", b"a@caf\xe9.example", REFUSED)
dialogue("smtputf8.rcpt-not-said", "6531 3.3", "A recipient beyond US-ASCII is refused when MAIL did not say SMTPUTF8.",
         [b"MAIL FROM:<a@client.example>", "RCPT TO:<é@%d>"], REFUSED, need=NEED, then=("DATA", "503|554"))
dialogue("smtputf8.rcpt-invalid", "6531 3.3", "A recipient that is not UTF-8 is refused.",
         [b"MAIL FROM:<a@client.example> SMTPUTF8", b"RCPT TO:<caf\xe9@%d>"], REFUSED, need=NEED, then=("DATA", "503|554"))
dialogue("smtputf8.rcpt-form", "6531 3.7.4", "A reply about a recipient beyond US-ASCII is US-ASCII or UTF-8.",
         [b"MAIL FROM:<a@client.example> SMTPUTF8", "RCPT TO:<é@elsewhere.example>"], NOT_DONE, need=NEED)
dialogue("smtputf8.rcpt-parameter", "6531 3.4", "SMTPUTF8 is no parameter of RCPT.",
         [b"MAIL FROM:<a@client.example>", "RCPT TO:<%v> SMTPUTF8"], REFUSED, need=NEED)
dialogue("smtputf8.forgotten", "5321 4.1.1.5", "RSET forgets that SMTPUTF8 was said.",
         [b"MAIL FROM:<a@client.example> SMTPUTF8", "RSET", b"MAIL FROM:<a@client.example>", "RCPT TO:<é@%d>"], REFUSED, need=NEED)


@case("smtputf8.text", "6531 3.6", "Header and body in UTF-8 arrive as they were.")
def _(test):
    s = test.session()
    s.need("SMTPUTF8")
    test.envelope(s, "é@client.example".encode(), b" BODY=8BITMIME SMTPUTF8")
    s.command("DATA", "354")
    s.send("To: Zoë <é@client.example>\r\n".encode() + test.head() + "grüße\r\n.\r\n".encode())
    s.reply("250")
    test.stored("grüße\n".encode())
    if "\nTo: Zoë <é@client.example>\n".encode() not in b"\n" + test.headers():
        raise Failure("the header is not as it was sent")


@case("smtputf8.received", "6531 3.7.3", "Received says with UTF8SMTP or one of its kin.")
def _(test):
    s = test.session()
    s.need("SMTPUTF8")
    test.open_text(s, sender="é@client.example".encode(), parameters=b" SMTPUTF8")
    s.command(".", "250")
    if b"with utf8smtp" not in test.headers().lower():
        raise Failure("%r" % test.headers())
