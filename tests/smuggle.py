"""smuggle.py PORT MAILDIR LOG... -- DOMAIN...: gives another server messages with every form of smuggling in their
text, and looks what has become of them when they are here.

Exit 0: each message that it took has come once or was refused by us as a whole, and no sender that stands in a text
has come as a sender. Prints counts. LOGs are of our servers, DOMAINs what the other one relays to them; the last is
written to by BDAT too, if it has that."""
import concurrent.futures
import os
import re
import select
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "conformance"))

from clients import Hand, check  # noqa: E402
from smuggling import FORMS  # noqa: E402

QUIET_S, WAIT_S, AT_A_TIME = 0.3, 60, 8
FATE = re.compile(rb"stage=(?:data|bdat) code=(250|550) reason=(queued|bare-newline) ")


class Message:
    """What happened to it: "carried", "refused" by the other server, "ended" by it at the form, or "obeyed"."""

    def __init__(self, form, way, domain):
        self.token = f"{form}-{way}-{domain}".encode()
        self.to, self.way, self.octets, self.fate = b"u@" + domain.encode(), way, FORMS[form], None

    def smuggler(self):
        return b"smuggler-" + self.token + b"@client.example"

    def first(self):
        return b"Subject: x\r\nX-Token: " + self.token + b";\r\n\r\nfirst" + self.octets

    def second(self):
        return (b"MAIL FROM:<" + self.smuggler() + b">\r\nRCPT TO:<" + self.to + b">\r\nDATA\r\n"
                b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n")


def talk(message, port):
    """What it did. None: it has no BDAT."""
    with Hand(port) as c:
        c.expect(220)
        c.send(b"EHLO client.example\r\n")
        extensions = c.reply()[1]
        if message.way == "BDAT" and b"CHUNKING" not in extensions:
            return None
        c.send(b"MAIL FROM:<sender@client.example>\r\n")
        c.expect(250)
        c.send(b"RCPT TO:<" + message.to + b">\r\n")
        c.expect(250)
        if message.way == "BDAT":
            text = message.first() + message.second()
            c.send(b"BDAT %d LAST\r\n" % len(text), text)
            return "carried" if c.reply()[0] == 250 else "refused"
        c.send(b"DATA\r\n")
        c.expect(354)
        return data(message, c)


def says_something(c):
    return select.select([c.sock], [], [], QUIET_S)[0]


def data(message, c):
    """The form alone, when a server that ends the text there would answer; then the rest."""
    c.send(message.first())
    if says_something(c):
        return "ended" if c.reply()[0] == 250 else "refused"
    c.send(message.second())
    codes = [c.reply()[0]]
    while codes[-1] != 0 and says_something(c):
        codes.append(c.reply()[0])
    if codes[0] != 250:
        return "refused"
    if len(codes) == 1:
        return "carried"
    return "obeyed" if codes[-1] == 250 else "ended"


def one(message, port):
    try:
        message.fate = talk(message, port)
    except ConnectionError:  # it has had enough
        message.fate = "refused"


def fates(logs):
    """How many texts our servers have taken, and refused."""
    content = b"".join(open(log, "rb").read() for log in logs)
    codes = [code for code, _ in FATE.findall(content)]
    return codes.count(b"250"), codes.count(b"550")


def wait_for_fates(logs, count):
    deadline = time.monotonic() + WAIT_S
    while sum(fates(logs)) < count and time.monotonic() < deadline:
        time.sleep(0.1)


def judge(messages, box):
    """Everything in the Maildir is a message that was taken, once, with its whole text."""
    obeyed = {m.smuggler(): m for m in messages if m.fate == "obeyed"}
    known = {m.token: m for m in messages if m.fate in ("carried", "ended", "obeyed")}
    for name in os.listdir(os.path.join(box, "new")):
        with open(os.path.join(box, "new", name), "rb") as f:
            content = f.read()
        sender = re.match(rb"Return-Path: <([^>\n]*)>\n", content)
        check(sender, "no sender:", content[:80])
        if sender[1] in obeyed: # the other server took it for a message, and so it was one for us
            del obeyed[sender[1]]
            continue
        check(sender[1] == b"sender@client.example", "smuggled:", content)
        token = re.search(rb"^X-Token: ([^;\n]*);", content, re.M)
        check(token and token[1] in known, "twice, or not ours:", content)
        message = known.pop(token[1])
        if message.fate == "carried":
            check(b"MAIL FROM:<" + message.smuggler() in content, "cut:", content)
            check(re.search(rb"[\r\n]smuggled[\r\n]", content), "cut:", content)


def main():
    port, box = sys.argv[1:3]
    logs, domains = sys.argv[3:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
    ways = [("DATA", domain) for domain in domains] + [("BDAT", domains[-1])]
    messages = [Message(form, way, domain) for form in FORMS for way, domain in ways]
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for done in [pool.submit(one, m, port) for m in messages]:
            done.result()
    messages = [m for m in messages if m.fate]
    count = {fate: sum(m.fate == fate for m in messages) for fate in ("carried", "refused", "ended", "obeyed")}
    check(count["carried"] > len(FORMS), "too few were taken:", count)
    passed_on = count["carried"] + count["ended"] + 2 * count["obeyed"]
    wait_for_fates(logs, passed_on)
    judge(messages, box)
    taken, refused = fates(logs)
    check(taken + refused == passed_on, f"{taken} were taken and {refused} refused here, of {passed_on}")
    print(f"{len(messages)} messages: it refused {count['refused']}, ended {count['ended']} at the form, obeyed "
          f"{count['obeyed']}, carried {count['carried']}; we took {taken}, refused {refused}; 0 smuggled")


if __name__ == "__main__":
    main()
