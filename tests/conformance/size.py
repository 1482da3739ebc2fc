"""RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 9422 (LIMITS) and RFC 8689 (REQUIRETLS): small extensions of MAIL."""

from suite import NOT_DONE, REFUSED, Failure, Skip, case, dialogue

MAIL = "MAIL FROM:<a@client.example>"
NOTHING = ("RCPT TO:<%v>", "503")
TAKEN = ("RCPT TO:<%v>", "25.")


def size(name, must, parameter, want, then, rfc="1870 5"):
    dialogue("size." + name, rfc, must, MAIL + parameter, want, need=["SIZE"], then=then)


@case("size.announced", "1870 4", "SIZE is announced alone or with one number.")
def _(test):
    s = test.session()
    s.need("SIZE")
    value = s.extensions["SIZE"]
    if value and not (value.isdigit() and len(value) <= 20):
        raise Failure("SIZE " + value)


size("small", "A declared size under the limit is taken.", " SIZE=1000", "250", TAKEN)
size("zero", "A declared size of 0 is taken.", " SIZE=0", "250", TAKEN)
size("lower-case", "Names of parameters have no case.", " size=1000", "250", TAKEN)
size("zeros", "Up to 20 digits are a size.", " SIZE=00000000000000001000", "250", TAKEN)
size("empty", "SIZE= without digits is a syntax error.", " SIZE=", REFUSED, NOTHING)
size("no-value", "SIZE without value is a syntax error.", " SIZE", REFUSED, NOTHING)
size("letters", "Letters are no size.", " SIZE=abc", REFUSED, NOTHING)
size("unit", "10k is no size.", " SIZE=10k", REFUSED, NOTHING)
size("negative", "-1 is no size.", " SIZE=-1", REFUSED, NOTHING)
size("plus", "+1 is no size.", " SIZE=+1", REFUSED, NOTHING)
size("hex", "0x10 is no size.", " SIZE=0x10", REFUSED, NOTHING)
size("blank", "A blank is no part of a size.", " SIZE= 1", REFUSED, NOTHING)
size("fraction", "1.5 is no size.", " SIZE=1.5", REFUSED, NOTHING)
size("huge", "21 digits are no size, or too much: 2 to the power of 64 is not 0.", " SIZE=118446744073709551616", REFUSED, NOTHING)
size("other-parameter", "SIZE stands beside other parameters.", " SIZE=1000 BODY=8BITMIME", "250", TAKEN)
dialogue("size.rcpt", "1870 3", "SIZE is no parameter of RCPT.", [MAIL, "RCPT TO:<%v> SIZE=1"], REFUSED, need=["SIZE"],
         then=("DATA", "503|554"))


def limit(test):
    s = test.session()
    s.need("SIZE")
    value = int(s.extensions["SIZE"] or 0)
    if value == 0:
        raise Skip("no limit is announced")
    return s, value


@case("size.over", "1870 6.1", "A declared size above the limit is refused at MAIL.")
def _(test):
    s, most = limit(test)
    s.command(MAIL + " SIZE=%d" % (most * 2 + 1), "552|452")
    s.command(b"RCPT TO:<" + test.valid + b">", "503")


@case("size.wraps", "1870 6.1", "A declared size of 2 to the power of 64 and more is refused.")
def _(test):
    s, _ = limit(test)
    s.command(MAIL + " SIZE=18446744073709551616", REFUSED)
    s.command(MAIL + " SIZE=18446744073709552616", REFUSED)
    s.command(MAIL + " SIZE=4294967296999", REFUSED)
    s.command(b"RCPT TO:<" + test.valid + b">", "503")


@case("size.limit", "1870 6.1", "A declared size of the limit itself is taken.")
def _(test):
    s, most = limit(test)
    s.command(MAIL + " SIZE=%d" % most, "250")


def of_length(name, must, part, want, declared=b""):
    @case("size.text-" + name, "1870 6.3", must)
    def _(test):
        s, most = limit(test)
        if most > 4000000:
            raise Skip("the limit of %d octets is too far for this suite" % most)
        test.open_text(s, parameters=declared)
        line = b"x" * 76 + b"\r\n"
        s.send(line * int(most * part / len(line)) + b".\r\n")
        s.reply(want)
        s.command("NOOP", "250")
        s.command(MAIL, "250")


of_length("under", "A text under the limit is taken.", 0.9, "250")
of_length("over", "A text over the limit is refused at its end, and the session goes on.", 1.2, "552|554")
of_length("over-twice", "A text far over the limit is refused at its end, and the session goes on.", 3, "552|554")
of_length("lied", "What was declared does not lift the limit.", 1.2, "552|554", b" SIZE=10")


def body(name, must, parameter, want, then):
    dialogue("8bitmime." + name, "6152 2", must, MAIL + parameter, want, need=["8BITMIME"], then=then)


body("8bit", "BODY=8BITMIME is taken.", " BODY=8BITMIME", "250", TAKEN)
body("7bit", "BODY=7BIT is taken.", " BODY=7BIT", "250", TAKEN)
body("lower-case", "Neither name nor value has case.", " body=8bitmime", "250", TAKEN)
body("unknown", "Any other value is refused.", " BODY=9BIT", REFUSED, NOTHING)
body("empty", "An empty value is refused.", " BODY=", REFUSED, NOTHING)
body("no-value", "BODY has a value.", " BODY", REFUSED, NOTHING)
body("suffix", "8BITMIMEX is no value.", " BODY=8BITMIMEX", REFUSED, NOTHING)
dialogue("8bitmime.rcpt", "6152 2", "BODY is no parameter of RCPT.", [MAIL, "RCPT TO:<%v> BODY=7BIT"], REFUSED,
         need=["8BITMIME"], then=("DATA", "503|554"))


# ---- what is not announced is not there

def not_announced(extension, name, lines, rfc):
    @case("unannounced." + name, rfc, "What is not announced is refused.")
    def _(test):
        s = test.session()
        if s.has(extension):
            raise Skip("%s is announced" % extension)
        for line in lines[:-1]:
            s.command(test.fill(line), "2..")
        s.command(test.fill(lines[-1]), NOT_DONE)


not_announced("BINARYMIME", "binarymime", [MAIL + " BODY=BINARYMIME"], "3030 3")
not_announced("SMTPUTF8", "smtputf8", [MAIL + " SMTPUTF8"], "6531 3.1")
not_announced("DSN", "ret", [MAIL + " RET=HDRS"], "3461 4")
not_announced("DSN", "notify", [MAIL, "RCPT TO:<%v> NOTIFY=NEVER"], "3461 4")
not_announced("REQUIRETLS", "requiretls", [MAIL + " REQUIRETLS"], "8689 4.1")
not_announced("STARTTLS", "starttls", ["STARTTLS"], "3207 4")
not_announced("AUTH", "auth", ["AUTH PLAIN AGEAYg=="], "4954 4")
not_announced("CHUNKING", "bdat", ["BDAT 0"], "3030 2")
not_announced("ETRN", "etrn", ["ETRN client.example"], "1985 5")
not_announced("XCLIENT", "xclient", ["XCLIENT ADDR=127.0.0.1"], "5321 4.2.4")
not_announced("DELIVERBY", "deliverby", [MAIL + " BY=120;R"], "2852 4")
not_announced("MT-PRIORITY", "mt-priority", [MAIL + " MT-PRIORITY=3"], "6710 4")
not_announced("FUTURERELEASE", "futurerelease", [MAIL + " HOLDFOR=60"], "4865 4")
