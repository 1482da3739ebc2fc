"""smuggle_out.py PORT MAILDIR SMTPD DOMAIN: hands messages with every form of smuggling in their text to queue-smtp,
which sends them to the server on PORT, and looks what has become of them when they are in MAILDIR.

Each form comes as it is, with its CR LF as LF (as smtpd stores what it has read), with everything around it in
CR alone, and through our smtpd on the port SMTPD, which keeps newlines and has queue-smtp as its queue.
Exit 0: each message has been taken and has come once, whole, and no sender that stands in a text has come as a
sender. Prints counts."""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "conformance"))

from clients import Hand, check  # noqa: E402
from smuggling import FORMS  # noqa: E402

WAIT_S, AT_A_TIME = 60, 4
SENDER, WAYS = b"sender@client.example", ("raw", "stored", "cr", "smtpd")
SECOND = (b"MAIL FROM:<smuggler@client.example>\r\nRCPT TO:<u@%s>\r\nDATA\r\nSubject: smuggled\r\n\r\n"
          b"smuggled\r\n.\r\nQUIT\r\n")


def text_of(form, way, domain):
    text = b"Subject: x\r\nX-Token: %s-%s;\r\n\r\nfirst" % (form.encode(), way.encode()) + FORMS[form] + SECOND % domain
    if way == "stored":
        return text.replace(b"\r\n", b"\n")
    if way == "cr":  # the head must be lines in any case
        head, body = text.split(b"\r\n\r\n", 1)
        return head.replace(b"\r\n", b"\n") + b"\n\n" + body.replace(b"\r\n", b"\r")
    return text


def hand_in(port, text, domain):
    """By the qmail-queue protocol: message on 0, envelope on 1."""
    with tempfile.TemporaryFile() as message, tempfile.TemporaryFile() as envelope:
        message.write(text)
        message.seek(0)
        envelope.write(b"F%s\0Tu@%s\0\0" % (SENDER, domain))
        envelope.seek(0)
        done = subprocess.run(["queue-smtp", "--helo", "out.example", "127.0.0.1", port], stdin=message,
                              stdout=envelope, stderr=subprocess.PIPE, timeout=WAIT_S, check=False)
    check(done.returncode == 0, done.returncode, done.stderr)


def through_smtpd(port, text, domain):
    with Hand(port) as c:
        c.expect(220)
        for line, code in ((b"EHLO client.example", 250), (b"MAIL FROM:<%s>" % SENDER, 250),
                           (b"RCPT TO:<u@%s>" % domain, 250), (b"DATA", 354)):
            c.send(line + b"\r\n")
            c.expect(code)
        # no end is in it but the last
        c.send(re.sub(rb"(\r\n|^)\.", rb"\1..", text) + b".\r\n")
        c.expect(250)


def send(form, way, port, smtpd, domain):
    text = text_of(form, way, domain)
    if way == "smtpd":
        through_smtpd(smtpd, text, domain)
    else:
        hand_in(port, text, domain)
    return b"%s-%s" % (form.encode(), way.encode())


def arrived(box, count):
    """What is there once it is so many and no more come."""
    deadline = time.monotonic() + WAIT_S
    names = []
    while time.monotonic() < deadline:
        before, names = names, os.listdir(os.path.join(box, "new"))
        if len(names) >= count and len(names) == len(before):
            break
        time.sleep(0.5)
    for name in names:
        with open(os.path.join(box, "new", name), "rb") as f:
            yield f.read()


def main():
    port, box, smtpd, domain = sys.argv[1:5]
    domain = domain.encode()
    todo = [(form, way) for form in FORMS for way in WAYS]
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        missing = [done.result() for done in [pool.submit(send, *what, port, smtpd, domain) for what in todo]]
    count = 0
    for content in arrived(box, len(missing)):
        sender = re.match(rb"Return-Path: <([^>\n]*)>\n", content)
        check(sender and sender[1] == SENDER, "smuggled:", content)
        token = re.search(rb"^X-Token: ([^;\n]*);", content, re.M)
        check(token and token[1] in missing, "twice, or not ours:", content)
        missing.remove(token[1])
        check(b"MAIL FROM:<smuggler@client.example>\n" in content, "cut:", content)
        check(content.endswith((b"\nsmuggled\n.\nQUIT\n", b"\nsmuggled\n.\nQUIT\n\n")), "cut:", content)
        count += 1
    check(not missing, "these have not come:", missing)
    print(f"{count} messages of {len(FORMS)} forms: each has come once and whole; 0 smuggled")


if __name__ == "__main__":
    main()
