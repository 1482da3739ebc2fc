#!/usr/bin/env python3
"""Our rblsmtpd against that of ucspi-tcp, as TAP: what the client hears, the log, the exit code, the program.

Both ask the same name server (peers.py), on port 53 of a network namespace of our own. Same seed, same cases,
every time. What differs on purpose is left out here and has its own test (rblsmtpd.bats). BIN says where our
programs are."""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import tap
PEERS = os.path.join(HERE, "../peers.py")
OURS = os.path.join(os.path.abspath(os.environ.get("BIN", os.path.join(HERE, "../../build/bin"))), "rblsmtpd")
THEIRS = "/usr/bin/rblsmtpd"
SANITIZED = "sanitize" in OURS
TALKS = 60 if SANITIZED else 400
QUESTIONS = 60 if SANITIZED else 400
FAILURES = 10 if SANITIZED else 24
rnd = random.Random(20261124)

# Who is where. Texts are short or long, plain or not.
CLIENTS = ["1.2.3.4", "192.0.2.1", "10.0.0.255", "203.0.113.77"]
ZONE = {
    "bl.x": {"1.2.3.4": ["txt:listed"], "192.0.2.1": ["txt:one ", "txt:two"], "10.0.0.255": ["txts:a|b|c"]},
    "text.x": {"1.2.3.4": ["txt:a\\r\\n\\x00\\x1b\\x7f\\x80\\xff~ !"], "192.0.2.1": ["txt:" + "y" * 200],
               "10.0.0.255": ["txt:" + "z" * 201], "203.0.113.77": ["txt:-hyphen"]},
    "empty.x": {c: ["txt:"] for c in CLIENTS},
    "wl.x": {"1.2.3.4": ["a:127.0.0.2"], "10.0.0.255": ["a:127.0.0.2", "a:127.0.0.3", "txt:not this"]},
    "a.x": {c: ["a:127.0.0.2"] for c in CLIENTS},
    "six.x": {c: ["aaaa:2001:db8::1"] for c in CLIENTS},
    "none.x": {},
}
BASES = list(ZONE) + ["bl.x", "wl.x", "BL.X", "bl.x.", ".bl..x"]
COMMANDS = ["HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP", "STARTTLS", "AUTH",
            "", "QUITE", "QUI", "XQUIT", "\t", "noop\t", "\r", "quit\r", "\x80\xff"]


def mixed(word):
    return "".join(rnd.choice([c.upper(), c.lower()]) if c.isascii() else c for c in word)


def line():
    word = mixed(rnd.choice(COMMANDS))
    tail = rnd.choice(["", "", " ", " FROM:<a@b>", "  x", " " + "a" * rnd.choice([10, 1000, 5000]), "\tx", ":x"])
    return (rnd.choice(["", "", "", " "]) + word + tail + rnd.choice(["\r\n", "\r\n", "\n", "\r\r\n"])).encode("latin-1")


def talk():
    text = b"".join(line() for _ in range(rnd.randrange(12)))
    return text + rnd.choice([b"", b"QUIT\r\n", b"QUIT\r\n", b"NOOP"])


def told():
    return rnd.choice([b"go away", b"-go away", b"", b"-", b"--x", b" x", b"a\tb\x01\x80\xff", b"x" * 199, b"x" * 200,
                       b"x" * 201, b"-" + b"x" * 300, b"%IP%"])


class Case:
    def __init__(self, args, ip, env, text):
        self.args, self.ip, self.env, self.text = args, ip, env, text

    def __str__(self):
        return "%r client %s RBLSMTPD %r input %r" % (self.args, self.ip, self.env, self.text)

    def run(self, program):
        env = {b"PATH": b"/usr/bin:/bin", b"DNSCACHEIP": b"127.0.0.1"}
        if self.ip is not None:
            env[b"TCPREMOTEIP"] = self.ip.encode()
        if self.env is not None:
            env[b"RBLSMTPD"] = self.env
        p = subprocess.run(["rblsmtpd"] + self.args + ["sh", "-c", "echo run ${RBLSMTPD-unset}; exit 7"],
                           executable=program, input=self.text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                           timeout=100)
        return p.returncode, p.stdout, re.sub(rb" pid \d+:", b" pid N:", p.stderr)


def compare(cases, at_once=4):
    def one(case):
        theirs, ours = case.run(THEIRS), case.run(OURS)
        if theirs != ours:
            raise AssertionError("%s\n  ucspi-tcp: %r\n  ours:      %r" % (case, theirs, ours))
        return theirs
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, cases))


def flags(letters="bBcC"):
    return ["-" + rnd.choice(letters)] if rnd.random() < 0.4 else []


def talks():
    """a client that RBLSMTPD refuses: the same conversation"""
    seen = compare([Case(flags() + rnd.choice([[], ["-t0"], ["-t", "60"], ["-t90", "-b"]]),
                         rnd.choice(CLIENTS + [None, "", "x"]), told(), talk()) for _ in range(TALKS)])
    return "%d conversations, %d replies" % (len(seen), sum(out.count(b"\r\n") for _, out, _ in seen))


def questions():
    """lists of -r and -a in any order: the same verdict"""
    cases = []
    for _ in range(QUESTIONS):
        args = flags()
        for _ in range(rnd.randrange(5)):
            args += [rnd.choice(["-r", "-r", "-a"]), rnd.choice(BASES)] + flags()
        cases.append(Case(args, rnd.choice(CLIENTS), None, b"RCPT\r\nQUIT\r\n"))
    seen = compare(cases)
    codes = [out[len(b"220 rblsmtpd.local\r\n"):][:3] for _, out, _ in seen if out.startswith(b"220")]
    if not (codes.count(b"451") and codes.count(b"553") and len(codes) < len(seen)):
        raise AssertionError("not all verdicts came up: %r" % codes)
    return "%d clients, %d refused for now, %d for ever" % (len(seen), codes.count(b"451"), codes.count(b"553"))


def failures():
    """lists that fail, open and closed: the same verdict"""
    cases = []
    for _ in range(FAILURES):
        args = flags("bbbcC")
        places = [rnd.choice(["fail.x", "bl.x", "a.x", "none.x"]) for _ in range(2)]
        places.insert(rnd.randrange(3), "fail.x")
        for base in places:
            args += [rnd.choice(["-r", "-r", "-a"]), base] + flags("bccC")
        cases.append(Case(args, "1.2.3.4", None, b"RCPT\r\nQUIT\r\n"))
    seen = compare(cases, 12)
    return "%d clients, %d of them refused" % (len(seen), sum(out.startswith(b"220") for _, out, _ in seen))


def words():
    """options that are none, programs that are none: the same first line and exit code"""
    count = 0
    for args in (["-z", "true"], ["-r"], ["-bR", "true"], ["./missing"], ["/"], ["--", "sh", "-c", "exit 3"],
                 ["-b", "--", "sh", "-c", "exit 4"], ["sh", "-c", "kill -9 $$"]):
        seen = []
        for program in (THEIRS, OURS):
            p = subprocess.run(["rblsmtpd"] + args, executable=program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}, timeout=60)
            seen.append((p.returncode, p.stdout, p.stderr.split(b"\n")[0]))
        if seen[0] != seen[1]:
            raise AssertionError("%r\n  ucspi-tcp: %r\n  ours:      %r" % (args, seen[0], seen[1]))
        count += 1
    return "%d command lines" % count


TESTS = [talks, questions, failures, words]


def name_server(directory):
    records = ["%s.%s=%s" % (".".join(reversed(ip.split("."))), base, answer)
               for base, zone in ZONE.items() for ip, answers in zone.items() for answer in answers]
    records += ["%s.fail.x=servfail" % ".".join(reversed(ip.split("."))) for ip in CLIENTS]
    p = subprocess.Popen([sys.executable, PEERS, "dns", "53"] + records, cwd=directory, stdout=subprocess.PIPE)
    if p.stdout.readline() != b"53\n":
        raise AssertionError("no name server on port 53")
    return p


def inside():
    with tempfile.TemporaryDirectory(prefix="portero.") as directory:
        server = name_server(directory)
        os.chdir(directory)
        try:
            return tap.run(TESTS)
        finally:
            server.kill()
            server.wait()


def main():
    if sys.argv[1:] == ["inside"]:
        return inside()
    if not os.access(THEIRS, os.X_OK):
        return tap.skip("the peer is missing: apt install ucspi-tcp")
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rn", "true"], stderr=subprocess.DEVNULL).returncode:
        return tap.skip("needs unshare -rn for port 53 (user namespaces are off)")
    sys.stdout.flush()
    os.execvp("unshare", ["unshare", "-rn", sys.executable, PEERS, "lo", sys.executable, os.path.abspath(__file__), "inside"])


if __name__ == "__main__":
    sys.exit(main())
