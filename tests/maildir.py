"""maildir.py: what queue-maildir has put into a Maildir, taken apart. Imported by the other helpers here."""
import os
import re
from typing import NamedTuple

# The lines that smtpd and queue-maildir put in front; whatever follows is the client's, byte for byte.
FRONT = re.compile(rb"Return-Path: <([^\n]*)>\n((?:Delivered-To: [^\n]*\n)+)"
                   rb"(Received: from [^\n]*\n  by [^\n]* with E?SMTP; [^\n]*\n)")


class Mail(NamedTuple):
    """The text has LF as line end and is as it was sent otherwise."""
    sender: bytes
    recipients: list
    received: bytes
    text: bytes


def read_mail(content):
    """None: these bytes are no message of ours."""
    front = FRONT.match(content)
    if front is None:
        return None
    recipients = [line.partition(b": ")[2] for line in front[2].splitlines()]
    return Mail(front[1], recipients, front[3], content[front.end():])


def new_mail(maildir):
    """All of new/. A file that is not whole in front raises ValueError."""
    found = []
    for name in sorted(os.listdir(os.path.join(maildir, "new"))):
        with open(os.path.join(maildir, "new", name), "rb") as f:
            content = f.read()
        mail = read_mail(content)
        if mail is None:
            raise ValueError(f"new/{name} begins {content[:80]!r}")
        found.append(mail)
    return found


def empty(maildir):
    for box in "tmp", "new":
        folder = os.path.join(maildir, box)
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))


def to_wire(text):
    """Text with LF as line end, and the LF that its last line must have, as DATA carries it, end included."""
    lines = text.split(b"\n")
    if lines.pop() != b"":
        raise ValueError("the last line has no end")
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"
