#!/usr/bin/env python3
"""policy-milter between smtpd's side of the policy protocol and milters; each function is a test of milter.bats.

    policy_milter.py NAME   BIN names the folder of the programs, the current folder is empty

What fails is an exception: its message is the reason."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

from policy_driver import Ended, Policy, free_port, listens, wait_for

BIN = os.environ["BIN"]
HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = b"Received: from client.example\n  by mx.example.org with ESMTP\n"
WORDS = HEAD + (b"Received: from elsewhere.example by client.example\nFrom: <s@client.example>\nTo: <r@example.org>\n"
                b"Subject: words\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nMessage-ID: <1@client.example>\n")
REFUSED = {"reject": "reject 550 5.7.1 refused by the mail filter",
           "tempfail": "defer 451 4.7.1 the mail filter asks to try again later",
           "code": "reject 554 5.7.7 100% no thanks", "gone": "drop 421 4.3.2 go away", "discard": "discard"}


def same(got, want, what=""):
    assert got == want, "%s\n  got: %r\n want: %r" % (what, got, want)


def policy(place, *options, **known):
    return Policy([BIN + "/policy-milter", "--name", "mx.example.org", *options, place], **known)


class Server:
    """A milter that runs as long as the block."""

    def __init__(self, command, place, log=None, gentle=False):
        self.place = "unix:" + place if isinstance(place, str) else "inet:%d@127.0.0.1" % place
        self.log = log
        self.gentle = gentle
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for("a milter at %s" % place, lambda: self.process.poll() is not None or listens(place))
        assert self.process.poll() is None, "%s has ended" % command[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Those of libmilter take five seconds to end when they are asked to; one with children must be asked."""
        if self.gentle and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def heard(self, *only):
        """[what, seen, macros] of each event."""
        with open(self.log) as f:
            events = [json.loads(line) for line in f]
        return [e for e in events if not only or e[0] in only]

    def wait_heard(self, what, count=1):
        wait_for("%d %s" % (count, what), lambda: os.path.exists(self.log) and len(self.heard(what)) >= count)


def peer(mode="plain"):
    path = os.path.abspath("peer")
    return Server(["/usr/bin/python3", HERE + "/milter_peer.py", mode, "unix:" + path, "heard"], path, "heard")


def greet(p):
    same(p.ask("connect").says(), "continue")
    same(p.ask("helo", helo="client.example").says(), "continue")


# ---- what a milter hears


def hears():
    with peer() as m, policy(m.place, tls_version="TLSv1.3", tls_cipher="TLS_AES_128_GCM_SHA256",
                             user="joe") as p:
        greet(p)
        text = HEAD + b"Received: old\nSubject:  two\nX-Tab:\tt\nX-Fold: a\n\tb\n\nbody\n.\n..dots\n"
        a = p.mail(text, recipients=("r@example.org", "a b@example.org"), sender_parameters="SIZE=10 BODY=8BITMIME")
        same(a.says(), "continue")
        same(a.message, text)
        same(p.hang_up(), (0, ""))
        m.wait_heard("close")
        same([e[:2] for e in m.heard()], [
            ["connect", ["client.example", socket.AF_INET, ["192.0.2.7", 4711]]],
            ["helo", ["client.example"]],
            ["mail", ["<s@client.example>", "SIZE=10", "BODY=8BITMIME"]],
            ["rcpt", ["<r@example.org>"]],
            ["rcpt", ["<\"a b\"@example.org>"]],
            ["data", []],
            ["header", ["Received", "old"]],
            ["header", ["Subject", " two"]],
            ["header", ["X-Tab", "\tt"]],
            ["header", ["X-Fold", "a\n\tb"]],
            ["eoh", []],
            ["body", ["body\r\n.\r\n..dots\r\n", 17, "body\r\n.\r\n..dots\r\n"]],
            ["eom", [17]],
            ["close", []]])
        macros = {e[0]: e[2] for e in m.heard()}
        for stage, known in {
                "connect": {"j": "mx.example.org", "daemon_name": "mx.example.org", "v": version(),
                            "_": "client.example [192.0.2.7]", "client_addr": "192.0.2.7",
                            "client_name": "client.example", "client_port": "4711"},
                "helo": {"tls_version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "cipher_bits": "128"},
                "mail": {"i": "7.1.1", "auth_type": "PLAIN", "auth_authen": "joe",
                         "mail_addr": "s@client.example", "mail_host": "client.example"},
                "rcpt": {"i": "7.1.1", "rcpt_addr": "a b@example.org", "rcpt_host": "example.org"},
                "data": {"i": "7.1.1"}, "eoh": {"i": "7.1.1"}, "eom": {"i": "7.1.1"}}.items():
            same({k: macros[stage].get(k) for k in known}, known, stage)
        assert macros["eom"]["b"].endswith(" -0000"), macros["eom"]
        assert "auth_type" not in macros["helo"], macros["helo"]


def version():
    return subprocess.run([BIN + "/policy-milter", "--version"], stdout=subprocess.PIPE,
                          check=True).stdout.decode().strip()


def quiet():
    """What a milter does not want is not sent, what it does not answer is not waited for."""
    with peer("quiet") as m, policy(m.place) as p:
        greet(p)
        a = p.mail(HEAD + b"X-Do: add X-New a|\tb\nX-Do: chg 1 Subject c\nSubject:  d\n\nbody\n")
        same(a.message, HEAD + b"X-Do: add X-New a|\tb\nX-Do: chg 1 Subject c\nSubject:c\nX-New:a\n\tb\n\nbody\n")
        p.hang_up()
        m.wait_heard("close")
        same([e[0] for e in m.heard()],
             ["connect", "mail", "rcpt", "data", "header", "header", "header", "body", "eom", "close"])
        same(m.heard("header")[2][1], ["Subject", "  d"])
        same(m.heard("connect")[0][2], {"j": "mx.example.org", "client_port": "4711"}, "its own list")
        same(m.heard("mail")[0][2], {"j": "mx.example.org", "client_port": "4711",
                                     "daemon_name": "mx.example.org", "mail_host": "client.example"})


def addresses():
    """IPv6, no address at all, and the null sender."""
    for known, family, last in (({"client_address": "2001:db8::7"}, socket.AF_INET6, "[IPv6:2001:db8::7]"),
                                ({"client_address": "::ffff:192.0.2.9"}, socket.AF_INET, "[::ffff:192.0.2.9]"),
                                ({"client_address": "", "client_name": None}, 0, "[]")):
        with peer() as m, policy(m.place, **known) as p:
            greet(p)
            same(p.mail(HEAD + b"\nx\n", sender="").says(), "continue")
            p.hang_up()
            m.wait_heard("close")
            if family:
                same(m.heard("connect")[0][1][1], family)
            else:
                same(m.heard("connect")[0][1], ["unknown", family, None])
            same(m.heard("connect")[0][2]["_"].split(" ")[-1], last)
            same(m.heard("mail")[0][1], ["<>"])
        os.unlink("heard")


# ---- what it decides


def refuses():
    with peer() as m:
        for action, says in REFUSED.items():
            for stage in ("mail", "data", "header", "eoh", "body", "eom"):
                with policy(m.place) as p:
                    greet(p)
                    a = p.mail(WORDS + b"\nbody\n", sender="%s-%s@client.example" % (stage, action))
                    same(a.says(), says, stage)
                    assert "message" not in a
                    # and the next message of the session is a new one
                    same(p.mail(WORDS + b"\nbody\n").message, WORDS + b"\nbody\n")
                    same(p.hang_up(), (0, ""))


def refuses_recipients():
    with peer() as m, policy(m.place) as p:
        greet(p)
        p.ask("mail", sender="s@client.example")
        for who in ("reject", "tempfail", "code"):
            same(p.ask("rcpt", recipient=who + "@rcpt.example").says(), REFUSED[who])
            same(p.ask("rcpt", recipient="r@example.org").says(), "continue", "the next one may come")
        p.ask("data")
        p.text(WORDS + b"\nbody\n")
        same(p.end().message, WORDS + b"\nbody\n")
        p.ask("mail", sender="s@client.example")
        same(p.ask("rcpt", recipient="discard@rcpt.example").says(), "discard")
        same(p.ask("data").says(), "discard", "that is about the message")
        same(p.hang_up(), (0, ""))


def refuses_connections():
    """It holds for all that follows, and nothing of it is sent."""
    with peer() as m:
        for action in ("reject", "tempfail", "code", "gone"):
            with policy(m.place, client_name=action + ".connect.example") as p:
                for stage in ("connect", "helo", "mail"):
                    same(p.ask(stage, helo="client.example", sender="s@client.example").says(), REFUSED[action])
            with policy(m.place) as p:
                same(p.ask("connect").says(), "continue")
                for stage in ("helo", "mail"):
                    same(p.ask(stage, helo=action + ".helo.example", sender="s@client.example").says(),
                         REFUSED[action])
        same(m.heard("mail") if os.path.exists("heard") else [], [])
        with policy(m.place, client_name="discard.connect.example") as p:
            greet(p)
            same(p.ask("mail", sender="s@client.example").says(), "discard")


def accepts():
    """After it has accepted, it is not asked any more, and the text goes on as it is."""
    text = WORDS + b"X-Do: add X-New x\n\nbody\n"
    with peer() as m:
        for stage in ("mail", "data", "header", "eoh", "body"):
            with policy(m.place) as p:
                greet(p)
                a = p.mail(text, sender=stage + "-accept@client.example")
                same((a.says(), a.message), ("continue", text), stage)
                a = p.mail(text)
                assert b"X-New: x\n" in a.message, "the next message is looked at"
        same(len(m.heard("eom")), 5)
        with policy(m.place, client_name="accept.connect.example") as p:
            greet(p)
            for _ in range(2):
                same(p.mail(text).message, text)
        same(len(m.heard("eom")), 5)


def skips():
    """SKIP ends the body; the rest of it is not sent."""
    text = WORDS + b"\n" + b"line of a body\n" * 20000
    with peer() as m, policy(m.place) as p:
        greet(p)
        a = p.mail(text, sender="body-skip@client.example")
        same((a.says(), a.message), ("continue", text))
        same(len(m.heard("body")), 1)
        same(len(m.heard("eom")), 1)


# ---- what it changes


def changed(m, do, body=b"body\n", options=()):
    """The answer, and the message without the X-Do fields."""
    with policy(m.place, *options) as p:
        greet(p)
        a = p.mail(WORDS + b"".join(b"X-Do: " + d + b"\n" for d in do) + b"\n" + body)
        message = a.message if "message" in a else b""
        a.message = b"".join(l for l in message.splitlines(True) if not l.startswith(b"X-Do: "))
        same(p.hang_up(), (0, ""))
    return a


def changes_header():
    rest = WORDS[len(HEAD):]
    with peer() as m:
        for do, want in (
                ([b"add X-New one|\ttwo"], WORDS + b"X-New: one\n\ttwo\n\nbody\n"),
                ([b"add X-New a|Bcc: you@example.org|"], WORDS + b"X-New: a\n\tBcc: you@example.org\n\nbody\n"),
                ([b"ins 0 X-Top a"], b"X-Top: a\n" + WORDS + b"\nbody\n"),
                ([b"ins 1 X-Top a"], HEAD + b"X-Top: a\n" + rest + b"\nbody\n"),
                ([b"ins 0 X-A a", b"ins 0 X-B b"], b"X-B: b\nX-A: a\n" + WORDS + b"\nbody\n"),
                ([b"ins 900 X-Last a"], WORDS + b"X-Last: a\n\nbody\n"),
                ([b"chg 1 Subject new"], WORDS.replace(b"words", b"new") + b"\nbody\n"),
                ([b"chg 1 subject new"], WORDS.replace(b"Subject: words", b"subject: new") + b"\nbody\n"),
                ([b"chg 1 Received x"], HEAD + b"Received: x\n" + rest.split(b"\n", 1)[1] + b"\nbody\n"),
                ([b"del 1 Received"], HEAD + rest.split(b"\n", 1)[1] + b"\nbody\n"),
                ([b"del 2 Received"], WORDS + b"\nbody\n"),
                ([b"del 1 Subject"], WORDS.replace(b"Subject: words\n", b"") + b"\nbody\n"),
                ([b"del 7 Subject"], WORDS + b"\nbody\n"),
                ([b"chg 7 Subject more"], WORDS + b"Subject: more\n\nbody\n"),
                ([b"add X-A 1", b"add X-A 2", b"chg 2 X-A 3", b"del 1 X-A"], WORDS + b"X-A: 3\n\nbody\n")):
            a = changed(m, do)
            same((a.says(), a.message), ("continue", want), do)


def changes_body():
    with peer() as m:
        same(changed(m, [b"body a||.b"]).message, WORDS + b"\na\n\n.b\n", "a line end is put behind it")
        same(changed(m, [b"body a", b"body b|"]).message, WORDS + b"\nab\n", "pieces join")
        same(changed(m, [b"large 1000000"], b"short\n").message,
             WORDS + b"\n" + b"0123456789abcde\n" * (1000000 // 17))


def changes_envelope():
    with peer() as m:
        a = changed(m, [b"rcpt+ n@example.org", b"rcpt+ <m@example.org> NOTIFY=NEVER", b"rcpt- r@example.org",
                        b"from f@example.org"])
        same(a["recipient_add"], ["<n@example.org>", "<m@example.org>"])
        same(a["recipient_remove"], ["<r@example.org>"])
        same(a["sender"], ["<f@example.org>"])
        same(a.message, WORDS + b"\nbody\n")
        a = changed(m, [b"rcpt+ n@example.org", b"rcpt- n@example.org", b"from <>"])
        same((a.get("recipient_add"), a["recipient_remove"], a["sender"]), (None, ["<n@example.org>"], ["<>"]))
        a = changed(m, [b"rcpt- n@example.org", b"rcpt+ n@example.org", b"rcpt+ n@example.org"])
        same((a["recipient_add"], a["recipient_remove"]), (["<n@example.org>"], ["<n@example.org>"]))
        for bad in (b"rcpt+ <>", b"rcpt+ a@b@c", b"from a@b>c"):
            with policy(m.place) as p:
                greet(p)
                fails(p, lambda: p.mail(WORDS + b"X-Do: " + bad + b"\n\nbody\n"), "it wants a")


def quarantines():
    with peer() as m:
        do = [b"quarantine too many words"]
        a = changed(m, do)
        same((a.says(), a["tag"], a["header"]),
             ("continue", ["quarantine"], ["X-Milter-Quarantine: too many words"]))
        a = changed(m, do, options=("--quarantine", "defer"))
        same((a.says(), a["tag"]), ("defer 451 4.7.1 too many words", ["quarantine"]))


# ---- sessions, sizes, odd messages


def sessions():
    """Several messages a session, several sessions a process."""
    with peer() as m:
        with policy(m.place) as p:
            for number in (1, 2):
                greet(p)
                same(p.mail(WORDS + b"\none\n").says(), "continue")
                p.ask("mail", sender="s@client.example")
                p.tell("reset")
                p.ask("mail", sender="s@client.example")
                p.ask("rcpt", recipient="r@example.org")
                same(p.mail(WORDS + b"\ntwo\n").message, WORDS + b"\ntwo\n", "MAIL again, without a reset")
                p.ask("mail", sender="s@client.example")
                p.ask("rcpt", recipient="r@example.org")
                p.ask("data")
                p.text(WORDS + b"\nnever ended\n")
                p.tell("close")
                m.wait_heard("close", number)
            same(p.hang_up(), (0, ""))
        one = (["connect", "helo", "mail", "rcpt", "data"] + ["header"] * 6 + ["eoh", "body", "eom"] +
               ["mail", "abort", "mail", "rcpt", "abort", "mail", "rcpt", "data"] + ["header"] * 6 +
               ["eoh", "body", "eom", "mail", "rcpt", "data", "abort", "close"])
        same([e[0] for e in m.heard()], one * 2)
        same([e[2]["i"] for e in m.heard("mail")[:5]], ["7.1.%d" % n for n in (1, 2, 3, 4, 5)])


def late():
    """A policy that is asked only at some stages: what the milter has not heard is told before."""
    with peer() as m:
        with policy(m.place, helo="client.example", sender="s@client.example") as p:
            for body in (b"\none\n", b"\ntwo\n"):
                same(p.ask("rcpt", recipient="r@example.org").says(), "continue")
                p.text(WORDS + body)
                same(p.end().message, WORDS + body)
            same(p.hang_up(), (0, ""))
        m.wait_heard("close")
        same([e[0] for e in m.heard() if e[0] not in ("header", "eoh")],
             ["connect", "helo", "mail", "rcpt", "body", "eom", "mail", "rcpt", "body", "eom", "close"])
        with policy(m.place) as p:
            same(p.ask("connect").says(), "continue")
            same(p.ask("mail", sender="mail-reject@client.example").says(), REFUSED["reject"])
        with policy(m.place) as p:
            greet(p)
            p.ask("mail", sender="s@client.example")
            p.ask("rcpt", recipient="r@example.org")
            same(p.end(), {"action": ["continue"]}, "no text, nothing to give back")
        with policy(m.place) as p:
            p.text(WORDS + b"\nbody\n")
            try:
                raise AssertionError("an answer: %s" % p.end())
            except Ended:
                same(p.wait(), (100, "policy-milter: fatal: not asked about recipients: rcpt is missing in the "
                                     "stages of this policy\n"))


def sizes():
    """Chunks of 65535 bytes at most, or of what was agreed; line ends and odd bytes come through."""
    body = b"".join(b"line %d \xff\x00 cr \r in it\r\r\n" % i for i in range(20000)) + b"\n\n.\n"
    want = body.replace(b"\n", b"\r\n")
    with peer() as m:
        for options in ((), ("--data-size", "1048575")):
            with policy(m.place, *options) as p:
                greet(p)
                same(p.mail(WORDS + b"\n" + body).message, WORDS + b"\n" + body)
            m.wait_heard("close")
            bodies = m.heard("body")
            same(sum(b[1][1] for b in bodies), len(want))
            assert max(b[1][1] for b in bodies) <= 65535, "this milter has not agreed to more"
            assert len(bodies) < len(want) / 65535 + 2, "chunks are full"
            same(want[-20:].decode("latin-1"), bodies[-1][1][2])
            os.unlink("heard")


def odd():
    """Messages that are hardly one come back as they were; what is added does not glue to them."""
    with peer() as m:
        for text in (HEAD, HEAD + b"\n", HEAD + b"no field\n", HEAD + b"Subject: x\n", b"no field at all\n", b"\n",
                     b"\n\n", HEAD + b"\n\n\n", HEAD + b"A: b\nno field\nmore\n", HEAD + b"A: b\n c\n\nx",
                     b"From x\n" + WORDS + b"\nbody\n", HEAD + b"Subject" + b" " * 70000 + b": x\n\nbody\n",
                     HEAD + b"X: " + b"y" * 100000 + b"\n\nbody\n"):
            with policy(m.place) as p:
                greet(p)
                same(p.mail(text).message, text, text[-60:])
                same(p.hang_up(), (0, ""))
        with policy(m.place) as p:
            greet(p)
            same(p.mail(HEAD + b"X-Do: add A b\nno field\n").message,
                 HEAD + b"X-Do: add A b\nA: b\n\nno field\n")
            same(p.mail(HEAD + b"X-Do: add A b\n").message, HEAD + b"X-Do: add A b\nA: b\n")
            same(p.mail(HEAD + b"X-Do: body b\n").message, HEAD + b"X-Do: body b\n\nb\n")


def too_large():
    large = "reject 552 5.3.4 the %s is too large for the mail filter"
    with peer() as m:
        with policy(m.place, "--max-message", "1000") as p:
            greet(p)
            same(p.mail(HEAD + b"\n" + b"x\n" * 500).says(), large % "message")
            same(p.mail(HEAD + b"\nx\n").message, HEAD + b"\nx\n")
            same(p.mail(HEAD + b"\n" + b"x\n" * 500, sender="mail-accept@a.example").says(), large % "message")
            same(p.mail(HEAD + b"\n" + b"x\n" * 500, sender="data-reject@a.example").says(), REFUSED["reject"])
            fails(p, lambda: p.mail(HEAD + b"X-Do: large 2000\n\nx\n"), "its new body is too large")
        with policy(m.place) as p:
            greet(p)
            same(p.mail(HEAD + b"X: y\n" * 60000 + b"\nx\n").says(), large % "header")
            same(p.mail(HEAD + b"X: y\n" * 6000 + b"\nx\n").says(), large % "header")
            same(p.mail(HEAD + b"X: " + b"y" * 300000 + b"\n\nx\n").says(), large % "header")
            same(p.mail(HEAD + b"X: y\n" * 4000 + b"\nx\n").says(), "continue")


# ---- what goes wrong


def fails(p, ask, why):
    """The program says why and ends with 111, without an answer."""
    try:
        answer = ask()
    except Ended:
        answer = None
    same(answer, None, "no answer")
    code, said = p.wait()
    same(code, 111)
    assert said.startswith("policy-milter: fatal: milter ") and why in said and said.count("\n") == 1, said


def killed():
    """Ended by SIGKILL at each stage: no answer, and exit code 111 at once."""
    for stage in ("helo", "mail", "rcpt", "data", "end"):
        with peer() as m, policy(m.place) as p:
            for s in ("connect", "helo", "mail", "rcpt", "data", "end"):
                if s == "end":
                    p.text(WORDS + b"\nbody\n" * 100000)
                if s == stage:
                    m.kill()
                    # what was written before the milter was seen to be gone does not matter
                    fails(p, lambda: p.ask(stage, helo="client.example", sender="s@client.example",
                                           recipient="r@example.org"), "unix:")
                    break
                p.ask(s, helo="client.example", sender="s@client.example", recipient="r@example.org")
        os.unlink("heard")


def killed_while_asked():
    with peer("slow") as m, policy(m.place) as p:
        greet(p)
        p.tell("mail", sender="s@client.example")
        m.wait_heard("mail")
        m.kill()
        fails(p, p.answer, "it closed the connection")


def deaf():
    with peer("slow") as m, policy(m.place, "--command-timeout", "1") as p:
        greet(p)
        fails(p, lambda: p.ask("mail", sender="s@client.example"), "it does not answer: timed out")
        m.kill()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("silent")
        s.listen()
        with policy("unix:" + os.path.abspath("silent"), "--connect-timeout", "1") as p:
            fails(p, lambda: p.ask("connect"), "it does not answer: timed out")


def progress():
    """Each sign of life begins the time anew."""
    with peer() as m, policy(m.place, "--message-timeout", "2") as p:
        greet(p)
        same(p.mail(WORDS + b"X-Do: progress 0.7 5\n\nbody\n").says(), "continue")


def stays_away():
    for place in ("unix:" + os.path.abspath("nobody"), "inet:%d@127.0.0.1" % free_port()):
        with policy(place) as p:
            fails(p, lambda: p.ask("connect"), place)


def scripted(answers):
    """A milter of a few lines that says what it is told to: a list for each connection."""
    s = socket.socket(socket.AF_UNIX)
    if os.path.exists("raw"):
        os.unlink("raw")
    s.bind("raw")
    s.listen()
    heard = []

    def serve():
        with s, s.accept()[0] as c:
            c.settimeout(20)
            data = b""
            while True:
                try:
                    got = c.recv(1 << 16)
                except OSError:
                    return
                if not got:
                    return
                data += got
                while len(data) >= 4 and len(data) >= 4 + struct.unpack(">I", data[:4])[0]:
                    n = struct.unpack(">I", data[:4])[0]
                    packet, data = data[4:4 + n], data[4 + n:]
                    heard.append(packet)
                    if packet[:1] in b"DAQ":
                        continue
                    if not answers:
                        return
                    try:
                        c.sendall(answers.pop(0))
                    except OSError:
                        return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return "unix:" + os.path.abspath("raw"), heard, thread


def packet(*parts):
    return b"".join(struct.pack(">I", len(p)) + p for p in parts)


def options(version, actions=0x1ff, steps=0):
    return packet(b"O" + struct.pack(">III", version, actions, steps))


def versions():
    """Version 2: no DATA; what a milter of that age may not know is not offered to it when it shall not be."""
    go = packet(b"c")
    for version, arguments, actions, steps in ((6, (), 0x1ff, 0x1ff7ff), (2, (), 0x1ff, 0x1ff7ff),
                                               (2, ("--protocol", "2"), 0x3f, 0x7f),
                                               (4, ("--protocol", "4"), 0x3f, 0x3ff),
                                               (6, ("--data-size", "1048575"), 0x1ff, 0x301ff7ff)):
        place, heard, thread = scripted([options(version, 0x1)] + [go] * 12)
        with policy(place, *arguments) as p:
            greet(p)
            same(p.mail(HEAD + b"Subject: x\n\nbody\n").says(), "continue")
            same(p.hang_up(), (0, ""))
        thread.join(20)
        offered = int(arguments[1]) if arguments[:1] == ("--protocol",) else 6
        same(heard[0], b"O" + struct.pack(">III", offered, actions, steps))
        same(b"".join(h[:1] for h in heard if h[:1] != b"D"), b"OCHMR" + (b"T" if version >= 4 else b"") + b"LNBEQ")


def nonsense():
    """No answer is made of what is no milter's."""
    good = options(6)
    go = packet(b"c")
    for answers, why in (([b"220 mx ESMTP\r\n"], "of a length that none has"),
                         ([packet(b"c")], "is it a milter?"),
                         ([options(7)], "its version is none"), ([options(1)], "its version is none"),
                         ([options(6, 0x200)], "it wants to do what"),
                         ([packet(b"O\0\0")], "its options are too short"),
                         ([], "it closed the connection"),
                         ([good, packet(b"?")], "its answer is unknown"),
                         ([good, packet(b"c", b"c")], "what it was not asked"),
                         ([good, struct.pack(">I", 0)], "of a length that none has"),
                         ([good, packet(b"y200 fine\0")], "no code of 4xx or 5xx"),
                         ([good, packet(b"hX\0y\0")], "a change before the end"),
                         ([good] + [go] * 7 + [packet(b"hX\0y")], "its field has no value"),
                         ([good] + [go] * 7 + [packet(b"hX\nY\0y\0")], "a name that is none"),
                         ([good] + [go] * 7 + [packet(b"+" + b"a" * 2000 + b"\0")], "an address that is none"),
                         ([good] + [go] * 7 + [packet(*[b"+a%d@b.example\0" % i for i in range(40)])],
                          "too many recipients"),
                         ([good] + [go] * 7 + [packet(*[b"hX\0" + b"y" * 60000 + b"\0"] * 9)], "too large"),
                         ([good] + [go] * 7 + [packet(b"b" + b"x" * 2000000)], "of a length that none has"),
                         ([good] + [go] * 7, "it closed the connection")):
        place, _, thread = scripted(answers)
        with policy(place, "--max-message", "100000") as p:

            def everything():
                greet(p)
                return p.mail(HEAD + b"\nbody\n")

            fails(p, everything, why)
        thread.join(20)


# ---- milters that people use


def write(name, text):
    with open(name, "w") as f:
        f.write(text)
    return os.path.abspath(name)


def rspamd_server():
    here = os.getcwd()
    write("soft.lua", """rspamd_config:register_symbol({ name = "SOFT", type = "callback", callback = function(task)
        if task:get_subject() == "soft" then task:set_pre_result("soft reject", "try again later") end end })\n""")
    config = write("rspamd.conf", """
        lua = "%(here)s/soft.lua"
        options { pidfile = "%(here)s/pid"; tempdir = "%(here)s"; control_socket = "%(here)s/control"; filters = "";
            url_tld = "/usr/share/rspamd/effective_tld_names.dat"; enable_test_patterns = true;
            cache_file = "%(here)s/cache"; dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; } }
        logging { type = "file"; filename = "%(here)s/rspamd.log"; level = "info"; }
        actions { reject = 15; add_header = 6; greylist = 4; }
        worker "rspamd_proxy" { bind_socket = "127.0.0.1:%(port)d"; milter = yes; timeout = 20s; count = 1;
            upstream "local" { default = yes; self_scan = yes; } }\n""" % {"here": here, "port": (port := free_port())})
    return Server(["rspamd", "-f", "-i", "-c", config], port, gentle=True)


def rspamd():
    test = b"\n%bJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n"
    plain = WORDS + b"\nhello\n"
    with rspamd_server() as m, policy(m.place) as p:
        greet(p)
        a = p.mail(plain)
        same((a.says(), a.message), ("continue", plain), "nothing is wrong with it")
        same(p.mail(WORDS + test % b"X").says(), "reject 554 5.7.1 Gtube pattern")
        same(p.mail(WORDS + test % b"Y").message, WORDS + b"X-Spam: Yes\n" + test % b"Y")
        same(p.mail(WORDS + test % b"Z").message,
             WORDS.replace(b"Subject: words", b"Subject: *** SPAM *** words") + test % b"Z")
        same(p.mail(plain.replace(b"words", b"soft")).says(), "defer 451 4.7.1 try again later")
        same(p.mail(plain).message, plain)
        same(p.hang_up(), (0, ""))


def rspamd_killed():
    with rspamd_server() as m, policy(m.place) as p:
        greet(p)
        p.ask("mail", sender="s@client.example")
        p.ask("rcpt", recipient="r@example.org")
        os.kill(m.process.pid, signal.SIGSTOP)  # its main process would start the worker anew
        with open("/proc/%d/task/%d/children" % (m.process.pid, m.process.pid)) as f:
            for child in f.read().split():
                os.kill(int(child), signal.SIGKILL)
        fails(p, lambda: [p.ask("data"), p.text(WORDS + b"\nbody\n"), p.end()][-1], "inet:")
        m.kill()


def opendkim_server(name, *lines):
    socket_path = os.path.abspath(name + ".sock")
    config = write(name + ".conf", "Socket local:%s\nPidFile %s\nBackground no\nSyslog no\nUMask 000\n"
                   "RequireSafeKeys no\n" % (socket_path, os.path.abspath(name + ".pid")) + "\n".join(lines) + "\n")
    return Server(["/usr/sbin/opendkim", "-f", "-x", config], socket_path)


def opendkim():
    """What one signs, after it has come back through policy-milter, the other finds good."""
    subprocess.run(["/usr/sbin/opendkim-genkey", "-b", "2048", "-d", "client.example", "-s", "sel"], check=True)
    with open("sel.txt") as f:
        record = "".join(f.read().split('"')[1::2])
    write("internal", "192.0.2.0/24\n")
    write("nobody", "127.9.9.9\n")
    write("keys", "sel._domainkey.client.example " + record + "\n")
    signer = opendkim_server("signer", "Mode s", "Domain client.example", "Selector sel",
                             "KeyFile " + os.path.abspath("sel.private"), "InternalHosts " + os.path.abspath("internal"),
                             "Canonicalization simple/simple")
    verifier = opendkim_server("verifier", "Mode v", "AlwaysAddARHeader yes", "AuthservID mx.example.org",
                               "TestPublicKeys " + os.path.abspath("keys"), "InternalHosts " + os.path.abspath("nobody"))
    text = WORDS + b"X-Fold: a\n\tb\n c\nX-Space:   three\n\nbody \n\n.dot\nlast\n\n\n"
    with signer, verifier:
        with policy(signer.place) as p:
            greet(p)
            signed = p.mail(text).message
            same(p.hang_up(), (0, ""))
        assert signed.startswith(b"DKIM-Signature: v=1; a=rsa-sha256;"), signed[:400]
        assert signed.endswith(b"\n" + text), "nothing else was changed"
        for message, result in ((signed, b"dkim=pass"), (signed.replace(b"last", b"lost"), b"dkim=fail")):
            with policy(verifier.place, client_address="198.51.100.9") as p:
                greet(p)
                a = p.mail(HEAD + message)
                same(a.says(), "continue")
                assert b"Authentication-Results: mx.example.org;\n\t" + result in a.message, a.message[:600]


def opendkim_killed():
    write("internal", "192.0.2.0/24\n")
    with opendkim_server("verifier", "Mode v", "TestPublicKeys /dev/null") as m, policy(m.place) as p:
        greet(p)
        p.ask("mail", sender="s@client.example")
        p.ask("rcpt", recipient="r@example.org")
        m.kill()
        fails(p, lambda: p.ask("data") and [p.text(WORDS + b"\nbody\n"), p.end()][-1], "unix:")


def pyspf():
    """Without a name server: a client that is not looked at, and mail of one that is."""
    path = os.path.abspath("spf.sock")
    config = write("spf.conf", "debugLevel = 0\nTestOnly = 1\nHELO_reject = Fail\nMail_From_reject = Fail\n"
                   "PermError_reject = False\nTempError_Defer = False\nskip_addresses = 192.0.2.0/24\n"
                   "Socket = local:%s\nPidFile = %s\nUserID = %s\nInternalHosts = 198.51.100.9\n"
                   % (path, os.path.abspath("spf.pid"), "root" if os.getuid() == 0 else "nobody"))
    with Server(["/usr/bin/python3", "/usr/bin/pyspf-milter", config], path) as m:
        with policy(m.place) as p:
            greet(p)
            a = p.mail(WORDS + b"\nbody\n")
            same(a.says(), "continue")
            assert a.message.startswith(b"Authentication-Results: "), a.message[:300]
            assert a.message.endswith(b"\n" + WORDS + b"\nbody\n"), a.message
            same(p.hang_up(), (0, ""))
        with policy(m.place, client_address="198.51.100.9") as p:
            greet(p)
            same(p.mail(WORDS + b"\nbody\n").message, WORDS + b"\nbody\n")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
