"""clients.py ACTION ARGUMENT...: clients of smtpd, and comparisons of what they sent with what has arrived.

Exit 0, or 1 with what is wrong. Each action says what it does below; MAILDIR is the one that smtpd fills.
"""
import re
import smtplib
import socket
import sys
import threading
import time

import maildir

WAIT_S = 20
SENDER, RECIPIENT = b"s@client.example", b"u@example.org"


def check(condition, *what):
    if not condition:
        sys.exit(" ".join(map(str, what)))


def arrived(box, count):
    """What is in new/ once it is so many; a message may still be on its way to us through another server."""
    deadline = time.monotonic() + WAIT_S
    mails = maildir.new_mail(box)
    while len(mails) < count and time.monotonic() < deadline:
        time.sleep(0.1)
        mails = maildir.new_mail(box)
    check(len(mails) == count, f"{len(mails)} messages have arrived, not {count}")
    return mails


def differs(sent, got):
    """A sentence about the first place where they do."""
    at = next((i for i, (a, b) in enumerate(zip(sent, got)) if a != b), min(len(sent), len(got)))
    return (f"sent {len(sent)} bytes, got {len(got)}; at byte {at} {sent[at:at + 40]!r} became "
            f"{got[at:at + 40]!r}")


def check_texts(box, sent):
    """The texts in the Maildir are those that were sent, each as often as it was sent."""
    got = sorted(mail.text for mail in arrived(box, len(sent)))
    for a, b in zip(sorted(sent), got):
        check(a == b, differs(a, b))


# ---- messages -------------------------------------------------------------------------------------------------

ODD_LINES = (
    b"Subject: odd lines\nX-8bit: caf\xc3\xa9 \xe9\n\n"
    b".\n..\n...\n.x\n. \nx.\n"                      # what dots can do
    b"\n\n\n"                                        # empty lines
    b"blanks at the end   \ntab at the end\t\n \n\t\n"
    b"\xff\xfe\x80 8-bit bytes \xe4\xb8\xad\n"
    b"control bytes \x01\x07\x1b\x7f\n"
    b"From the start of a line\n"
    b"MAIL FROM:<a@b.example>\nQUIT\n"               # no commands: they are text
    b"%% %FROM% $HOME `id` \\ \\r \\0\n")
LONG_LINE = b"x" * 5000 + b"\n"
NO_BODY = b"Subject: header only\n\n"


def messages():
    """Texts that are all different."""
    return [
        ODD_LINES + LONG_LINE,
        NO_BODY,
        b"\n",                                       # no header and no body
        b".\n",
        b"Subject: nothing but dots\n\n" + b".\n" * 1000,
        b"Subject: every byte but NUL, CR and LF\n\n" + bytes(set(range(1, 256)) - {10, 13}) + b"\n",
        b"Subject: 1 MB\n\n" + b"".join(b".%06d of a large message\n" % i for i in range(37500)),
    ]


def odd(path):
    """Writes a message of odd lines to the file."""
    with open(path, "wb") as f:
        f.write(ODD_LINES + LONG_LINE)


def same(box, path):
    """The one message in MAILDIR is what the file holds."""
    with open(path, "rb") as f:
        check_texts(box, [f.read()])


# ---- smtp-source ----------------------------------------------------------------------------------------------

def payload(length):
    """smtp-source.c, "Prepare some sample data": lines of 80 octets, each with its number's last digit."""
    data = bytearray(b"X" * length)
    for i in range(80, length, 80):
        data[i - 80] = b"0123456789"[(i // 80) % 10]
        data[i - 2:i] = b"\r\n"
    return bytes(data).replace(b"\r\n", b"\n") + b"\n"


def source(box, count, length):
    """COUNT messages of smtp-source -l LENGTH are in MAILDIR, none of them twice."""
    mails = arrived(box, int(count))
    body = payload(int(length))
    ids = set()
    for mail in mails:
        header, _, got = mail.text.partition(b"\n\n")
        check(got == body, differs(body, got))
        check(mail.sender == SENDER and mail.recipients == [RECIPIENT], mail.sender, mail.recipients)
        fields = re.fullmatch(rb"From: <s@client\.example>\nTo: <u@example\.org>\nDate: [^\n]+\n"
                              rb"Message-Id: <([^>\n]+)>", header)
        check(fields, "header:", header)
        ids.add(fields[1])
    check(len(ids) == len(mails), f"{len(mails)} messages, but {len(ids)} Message-Ids")


# ---- Python's smtplib -----------------------------------------------------------------------------------------

def library(port, box):
    """smtplib sends every message, in one session and in one session each."""
    sent = messages()
    with smtplib.SMTP("127.0.0.1", int(port), timeout=WAIT_S) as smtp:
        for text in sent:
            refused = smtp.sendmail(SENDER.decode(), RECIPIENT.decode(), text.replace(b"\n", b"\r\n"),
                                    mail_options=["BODY=8BITMIME"])  # and SIZE, by itself
            check(not refused, refused)
    for text in sent:
        with smtplib.SMTP("127.0.0.1", int(port), timeout=WAIT_S) as smtp:
            smtp.sendmail("", RECIPIENT.decode(), text.replace(b"\n", b"\r\n"))
    check_texts(box, sent + sent)
    senders = sorted(mail.sender for mail in maildir.new_mail(box))
    check(senders == [b""] * len(sent) + [SENDER] * len(sent), "senders:", senders)


# ---- by hand --------------------------------------------------------------------------------------------------

class Hand:
    """A socket, and the codes that come back."""

    def __init__(self, port, address="127.0.0.1", source_address=None):
        self.sock = socket.create_connection((address, int(port)), WAIT_S,
                                             source_address and (source_address, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.replies.close()
        self.sock.close()

    def reply(self):
        """(code, the whole of it); code 0 at the end of the connection."""
        whole = b""
        while True:
            line = self.replies.readline()
            whole += line
            if line == b"":
                return 0, whole
            check(re.fullmatch(rb"[2-5]\d\d[ -][^\r\n]*\r\n", line), "no reply of SMTP:", line)
            if line[3:4] == b" ":
                return int(line[:3]), whole

    def expect(self, *codes):
        got = []
        for _ in codes:
            got.append(self.reply()[0])
        check(got == list(codes), f"replies {got}, not {list(codes)}")

    def send(self, *parts):
        self.sock.sendall(b"".join(parts))


def envelope(*recipients):
    return b"MAIL FROM:<s@client.example>\r\n" + b"".join(b"RCPT TO:<%s>\r\n" % to for to in recipients)


def pipelined(port, box):
    """Groups as RFC 2920 has them, then everything in one packet, then every byte in a packet of its own."""
    texts = [b"Subject: %d\n\n.hand %d\n" % (i, i) for i in range(10)]
    wire = [maildir.to_wire(text) for text in texts]
    with Hand(port) as c:
        c.expect(220)
        c.send(b"EHLO client.example\r\n")
        c.expect(250)
        c.send(envelope(b"u@example.org", b"v@example.org"), b"DATA\r\n")
        c.expect(250, 250, 250, 354)
        # the end of a text, and the group of the next message behind it; one recipient is refused
        c.send(wire[0], envelope(b"u@example.org", b"x@elsewhere.example"), b"DATA\r\n")
        c.expect(250, 250, 250, 553, 354)
        c.send(wire[1], envelope(b"x@elsewhere.example"), b"DATA\r\n")
        c.expect(250, 250, 553, 503)
        c.send(b"RSET\r\n", envelope(b"u@example.org"), b"RSET\r\nQUIT\r\n")
        c.expect(250, 250, 250, 250, 221, 0)
    with Hand(port) as c:
        c.expect(220)
        c.send(b"EHLO client.example\r\n",
               *(envelope(b"u@example.org") + b"DATA\r\n" + text for text in wire[2:8]), b"QUIT\r\n")
        c.expect(250, *[250, 250, 354, 250] * 6, 221, 0)
    with Hand(port) as c:
        c.expect(220)
        for byte in b"EHLO c\r\n" + envelope(b"u@example.org") + b"DATA\r\n" + wire[8] + b"QUIT\r\n":
            c.send(bytes([byte]))
        c.expect(250, 250, 250, 354, 250, 221, 0)
    # a packet that ends within every token: of commands, of the text, of its end
    with Hand(port) as c:
        c.expect(220)
        session = b"EHLO c\r\n" + envelope(b"u@example.org") + b"DATA\r\n" + wire[9] + b"QUIT\r\n"
        for start in range(0, len(session), 7):
            c.send(session[start:start + 7])
            time.sleep(0.002)
        c.expect(250, 250, 250, 354, 250, 221, 0)
    check_texts(box, texts)
    both = [mail.recipients for mail in maildir.new_mail(box) if mail.text == texts[0]]
    check(both == [[b"u@example.org", b"v@example.org"]], "recipients:", both)


TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(32)) + b"\x00" * 161
HOSTILE = {
    "NUL bytes in a command": (b"EHLO c\r\nMAIL FROM:<a\0@b.example>\r\nQUIT\r\n", [250, 501, 221]),
    "a line of NUL bytes": (b"\0" * 1000 + b"\r\nQUIT\r\n", [501, 221]),
    "8-bit bytes": (b"\xff\xfe\xc3\xa9\r\nMAIL FROM:<\xe9@b.example>\r\nQUIT\r\n", [502, 501, 221]),
    "an HTTP request": (b"POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@b.example>\r\n", [421]),
    "a TLS handshake": (TLS_HELLO, [421]),
    "an SSH client": (b"SSH-2.0-x\r\n", [421]),
    "a 4 MiB command line": (b"x" * (4 << 20) + b"\r\nMAIL FROM:<a@b.example>\r\n", [421]),
    "a 4 MiB line of NUL bytes": (b"\0" * (4 << 20) + b"\r\nNOOP\r\n", [421]),
    "4 MiB of 8-bit bytes": (b"\xff" * (4 << 20), [421]),
}


def codes_of(port, opening):
    """Sends it while it reads, as far as it is let; the codes behind the greeting."""
    with Hand(port) as c:
        c.expect(220)

        def send():
            try:
                c.send(opening)
            except OSError:
                pass  # closed on: that is an answer, too

        sender = threading.Thread(target=send)
        sender.start()
        codes = []
        try:
            while (code := c.reply()[0]) != 0:
                codes.append(code)
        except ConnectionResetError:
            pass  # what it did not read was under way
        sender.join(WAIT_S)
        return codes


def hostile(port, box):
    """Each bad opening gets its error and no more, and the next client delivers."""
    for i, (name, (opening, codes)) in enumerate(HOSTILE.items()):
        got = codes_of(port, opening)
        check(got == codes, f"{name}: replies {got}, not {codes}")
        with smtplib.SMTP("127.0.0.1", int(port), timeout=WAIT_S) as smtp:
            smtp.sendmail(SENDER.decode(), RECIPIENT.decode(), f"Subject: {name}\r\n\r\nnext client\r\n")
        arrived(box, i + 1)


def from_address(address, port, recipient):
    """Prints the reply to RCPT for a client at the address."""
    with Hand(port, source_address=address) as c:
        c.expect(220)
        c.send(b"HELO client.example\r\n")
        c.expect(250)
        c.send(b"MAIL FROM:<s@client.example>\r\n")
        c.expect(250)
        c.send(b"RCPT TO:<%s>\r\n" % recipient.encode())
        print(c.reply()[1].decode().rstrip())
        c.send(b"QUIT\r\n")
        c.expect(221, 0)


def session(port, box, address="127.0.0.1", elsewhere=553):
    """A message, a bad command, and a recipient elsewhere who gets that code: the client reads these replies
    and not a byte more."""
    with Hand(port, address) as c:
        c.expect(220)
        c.send(b"EHLO client.example\r\n")
        c.expect(250)
        c.send(envelope(b"x@elsewhere.example", b"u@example.org"), b"WHAT\r\nDATA\r\n")
        c.expect(250, int(elsewhere), 250, 502, 354)
        c.send(maildir.to_wire(ODD_LINES + LONG_LINE), b"QUIT\r\n")
        c.expect(250, 221, 0)
    check_texts(box, [ODD_LINES + LONG_LINE])


def unkept(port, address="127.0.0.1"):
    """The queue cannot take the message: one line says so, and nothing else does."""
    with Hand(port, address) as c:
        c.expect(220)
        c.send(b"HELO client.example\r\n", envelope(b"u@example.org"), b"DATA\r\n")
        c.expect(250, 250, 250, 354)
        c.send(maildir.to_wire(ODD_LINES), b"QUIT\r\n")
        c.expect(451, 221, 0)


# ---- through another mail server ------------------------------------------------------------------------------

def inject(port, count):
    """COUNT messages, all different, to another server."""
    with smtplib.SMTP("127.0.0.1", int(port), timeout=WAIT_S) as smtp:
        for text in relayed_texts(int(count)):
            smtp.sendmail(SENDER.decode(), RECIPIENT.decode(), text.replace(b"\n", b"\r\n"),
                          mail_options=["BODY=8BITMIME"])


def relayed(box, count):
    """They have arrived in MAILDIR; the other server has put its own fields in front of each."""
    sent = relayed_texts(int(count))
    got = {}
    for mail in arrived(box, len(sent)):
        start = mail.text.find(b"Subject: relayed ")
        check(start > 0 and mail.text.startswith(b"Received: "), "fields:", mail.text[:100])
        text = mail.text[start:]
        check(text not in got, "twice:", text[:40])
        got[text] = mail
    for text in sent:
        check(text in got, "not as it was sent:", text[:40], sorted(got))


def relayed_texts(count):
    return [b"Subject: relayed %d\nMessage-Id: <%d@client.example>\nFrom: <s@client.example>\n"
            b"Date: Tue, 24 Nov 2026 12:00:00 +0000\n\n" % (i, i) + ODD_LINES + b"%d\n" % i for i in range(count)]


if __name__ == "__main__":
    actions = {f.__name__.replace("_", "-"): f for f in (odd, same, source, library, pipelined, hostile,
                                                         from_address, session, unkept, inject, relayed)}
    actions[sys.argv[1]](*sys.argv[2:])
