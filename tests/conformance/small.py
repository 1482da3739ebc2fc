"""RFC 9422: LIMITS."""

import re

from suite import Failure, Skip, case


def limits(test):
    s = test.session()
    s.need("LIMITS")
    return s, dict(word.partition("=")[::2] for word in s.extensions["LIMITS"].split())


@case("limits.form", "9422 3", "LIMITS has pairs of a name and a value, each name once.")
def _(test):
    s, _ = limits(test)
    words = s.extensions["LIMITS"].split()
    if not words or any(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:=[!-:<-~]+)?", word) is None for word in words):
        raise Failure("LIMITS %s" % words)
    if len({word.partition("=")[0] for word in words}) != len(words):
        raise Failure("a name comes twice: %s" % words)


@case("limits.values", "9422 4", "MAILMAX, RCPTMAX and RCPTDOMAINMAX are numbers from 1, of 6 digits at most.")
def _(test):
    _, values = limits(test)
    for name in "MAILMAX", "RCPTMAX", "RCPTDOMAINMAX":
        if name in values and re.fullmatch(r"[1-9][0-9]{0,5}", values[name]) is None:
            raise Failure("%s=%s" % (name, values[name]))


@case("limits.rcptmax", "9422 4.2", "RCPTMAX recipients are taken, and one more is not.")
def _(test):
    s, values = limits(test)
    if "RCPTMAX" not in values or int(values["RCPTMAX"]) > 5000:
        raise Skip("no RCPTMAX, or a large one")
    most = int(values["RCPTMAX"])
    s.command("MAIL FROM:<a@client.example>", "250")
    s.send((b"RCPT TO:<" + test.valid + b">\r\n") * most)
    for _ in range(most):
        s.reply("25.")
    s.command(b"RCPT TO:<" + test.valid + b">", "[45]..")
    s.command("RSET", "250")


@case("limits.mailmax", "9422 4.1", "MAILMAX transactions are taken in one session.")
def _(test):
    s, values = limits(test)
    if "MAILMAX" not in values or int(values["MAILMAX"]) > 100:
        raise Skip("no MAILMAX, or a large one")
    for _ in range(int(values["MAILMAX"])):
        test.envelope(s)
        s.command("DATA", "354")
        s.send(test.head() + b"x\r\n.\r\n")
        s.reply("250")
