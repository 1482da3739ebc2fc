#!/usr/bin/env python3
"""The small programs of ucspi-tcp, ours against theirs, as TAP.

Same seed, same cases, every time. What differs on purpose is left out here and has its own test in
tests/tools.bats (see portero-compat(7)). BIN says where our programs are."""

import os
import random
import re
import select
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import tap
OURS = os.path.abspath(os.environ.get("BIN", os.path.join(HERE, "../../build/bin")))
THEIRS = "/usr/bin"
SANITIZED = "sanitize" in OURS  # slower to start, so fewer cases
STARTS = int(os.environ.get("STARTS", "60" if SANITIZED else "150"))
PROGRAMS = ("tcpclient", "recordio", "fixcrio", "addcr", "delcr", "argv0", "mconnect-io",
            "mconnect", "tcpcat", "who@", "date@", "finger@", "http@")
rnd = random.Random(20261124)
tests = []


def test(f):
    tests.append(f)
    return f


def same(what, theirs, ours):
    if theirs != ours:
        raise AssertionError("%s\n  ucspi-tcp: %r\n  ours:      %r" % (what, theirs, ours))


def both(f):
    return f(THEIRS), f(OURS)


# ---- byte streams ---------------------------------------------------------------------------------------


def stream():
    """Line ends in every combination, around the sizes of blocks too."""
    kind = rnd.randrange(6)
    n = rnd.choice([0, 1, 2, 3, 7, 40, 255, 256, 257, 511, 512, 513, 700])
    if kind == 0:
        n = rnd.choice([2047, 2048, 2049, 4095, 4096, 4097, 8191, 8192, 8193, 20000])
    if kind == 1:
        return bytes(rnd.randrange(256) for _ in range(n))
    letters = rnd.choice([b"\r\n", b"\r\na", b"\r\r\r\na", b"\n\n\nab", b"\0\r\n\xff", b"abcdefgh\n"])
    return bytes(rnd.choice(letters) for _ in range(n))


def pieces(data):
    out = []
    while data:
        n = rnd.choice([1, 1, 2, 3, 10, 300])
        out.append(data[:n])
        data = data[n:]
    return out


class Line:
    """A program between two pipes."""

    def __init__(self, argv, directory):
        self.p = subprocess.Popen(argv, executable=os.path.join(directory, argv[0]), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"})

    def end(self):
        out, err = self.p.communicate(timeout=20)
        return self.p.returncode, out, err


def through(directory, argv, data):
    """Until both outputs have ended: a copier may outlive its program."""
    p = subprocess.run(argv, executable=os.path.join(directory, argv[0]), input=data, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}, timeout=60)
    return p.returncode, p.stdout, p.stderr


def compare_streams(argv, count, view=lambda x: x, parts=40):
    """Starting a program is what takes time, so each start gets many streams behind one another."""
    total = streams = 0
    for i in range(count):
        some = [stream() for _ in range(1 if i % 3 == 0 else rnd.randrange(2, parts))]
        data = b"".join(some)
        theirs, ours = both(lambda d: view(through(d, argv, data)))
        same("%r of %r" % (argv, data), theirs, ours)
        total += len(data)
        streams += len(some)
    return "%d streams, %d bytes" % (streams, total)


@test
def addcr(_):
    """addcr: the same bytes"""
    return compare_streams(["addcr"], STARTS)


@test
def delcr(_):
    """delcr: the same bytes"""
    return compare_streams(["delcr"], STARTS)


@test
def fixcrio(_):
    """fixcrio: the same bytes through both of its ways"""
    return compare_streams(["fixcrio", "cat"], STARTS // 3)


def one_by_one(directory, argv, data):
    line = Line(argv, directory)
    for i in range(len(data)):
        os.write(line.p.stdin.fileno(), data[i:i + 1])
        if rnd.random() < 0.2:
            time.sleep(0.0005)
    return line.end()


@test
def borders(_):
    """addcr, delcr, fixcrio: the same bytes when they come one by one"""
    count = 0
    for argv in (["addcr"], ["delcr"], ["fixcrio", "cat"]):
        for _ in range(20 if SANITIZED else 60):
            data = bytes(rnd.choice(b"\r\r\n\na") for _ in range(rnd.randrange(30)))
            theirs, ours = both(lambda d: one_by_one(d, argv, data))
            same("%r of %r" % (argv, data), theirs, ours)
            count += 1
    return "%d streams" % count


@test
def prompt(_):
    """addcr, delcr, fixcrio: a line is passed on before the next one comes"""
    for argv, said in ((["addcr"], b"a\r\n"), (["delcr"], b"a\n"), (["fixcrio", "cat"], b"a\r\n")):
        for directory in (THEIRS, OURS):
            line = Line(argv, directory)
            os.write(line.p.stdin.fileno(), b"a\r\n" if argv[0] == "delcr" else b"a\n")
            out = b""
            while len(out) < len(said) and select.select([line.p.stdout], [], [], 10)[0]:
                out += os.read(line.p.stdout.fileno(), 100)
            line.end()
            same("%s/%r" % (directory, argv), said, out)
    return "3 programs"


# ---- recordio -------------------------------------------------------------------------------------------


def log_view(seen):
    """The output, and the two directions of the log: how they interleave is the scheduler's."""
    code, out, err = seen
    lines = err.split(b"\n")
    if len(set(x.split(b" ")[0] for x in lines[:-1])) != 1:
        raise AssertionError("more than one process: %r" % err)
    lines = [re.sub(rb"^\d+", b"PID", x) for x in lines]
    return code, out, [x for x in lines if x.startswith(b"PID < ")], [x for x in lines if not x.startswith(b"PID < ")]


@test
def recordio_in(_):
    """recordio: the same log of what a program reads, byte for byte"""
    # the program reads everything before it says anything: the packets are then the same for both
    return compare_streams(["recordio", "sh", "-c", "cat >/dev/null; echo one; exec echo two"], STARTS // 3, log_view, 10)


@test
def recordio_out(w):
    """recordio: the same log of what a program says, byte for byte"""
    path = os.path.join(w.dir, "said")
    return compare_streams(["recordio", "sh", "-c", "cat >" + path + "; exec cat " + path], STARTS // 3, log_view, 10)


@test
def command_lines(w):
    """recordio, fixcrio, argv0, addcr, delcr: the same words and exit codes"""
    plain = w.file("plain", b"x")
    w.file("mine", b"#!/bin/sh\necho mine $# \"$0\"\n", 0o755)
    argvs = []
    for p in ("recordio", "fixcrio"):
        argvs += [[p]] + [[p] + x for x in (
            ["no-such-program"], ["-x"], ["--", "true"], ["/"], [plain], ["./mine", "a b"], ["mine"], [""], ["true"],
            ["sh", "-c", "exit 7"], ["sh", "-c", "kill -9 $$"], ["sh", "-c", "echo $1; echo err >&2", "x", "y z"],
            ["/bin/echo", "hello"], ["sh", "-c", "ls /proc/self/fd"], ["no/such/dir/program"])]
    argvs += [["argv0"]] + [["argv0"] + x for x in (
        ["sh"], ["-x"], ["sh", "foo", "-c", "echo $0"], ["no-such-program", "x"], ["-x", "y"], ["--", "true"],
        ["/", "x"], [plain, "x"], ["mine", "zero", "a"], ["sh", "-c"], ["sh", "", "-c", "exit 3"], ["", "x"],
        ["cat", "/proc/self/cmdline", "/proc/self/cmdline"], ["--help", "x"], ["--version", "x"])]
    argvs += [["addcr", "x"], ["delcr", "x"], ["addcr", "-Z", "--"], ["delcr", "--", "x"]]
    count = 0
    for argv in argvs:
        for env in ({"PATH": "/usr/bin:/bin:" + w.dir}, {"PATH": ""}, {}):
            seen = []
            for d in (THEIRS, OURS):
                p = subprocess.run(argv, executable=os.path.join(d, argv[0]), stdin=subprocess.DEVNULL, timeout=20,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=w.dir)
                # the copier and the program write to one descriptor: in which order is the scheduler's
                seen.append((p.returncode, p.stdout, sorted(re.sub(rb"(?m)^\d+", b"PID", p.stderr).split(b"\n"))))
            same("%r %r" % (argv, env), seen[0], seen[1])
            count += 1
    for line in ("addcr <&-", "delcr <&-", "addcr <plain >/dev/full", "delcr <plain >/dev/full", "addcr <.", "delcr <.",
                 "fixcrio cat <.", "fixcrio cat <&-", "fixcrio cat <plain >/dev/full", "recordio cat <&-",
                 "delcr </dev/null", "recordio sh -c 'cat; exit 9' <plain",
                 "fixcrio sh -c 'cat; exit 9' <plain"):
        seen = []
        for d in (THEIRS, OURS):
            p = subprocess.run(["sh", "-c", line], stdin=subprocess.DEVNULL, timeout=20, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env={"PATH": d + ":/usr/bin:/bin"}, cwd=w.dir)
            seen.append((p.returncode, p.stdout, sorted(re.sub(rb"(?m)^\d+", b"PID", p.stderr).split(b"\n"))))
        same(line, seen[0], seen[1])
        count += 1
    return "%d command lines" % count


# ---- a server to talk to --------------------------------------------------------------------------------


class Server(threading.Thread):
    """Hears each client until it has said what is waited for, answers, closes."""

    def __init__(self, answer=b"hello\r\n", until=None):
        super().__init__(daemon=True)
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(50)
        self.port = self.listener.getsockname()[1]
        self.answer, self.until = answer, until
        self.heard = []
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            got = b""
            while self.until is not None and self.until not in got:
                part = c.recv(65536)
                if not part:
                    break
                got += part
            self.heard.append(got)
            try:
                c.sendall(self.answer)
            except OSError:
                pass
            c.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def closed_port():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
    s.close()
    return port


def mask(text):
    text = re.sub(rb"(TCPLOCALPORT=|socket:\[|pipe:\[)\d+", rb"\1N", text)
    return re.sub(rb"/proc/\d+", b"/proc/N", text)


def client(directory, args, env=None, data=b"", cwd=None):
    environment = {"PATH": "/usr/bin:/bin", "DNSCACHEIP": "127.0.0.1"}
    environment.update(env or {})
    p = subprocess.run(["tcpclient"] + args, executable=os.path.join(directory, "tcpclient"), input=data, timeout=20,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=cwd)
    return p.returncode, mask(p.stdout), mask(p.stderr)


QUICK = ["-RHl0"]


@test
def tcpclient_command_lines(w):
    """tcpclient: the same words and exit codes"""
    s = Server()
    port, none = str(s.port), str(closed_port())
    busy = str(s.port)
    plain = w.file("plain", b"x")
    cases = [
        [], ["-v"], ["-q"], ["-Q"], ["-Z"], ["-q", "-Z"], ["-vZ"], ["-T"], ["-t"], ["-l"], ["-i"], ["-p"], ["-vl"], ["-c1"],
        ["--"], ["-"], ["0"], ["-q", "0"], ["0", port], ["-q", "0", port], ["--", "0", port], ["-", "0"], ["-?"],
        ["0", "no-such-service"], ["-q", "0", "no-such-service"], ["0", "no-such-service", "true"],
        ["0", "1x", "true"], ["0", "-1", "true"], ["-i", "x", "0", port, "true"], ["-i", "", "0", port, "true"],
        ["-qi", "x", "0", port, "true"], ["-i", "1.2.3", "0", port, "true"],
    ] + [QUICK + x for x in (
        ["127.0.0.1", none, "true"], ["-v", "127.0.0.1", none, "true"], ["-q", "127.0.0.1", none, "true"],
        ["-Q", "0", none, "true"], ["-qv", "", none, "true"], ["-vq", "", none, "true"], ["-vQ", "127.000.00.01", none, "true"],
        ["[127.0.0.1]", none, "true"], ["127.0.0.1", port, "no-such-program"], ["-v", "127.0.0.1", port, "no-such-program"],
        ["-q", "127.0.0.1", port, "no-such-program"], ["127.0.0.1", port, plain], ["127.0.0.1", port, "/"],
        ["127.0.0.1", port, "sh", "-c", "exit 7"], ["127.0.0.1", port, "sh", "-c", "kill -9 $$"],
        ["-v", "127.0.0.1", port, "cat"], ["--", "127.0.0.1", port, "true"], ["-v", "--", "127.0.0.1", port, "true"],
        ["-i", "1.2.3.4", "127.0.0.1", port, "true"], ["-q", "-i", "1.2.3.4", "127.0.0.1", port, "true"],
        ["-p", busy, "127.0.0.1", port, "true"], ["-q", "-p", busy, "127.0.0.1", port, "true"],
        ["-i", "127.0.0.5", "127.0.0.1", port, "sh", "-c", "echo $TCPLOCALIP"], ["-T", "1", "127.0.0.1", port, "true"],
        ["-T", "5+0", "127.0.0.1", port, "true"], ["-T0", "127.0.0.1", port, "true"], ["-T", "1+2", "127.0.0.1", none, "true"],
        ["-i127.0.0.9", "-l", "x y", "127.0.0.1", port, "env"], ["-D", "127.0.0.1", port, "echo", "a b"],
        ["-d", "127.0.0.1", port, "sh", "-c", "cat <&6"], ["127.0.0.1", port, "sh", "-c", "echo $PATH; pwd; umask"])]
    count = 0
    for args in cases:
        theirs, ours = both(lambda d: client(d, args, cwd=w.dir))
        if args[-1:] == ["env"]:
            theirs, ours = ((x[0], sorted(x[1].split(b"\n")), x[2]) for x in (theirs, ours))
        same("tcpclient %r" % args, theirs, ours)
        count += 1
    s.close()
    return "%d command lines" % count


SHOW = ("env | grep -v '^_=' | sort; grep -E '^(SigBlk|SigIgn|SigCgt)' /proc/self/status; umask; pwd; "
        "exec ls -l --time-style=+ /proc/self/fd")


@test
def tcpclient_environment(w):
    """tcpclient: the same environment, descriptors and signals for the program"""
    s = Server()
    count = 0
    old = {"TCPREMOTEHOST": "old", "TCPREMOTEINFO": "old", "TCPLOCALHOST": "old", "PROTO": "X", "Z": "1", "TCPLOCALIP": "9"}
    envs = ({}, old, {"PATH": ""}, {"TCPREMOTEINFO": ""}, {"A": "x=y\n"})
    options = (QUICK, ["-RH", "-l", ""], ["-RH", "-l", "a b%:" + "x" * 300], ["-v", "-D"] + QUICK, ["-l", "1", "-hHrR"],
               ["-i", "127.0.0.7"] + QUICK)
    cases = [(e, o, "127.0.0.1") for e in envs for o in options] + [({}, QUICK, "0"), ({}, QUICK, "")]
    for env, opts, host in cases:
        args = opts + [host, str(s.port), "/bin/sh", "-c", "PATH=/usr/bin:/bin; export PATH; " + SHOW]
        theirs, ours = both(lambda d: client(d, args, env, cwd=w.dir))
        same("tcpclient %r with %r" % (args, env), theirs, ours)
        count += 1
    s.close()
    return "%d connections" % count


@test
def tcpclient_port(_):
    """tcpclient -p: the same local port"""
    s = Server()
    for _ in range(3):
        for d in (THEIRS, OURS):
            port = closed_port()
            got = client(d, QUICK + ["-i", "127.0.0.8", "-p", str(port), "127.0.0.1", str(s.port), "sh", "-c",
                                     "echo $TCPLOCALIP $TCPLOCALPORT"])
            same(d, (0, b"127.0.0.8 %d\n" % port, b""), got)
    s.close()
    return "3 ports"


@test
def tcpclient_timeouts(_):
    """tcpclient -T: the same seconds and the same words when nobody answers"""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(0)
    port = s.getsockname()[1]
    full = []
    for _ in range(4):  # who comes when the waiting room is full gets no answer
        c = socket.socket()
        c.setblocking(False)
        try:
            c.connect(("127.0.0.1", port))
        except BlockingIOError:
            pass
        full.append(c)
    options = (("-T0", 0), ("-T1", 1), ("-T0+1", 1), ("-T1+1", 2), ("-T1+0", 1), ("-qT1", 1))

    def wait(job):
        begin = time.monotonic()
        got = client(job[1], QUICK + [job[0][0], "127.0.0.1", str(port), "true"])
        return got, time.monotonic() - begin

    jobs = [(o, d) for o in options for d in (THEIRS, OURS)]
    with ThreadPoolExecutor(len(jobs)) as pool:
        results = list(pool.map(wait, jobs))
    for i, (option, seconds) in enumerate(options):
        same(option, results[2 * i][0], results[2 * i + 1][0])
        for _, took in results[2 * i:2 * i + 2]:
            if took < seconds - 0.02:
                raise AssertionError("%s gave up after %.2f s" % (option, took))
    for c in full:
        c.close()
    s.close()
    return "6 options"


@test
def mconnect_io(w):
    """mconnect-io: the same bytes both ways, the same end"""
    count = STARTS // 10
    for _ in range(count):
        inward, outward = stream(), stream()
        seen = []
        for d in (THEIRS, OURS):
            ours, far = socket.socketpair()
            p = subprocess.Popen(["bash", "-c", "exec 6<&%d 7>&%d; exec %s/mconnect-io" % (ours.fileno(), ours.fileno(), d)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 pass_fds=(ours.fileno(),), env={"PATH": "/usr/bin:/bin"})
            ours.close()
            reader = {}
            t = threading.Thread(target=lambda: reader.update(out=p.stdout.read()))
            t.start()
            p.stdin.write(inward)
            p.stdin.close()
            want = len(inward) + inward.count(b"\n")
            far.settimeout(20)
            heard = b""
            while len(heard) < want:
                heard += far.recv(65536)
            far.sendall(outward)
            far.shutdown(socket.SHUT_WR)
            code = p.wait(timeout=20)
            t.join(20)
            far.close()
            seen.append((code, heard, reader["out"], p.stderr.read()))
            p.stdout.close()
            p.stderr.close()
        same("mconnect-io of %r and %r" % (inward, outward), seen[0], seen[1])
    return "%d dialogues" % count


# ---- scripts --------------------------------------------------------------------------------------------

def their_scripts(w):
    """Theirs name the programs of /usr/bin; in the copies that we run, PATH finds them."""
    folder = os.path.join(w.dir, "scripts")
    os.makedirs(folder, exist_ok=True)
    for p in ("mconnect", "tcpcat", "who@", "date@", "finger@", "http@"):
        with open(os.path.join(THEIRS, p)) as f:
            text = f.read()
        w.file("scripts/" + p, text.replace("/usr/bin/", "").encode(), 0o755)
    return folder


RECORDER = b"""#!/bin/sh
# stands for tcpclient: what it was asked, and what came on standard input
for a in "$@"; do case $a in *addcr*) a=FILTERS ;; esac; printf '<%s>' "$a"; done >>"$CALLS"
case "$*" in *addcr*) printf ' in ' >>"$CALLS"; cat >>"$CALLS" ;; esac
printf '\\n' >>"$CALLS"
printf 'HTTP/1.0 200 OK\\nA: b\\n\\n<p>\\001text\\n'
exit 3
"""


@test
def script_calls(w):
    """mconnect, tcpcat, who@, date@, finger@, http@: tcpclient is called with the same arguments and input"""
    theirs = their_scripts(w)
    os.makedirs(os.path.join(w.dir, "fake"), exist_ok=True)
    w.file("fake/tcpclient", RECORDER, 0o755)
    calls = os.path.join(w.dir, "calls")
    count = 0
    for p in ("mconnect", "tcpcat", "who@", "date@", "finger@", "http@"):
        for args in ([], [""], ["host.example"], ["1.2.3.4", "25"], ["-x", "y"], ["a b", "c d"], ["h", ""], ["h", "u", "99"],
                     ["h", "u", ""], ["h", "", "8080", "more"], ["*", "*"], ["--help", "x"]):
            seen = []
            for d in (theirs, OURS):
                w.file("calls", b"")
                r = subprocess.run([os.path.join(d, p)] + args, stdin=subprocess.DEVNULL, timeout=20,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=w.dir,
                                   env={"PATH": os.path.join(w.dir, "fake") + ":" + OURS + ":/usr/bin:/bin", "CALLS": calls})
                with open(calls, "rb") as f:
                    seen.append((r.returncode, r.stdout, r.stderr, f.read()))
            same("%s %r" % (p, args), seen[0], seen[1])
            count += 1
    return "%d calls" % count


@test
def script_dialogues(w):
    """mconnect, tcpcat, http@: the same dialogue with a server"""
    theirs = their_scripts(w)
    count = 0
    answers = [b"", b"one\r\ntwo\nthree", b"HTTP/1.0 200 OK\r\nX: y\r\n\r\n<p>\r\ntext\r\n",
               b"HTTP/1.0 404 no\r\n\r\nlast\r", bytes(range(256)) * 40]
    for answer in answers:
        for p, args, data, until in (("tcpcat", [], b"", None), ("mconnect", [], b"", None),
                                     ("mconnect", [], b"HELO x\nQUIT\n", b"QUIT\r\n"),
                                     ("http@", ["page"], b"", b"\r\n\r\n"), ("http@", [""], b"", b"\r\n\r\n")):
            seen = []
            if p == "http@" and answer == answers[-1]:
                continue  # awk and a NUL: not theirs, not ours
            s = Server(answer, until)
            for d in (theirs, OURS):
                folder = d + (":" + THEIRS if d == theirs else "")
                r = subprocess.run([os.path.join(d, p), "127.0.0.1"] + args + [str(s.port)], input=data, timeout=20,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=w.dir,
                                   env={"PATH": folder + ":/usr/bin:/bin", "DNSCACHEIP": "127.0.0.1"})
                seen.append((r.returncode, r.stdout, r.stderr))
            s.close()
            same("%s %r: %r" % (p, args, answer), seen[0], seen[1])
            same("%s %r: heard" % (p, args), s.heard[0], s.heard[1])
            count += 1
    none = str(closed_port())
    for p, args in (("tcpcat", ["127.0.0.1", none]), ("mconnect", ["127.0.0.1", none]),
                    ("http@", ["127.0.0.1", "x", none]), ("mconnect", ["127.0.0.1", "no-such-service"])):
        seen = []
        for d in (theirs, OURS):
            folder = d + (":" + THEIRS if d == theirs else "")
            r = subprocess.run([os.path.join(d, p)] + args, stdin=subprocess.DEVNULL, timeout=20, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env={"PATH": folder + ":/usr/bin:/bin"})
            seen.append((r.returncode, r.stdout, r.stderr))
        same("%s %r" % (p, args), seen[0], seen[1])
        count += 1
    return "%d dialogues" % count


# ---- all of it ------------------------------------------------------------------------------------------


class Work:
    def __init__(self, directory):
        self.dir = directory

    def file(self, name, content, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(content)
        os.chmod(path, mode)
        return path


def is_theirs(program):
    path = os.path.join(THEIRS, program)
    if not os.access(path, os.X_OK):
        return False
    p = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                       timeout=20, env={"PATH": "/usr/bin:/bin", "DNSCACHEIP": "127.0.0.1"})
    return not p.stdout.startswith(b"portero")


def main():
    for program in PROGRAMS[:7]:
        if not is_theirs(program):
            return tap.skip("the peer is missing: apt install ucspi-tcp")
    with tap.folder() as directory:
        return tap.run(tests, Work(directory))


if __name__ == "__main__":
    sys.exit(main())
