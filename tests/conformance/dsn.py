"""RFC 3461: parameters of delivery status notifications. Values inside ORCPT are judged as xtext only: a server
that wants more of them loses mail."""

from suite import REFUSED, case, dialogue

MAIL = "MAIL FROM:<a@client.example>"
RCPT = "RCPT TO:<%v>"


def mail(name, must, parameters, taken, section="4.3"):
    dialogue("dsn." + name, "3461 " + section, must, MAIL + " " + parameters, "250" if taken else REFUSED, need=["DSN"],
             then=(RCPT, "25.") if taken else (RCPT, "503"))


def rcpt(name, must, parameters, taken, section="4.1"):
    dialogue("dsn." + name, "3461 " + section, must, [MAIL, RCPT + " " + parameters], "25." if taken else REFUSED, need=["DSN"],
             then=("DATA", "354") if taken else ("DATA", "503|554"))


mail("ret-full", "RET=FULL is taken.", "RET=FULL", True)
mail("ret-hdrs", "RET=HDRS is taken.", "RET=HDRS", True)
mail("ret-lower-case", "RET has no case.", "ret=hdrs", True)
mail("ret-unknown", "RET has two values.", "RET=SOME", False)
mail("ret-prefix", "RET has two values.", "RET=FULLER", False)
mail("ret-empty", "RET has two values.", "RET=", False)
mail("ret-no-value", "RET has a value.", "RET", False)
mail("ret-twice", "A parameter comes once.", "RET=FULL RET=HDRS", False)
mail("envid", "ENVID is taken.", "ENVID=QQ314159", True, "4.4")
mail("envid-xtext", "ENVID is xtext.", "ENVID=QQ+2B1+3D", True, "4.4")
mail("envid-specials", "ENVID is xtext: other graphic octets stand for themselves.", "ENVID=a/b@c;d:e<f>", True, "4.4")
mail("envid-100", "ENVID has up to 100 octets.", "ENVID=" + "a" * 100, True, "4.4")
dialogue("dsn.envid-long", "3461 4.4", "An ENVID of more than 100 octets is taken or refused, with one reply.",
         MAIL + " ENVID=" + "a" * 600, "250|5..", need=["DSN"])
mail("envid-empty", "An empty ENVID is refused.", "ENVID=", False, "4.4")
mail("envid-no-value", "ENVID has a value.", "ENVID", False, "4.4")
mail("envid-bad-hex", "+ is followed by two hexadecimal digits.", "ENVID=a+ZZ", False, "4")
mail("envid-short-hex", "+ is followed by two hexadecimal digits.", "ENVID=a+2", False, "4")
mail("envid-lone-plus", "+ is followed by two hexadecimal digits.", "ENVID=a+", False, "4")
mail("envid-equals", "= is no octet of xtext.", "ENVID=a=b", False, "4")
mail("envid-twice", "A parameter comes once.", "ENVID=a ENVID=b", False, "4.4")
mail("envid-ret", "RET and ENVID stand together.", "RET=HDRS ENVID=x", True)
mail("mail-notify", "NOTIFY is no parameter of MAIL.", "NOTIFY=NEVER", False)
mail("mail-orcpt", "ORCPT is no parameter of MAIL.", "ORCPT=rfc822;a@b.example", False)
rcpt("notify-never", "NOTIFY=NEVER is taken.", "NOTIFY=NEVER", True)
for value in ("SUCCESS", "FAILURE", "DELAY", "SUCCESS,FAILURE", "SUCCESS,DELAY", "FAILURE,DELAY", "DELAY,FAILURE,SUCCESS"):
    rcpt("notify-" + value.lower().replace(",", "-"), "NOTIFY=%s is taken." % value, "NOTIFY=" + value, True)
rcpt("notify-lower-case", "NOTIFY has no case.", "notify=success,failure", True)
rcpt("notify-never-success", "NEVER stands alone.", "NOTIFY=NEVER,SUCCESS", False)
rcpt("notify-success-never", "NEVER stands alone.", "NOTIFY=SUCCESS,NEVER", False)
rcpt("notify-unknown", "NOTIFY has four words.", "NOTIFY=SOMETIMES", False)
rcpt("notify-unknown-second", "NOTIFY has four words.", "NOTIFY=SUCCESS,SOMETIMES", False)
rcpt("notify-empty", "NOTIFY has a value.", "NOTIFY=", False)
rcpt("notify-no-value", "NOTIFY has a value.", "NOTIFY", False)
rcpt("notify-comma-last", "Commas stand between words.", "NOTIFY=SUCCESS,", False)
rcpt("notify-comma-first", "Commas stand between words.", "NOTIFY=,SUCCESS", False)
rcpt("notify-two-commas", "Commas stand between words.", "NOTIFY=SUCCESS,,DELAY", False)
rcpt("notify-twice", "A parameter comes once.", "NOTIFY=SUCCESS NOTIFY=DELAY", False)
rcpt("orcpt", "ORCPT is taken.", "ORCPT=rfc822;user@example.org", True, "4.2")
rcpt("orcpt-local", "What is inside is not judged.", "ORCPT=rfc822;root", True, "4.2")
rcpt("orcpt-lower-case", "Names of parameters have no case.", "orcpt=RFC822;user@example.org", True, "4.2")
rcpt("orcpt-other-type", "Other types of addresses are taken.", "ORCPT=x400;+2Fc+3Dus", True, "4.2")
rcpt("orcpt-xtext", "ORCPT is xtext.", "ORCPT=rfc822;user+2Btag@example.org", True, "4.2")
rcpt("orcpt-no-type", "ORCPT has a type.", "ORCPT=user@example.org", False, "4.2")
rcpt("orcpt-empty-type", "ORCPT has a type.", "ORCPT=;user@example.org", False, "4.2")
rcpt("orcpt-empty", "ORCPT has a value.", "ORCPT=", False, "4.2")
rcpt("orcpt-no-value", "ORCPT has a value.", "ORCPT", False, "4.2")
rcpt("orcpt-bad-hex", "+ is followed by two hexadecimal digits.", "ORCPT=rfc822;a+ZZ@example.org", False, "4.2")
rcpt("orcpt-short-hex", "+ is followed by two hexadecimal digits.", "ORCPT=rfc822;a+2", False, "4.2")
rcpt("orcpt-equals", "= is no octet of xtext.", "ORCPT=rfc822;a=b@example.org", False, "4.2")
rcpt("orcpt-twice", "A parameter comes once.", "ORCPT=rfc822;a@b.example ORCPT=rfc822;c@d.example", False, "4.2")
rcpt("orcpt-500", "ORCPT has up to 500 octets.", "ORCPT=rfc822;" + "a" * 480, True, "4.2")
dialogue("dsn.orcpt-long", "3461 4.2", "An ORCPT of more than 500 octets is taken or refused, with one reply.",
         [MAIL, RCPT + " ORCPT=rfc822;" + "a" * 900], "25.|5..", need=["DSN"])
rcpt("both", "NOTIFY and ORCPT stand together.", "NOTIFY=FAILURE ORCPT=rfc822;a@b.example", True)
rcpt("rcpt-ret", "RET is no parameter of RCPT.", "RET=HDRS", False)
rcpt("rcpt-envid", "ENVID is no parameter of RCPT.", "ENVID=x", False)


@case("dsn.message", "3461 4", "A message with all parameters is taken.")
def _(test):
    s = test.session()
    s.need("DSN")
    s.command("MAIL FROM:<a@client.example> RET=HDRS ENVID=QQ1", "250")
    s.command(b"RCPT TO:<" + test.valid + b"> NOTIFY=FAILURE,DELAY ORCPT=rfc822;" + test.valid, "25.")
    s.command("DATA", "354")
    s.send(test.head() + b"x\r\n.\r\n")
    s.reply("250")
    test.stored(b"x\n")


@case("dsn.not-in-helo", "5321 4.1.4", "After HELO, parameters are refused or ignored, with one reply.")
def _(test):
    s = test.helo()
    s.command("MAIL FROM:<a@client.example> RET=HDRS", "250|5..")
    s.command("NOOP", "250")
