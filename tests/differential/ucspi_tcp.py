#!/usr/bin/env python3
"""Our tcprules, tcprulescheck and tcpserver against those of ucspi-tcp, as TAP.

Same seed, same cases, every time. What differs on purpose is left out here and has its own test (see
portero-compat(7)). BIN says where our programs are."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import tap
OURS = os.path.abspath(os.environ.get("BIN", os.path.join(HERE, "../../build/bin")))
THEIRS = "/usr/bin"
SANITIZED = "sanitize" in OURS  # a sanitizer must be loaded first: no LD_PRELOAD, and fewer cases
RULE_FILES = int(os.environ.get("RULE_FILES", "60" if SANITIZED else "2100"))
LOOKUPS = int(os.environ.get("LOOKUPS", "100" if SANITIZED else "22000"))
rnd = random.Random(20261124)

tests = []


def test(f):
    tests.append(f)
    return f


def show(x):
    return x if isinstance(x, str) else repr(x)


def same(what, theirs, ours):
    if theirs != ours:
        raise AssertionError("%s\n  ucspi-tcp: %s\n  ours:      %s" % (what, show(theirs), show(ours)))


# ---- rule files ----------------------------------------------------------------------------------------

NAMES = ["A", "B", "RELAYCLIENT", "TCPREMOTEHOST", "QUEUE", "X_1", "PATH2", " LEADING", "", "b=c"]
HOSTS = ["example.com", "mail.example.com", "a.b.c.example.com", "evil.example", "localhost", "x", "", "foo-bar.example"]
INFOS = ["root", "joe", "", "a@b", "joe=x"]


def octet():
    return str(rnd.choice([0, 1, 2, 3, 10, 127, 192, 255, rnd.randrange(256)]))


def prefix():
    return "".join(octet() + "." for _ in range(rnd.randrange(4)))


def span(most=30):
    low = rnd.randrange(256)
    return "%d-%d" % (low, min(255, low + rnd.randrange(most)))


def good_address():
    host = rnd.choice(HOSTS)
    return rnd.choice([
        lambda: ".".join(octet() for _ in range(4)),
        prefix,
        lambda: prefix() + span(),
        lambda: prefix() + span(4) + "." + rnd.choice(["", octet(), octet() + "."]),
        lambda: "=" + host,
        lambda: "=." + host,
        lambda: "=",
        lambda: "",
        lambda: rnd.choice(INFOS) + "@" + ".".join(octet() for _ in range(4)),
        lambda: rnd.choice(INFOS) + "@=" + host,
    ])()


def odd_address():
    return rnd.choice([
        lambda: prefix() + "-",
        lambda: prefix() + "-%d" % rnd.randrange(40),
        lambda: prefix() + "%d-" % rnd.randrange(40),
        lambda: prefix() + "9-3",
        lambda: "1.2.3-4-5.6",
        lambda: "1.2-3.4-5",
        lambda: "1.2.3.250-999",
        lambda: "1.2.3.300-400",
        lambda: "1.2.3.18446744073709551617-3",
        lambda: "1.2.3.0-18446744073709551618",
        lambda: "my-host",
        lambda: "=my-host.example-1",
        lambda: "joe@1.2.3.4-5",
        lambda: "10.0.0.0/33",  # up to 32 it has a meaning here: tests/tcprules.bats
        lambda: "10-10.0.0.0/8",
        lambda: "joe@10.0.0.0/8",
        lambda: "[1.2.3.4]",
        lambda: "*",
        lambda: " 1.2.3.4",
        lambda: "\t",
        lambda: "Ü\xff",
        lambda: "=EVIL.Example.",
        lambda: "1.2.3.04-06",
        lambda: "1.2.3.4 ",
        lambda: "1.2.3.%d-%d\0x" % (rnd.randrange(9), rnd.randrange(20)),
        lambda: "x" * rnd.choice([255, 1000, 5000]),
        lambda: "#1.2.3.4",
    ])()


def variable(odd):
    quote = rnd.choice('"\'/|x ,=:' if odd else '"\'/|')
    value = "".join(rnd.choice("abc=,:#@\t .") for _ in range(rnd.randrange(12)))
    if odd and rnd.random() < 0.1:
        value = value + "v" * rnd.choice([200, 5000])
    return ",%s=%s%s%s" % (rnd.choice(NAMES), quote, value.replace(quote, ""), quote)


def good_line(odd=False):
    address = odd_address() if odd and rnd.random() < 0.5 else good_address()
    data = rnd.choice(["allow", "allow", "deny"])
    for _ in range(rnd.choice([0, 0, 1, 1, 2, 5])):
        data += variable(odd)
    return address + ":" + data + rnd.choice(["", "", " ", "\t \t"])


def broken_line():
    return rnd.choice([
        "1.2.3.4:Deny", "1.2.3.4: deny", "1.2.3.4:denyx", "1.2.3.4:allow,", "1.2.3.4:allow,A",
        "1.2.3.4:allow,A=", '1.2.3.4:allow,A="', '1.2.3.4:allow,A="b', '1.2.3.4:allow A="b"',
        '1.2.3.4:allow,A="b"x', '1.2.3.4:allow,A="b",', "1.2.3.4:", ":", "::1:allow", "2001:db8::1:deny",
        "1.2.3.4:allow\r", "a-b:allow", "1.2.x-5:deny", "1.2.3.4-5-6:allow", "=a:den", "1.2.3.4:allo",
        "x\0y:zeny", "1.2.3.4:deny,RELAYCLIENT=\"\0D\"", "1.2.3.4:\0deny", "k" * 3000 + ":nope",
    ])


def silent_line():
    return rnd.choice(["", "", "# comment: deny", "#", "no colon here", "   ", "\t", " # x", "127.0.0.1 allow"])


def rule_file(kind):
    lines = []
    for _ in range(rnd.choice([0, 1, 2, 3, 5, 8, 20])):
        roll = rnd.random()
        if roll < 0.15:
            lines.append(silent_line())
        elif kind == "broken" and roll < 0.25:
            lines.append(broken_line())
        else:
            lines.append(good_line(odd=kind != "good"))
    text = "\n".join(lines)
    if rnd.random() < 0.8:
        text += "\n"
    return text.encode("latin-1", "replace")


# ---- both programs on the same jobs ---------------------------------------------------------------------


class Batch:
    """Jobs for again.c, or, where nothing can be preloaded, for one process each."""

    def __init__(self, work):
        self.library = os.path.join(work, "again.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.library, os.path.join(HERE, "again.c"), "-ldl"],
                       check=True)

    def run_both(self, name, their_dir, our_dir, jobs):
        with ThreadPoolExecutor(2) as pool:
            return pool.map(lambda x: self.run(x[0] + "/" + name, x[1], jobs), [(THEIRS, their_dir), (OURS, our_dir)])

    def run(self, program, cwd, jobs):
        if "sanitize" in program:
            return self.one_by_one(program, cwd, jobs)
        results = os.path.join(cwd, "results." + ("theirs" if program.startswith(THEIRS) else "ours"))
        with open(results + ".jobs", "wb") as f:
            for job in jobs:
                f.write(b"\t".join(job) + b"\n")
        env = {"LD_PRELOAD": self.library, "AGAIN_JOBS": results + ".jobs", "AGAIN_RESULTS": results}
        subprocess.run([program], cwd=cwd, env=env, check=True, timeout=200, stdin=subprocess.DEVNULL)
        return read(results)

    def one_by_one(self, program, cwd, jobs):
        out = b""
        for job in jobs:
            if job[0] == b"check":
                env = {n: v[1:] for n, v in zip(["TCPREMOTEIP", "TCPREMOTEHOST", "TCPREMOTEINFO"], job[2:5])
                       if v.startswith(b"+")}
                p = subprocess.run([program, job[1]], cwd=cwd, env=env, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=20)
                out += p.stdout + b"exit %d\n" % p.returncode
            else:
                with open(os.path.join(cwd, os.fsdecode(job[1])), "rb") as i, \
                        open(os.path.join(cwd, os.fsdecode(job[4])), "wb") as e:
                    p = subprocess.run([program, job[2], job[3]], cwd=cwd, env={}, stdin=i, stderr=e, timeout=20)
                out += b"%d\n" % (p.returncode << 8)
        return out


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


@test
def tcprules(w):
    """tcprules: the same cdb, exit code, words and temporary file"""
    for side in ("theirs", "ours"):
        os.makedirs(os.path.join(w.dir, side))
    inputs = []
    for i in range(RULE_FILES):
        text = rule_file(("good", "odd", "broken")[i % 3])
        inputs.append(text)
        for side in ("theirs", "ours"):
            with open(os.path.join(w.dir, side, "%d.in" % i), "wb") as f:
                f.write(text)
    jobs = [tuple(b"%s" % x for x in (b"rules", b"%d.in" % i, b"%d.cdb" % i, b"%d.tmp" % i, b"%d.err" % i))
            for i in range(RULE_FILES)]
    theirs, ours = (x.split() for x in w.batch.run_both("tcprules", os.path.join(w.dir, "theirs"),
                                                        os.path.join(w.dir, "ours"), jobs))
    same("number of runs", RULE_FILES, len(theirs))
    good = 0
    for i in range(RULE_FILES):
        same("exit status for %r" % inputs[i], theirs[i], ours[i])
        for kind in ("err", "cdb", "tmp"):
            a, b = (read(os.path.join(w.dir, side, "%d.%s" % (i, kind))) for side in ("theirs", "ours"))
            if kind == "tmp" and a is not None and b is not None and theirs[i] != b"0":
                continue  # left behind by both; what is in it depends on the size of a buffer
            if kind == "err" and b is not None:  # what cannot match is said by us only
                b = re.sub(rb"^tcprules: warning: .*\n", b"", b, flags=re.M)
            same("%s for %r" % (kind, inputs[i]), a, b)
        good += theirs[i] == b"0"
    w.good = [i for i in range(RULE_FILES) if theirs[i] == b"0" and i % 3 == 0]
    return "%d rule files, %d valid" % (RULE_FILES, good)


def question():
    ip = rnd.choice([
        lambda: "+" + ".".join(octet() for _ in range(4)),
        lambda: "+" + ".".join(octet() for _ in range(4)),
        lambda: "+" + prefix(),
        lambda: "-",
        lambda: "+",
        lambda: "+2001:db8::1",
        lambda: "+1.2.3.4.5",
        lambda: "+...",
    ])()
    host = rnd.choice(["-", "+", "+." + rnd.choice(HOSTS), "+..x"] + ["+" + h for h in HOSTS] +
                      ["+www." + h for h in HOSTS if h] + ["+" + "h" * 300])
    info = rnd.choice(["-", "-", "-"] + ["+" + i for i in INFOS])
    if host.endswith(".") and host != "+.":
        host = host[:-1]
    return tuple(x.encode() for x in (ip, host, info))


@test
def tcprulescheck(w):
    """tcprulescheck: the same answer for every client"""
    cwd = os.path.join(w.dir, "theirs")
    files = rnd.sample(w.good, min(400, len(w.good)))
    jobs = [(b"check", b"%d.cdb" % files[i % len(files)]) + question() for i in range(LOOKUPS)]
    jobs.append((b"check", b"missing.cdb", b"-", b"-", b"-"))
    theirs, ours = w.batch.run_both("tcprulescheck", cwd, cwd, jobs)
    a, b = (re.split(rb"(?<=exit )(\d+)\n", x) for x in (theirs, ours))
    same("number of answers", len(jobs), len(a) // 2)
    for i, job in enumerate(jobs):
        same("%r in\n%s" % (job, (read(os.path.join(cwd, job[1].decode().replace("cdb", "in"))) or b"").decode(
            "latin-1")), a[2 * i:2 * i + 2], b[2 * i:2 * i + 2])
    matched = theirs.count(b"rule ")
    return "%d look-ups, %d of them matched a rule" % (len(jobs), matched)


# ---- tcpserver ------------------------------------------------------------------------------------------


class Server:
    def __init__(self, w, program, args, env=None, port="0", host="0", command=("true",)):
        path = os.path.join(w.dir, "log")
        if os.path.exists(path):
            os.unlink(path)
        self.log = open(path, "a+b")  # appending: we move the offset that both of us have
        environment = {"PATH": "/usr/bin:/bin"}
        environment.update(env or {})
        self.p = subprocess.Popen(["tcpserver", "-1"] + list(args) + [host, port] + list(command),
                                  executable=program, stdout=subprocess.PIPE, stderr=self.log, env=environment,
                                  cwd=w.dir, stdin=subprocess.DEVNULL)
        line = self.p.stdout.readline()
        if not line:
            raise AssertionError("no port from %s %r: %r" % (program, args, self.read_log()))
        self.port = int(line)
        self.rest = self.p.stdout.read()  # it closes its output

    def talk(self, send=b"", until_eof=True):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        if send:
            s.sendall(send)
        out = b""
        try:
            while until_eof:
                part = s.recv(65536)
                if not part:
                    break
                out += part
        except ConnectionResetError:
            out += b"<reset>"
        if until_eof:
            s.close()
            return out
        return s

    def read_log(self):
        self.log.seek(0)
        return self.log.read()

    def wait_log(self, pattern, count=1):
        for _ in range(400):
            if len(re.findall(pattern, self.read_log(), re.M)) >= count:
                return
            time.sleep(0.01)
        raise AssertionError("never came %r: %r" % (pattern, self.read_log()))

    def stop(self, number=signal.SIGTERM):
        self.p.send_signal(number)
        code = self.p.wait(timeout=10)
        log = self.read_log()
        self.log.close()
        return code, log


def mask(text, port=None):
    text = re.sub(rb"^(tcpserver: (?:pid|ok|deny|end)) \d+", rb"\1 PID", text, flags=re.M)
    text = re.sub(rb"(TCPREMOTEPORT=|socket:\[|pipe:\[|:)(\d{4,})", rb"\1N", text)
    text = re.sub(rb"(/proc/)\d+(/fd)", rb"\1N\2", text)
    return re.sub(rb"(TCPLOCALPORT=)\d+", rb"\1N", text)


def dialogue(w, program, args, clients=1, ends=None, send=b"", **more):
    s = Server(w, program, args, **more)
    said = []
    for i in range(clients):  # one after the other: how they overlap is not ours to compare
        said.append(s.talk(send))
        if any(x.startswith("-v") for x in args):
            s.wait_log(rb"^tcpserver: status: 0/", i + 2)
    code, log = s.stop()
    return {"said": [mask(x) for x in said], "exit": code, "log": mask(log), "stdout": s.rest}


SHOW = "env -0 | tr '\\0' '\\n'; echo; grep -E '^(SigBlk|SigIgn|SigCgt)' /proc/self/status; umask; pwd; " \
       "exec ls -l --time-style=+ /proc/self/fd"

LOUD = ["-v", "-HRl0"]


def cases(w):
    """name, options, and what else is needed"""
    cdb = w.cdb
    sh = ("sh", "-c", SHOW)
    yield "environment and descriptors", LOUD, dict(command=sh)
    yield "old TCP variables", LOUD, dict(command=sh, env={
        "TCPREMOTEHOST": "old", "TCPREMOTEINFO": "old", "PROTO": "X", "ZED": "1", "TCPLOCALIP": "9"})
    yield "allowed with variables", LOUD + ["-x", cdb("allow", '127.:allow,A="b",TCPREMOTEIP="9.9.9.9",ZED="x"\n')], \
        dict(command=sh, env={"A": "old", "Q": "q"})
    yield "denied", LOUD + ["-x", cdb("deny", "127.:deny\n")], dict(command=sh, clients=3)
    yield "nothing matches", LOUD + ["-x", cdb("none", "1.2.3.4:deny\n")], dict(command=("echo", "hello"))
    yield "rules missing", LOUD + ["-x", "missing.cdb"], {}
    yield "rules missing with -X", LOUD + ["-X", "-x", "missing.cdb"], dict(command=("echo", "in"))
    yield "rules empty", LOUD + ["-X", "-x", w.file("empty.cdb", b"")], {}
    yield "rules too short", LOUD + ["-x", w.file("short.cdb", b"\0" * 100)], {}
    whole = read(os.path.join(w.dir, cdb("whole", "127.0.0.1:deny\n:allow\n")))
    yield "rules cut in the tables", LOUD + ["-x", w.file("cut.cdb", whole[:-16])], {}
    yield "-x twice", LOUD + ["-x", "missing.cdb", "-x", cdb("twice", "127.:allow,A=\"2\"\n")], \
        dict(command=("sh", "-c", "echo $A"))
    yield "banner", LOUD + ["-B", "220 hello\r\n"], dict(command=("echo", "after"))
    yield "banner before deny", LOUD + ["-B", "220 hello\r\n", "-x", cdb("deny", "127.:deny\n")], {}
    yield "program not found", LOUD, dict(command=("no-such-program",))
    yield "program not executable", LOUD, dict(command=(w.file("plain", b"x"),))
    yield "program is a directory", LOUD, dict(command=("/",))
    yield "found in PATH", LOUD, dict(command=("mine", "x y"), env={"PATH": w.dir + "/one:" + w.dir + "/two"})
    yield "no PATH", LOUD, dict(command=("sh", "-c", "echo $PATH"), env={"PATH": ""})
    yield "exit code", LOUD, dict(command=("sh", "-c", "exit 7"), clients=2)
    yield "killed", LOUD, dict(command=("sh", "-c", "kill -9 $$"))
    yield "local name", ["-v", "-HR", "-l", "a%b:c d" + "x" * 120], dict(command=("sh", "-c", 'echo "$TCPLOCALHOST"'))
    yield "empty local name", ["-v", "-HR", "-l", ""], dict(command=sh)
    yield "quiet", ["-q", "-HRl0", "-x", "missing.cdb"], {}
    yield "errors only", ["-Q", "-HRl0"], dict(command=("no-such-program",))
    yield "last of -q -v", ["-q", "-v", "-HRl0"], {}
    yield "bundled options", ["-vHRl0"], dict(command=("cat", "/dev/null"))
    yield "double dash", ["-v", "-HRl0", "--"], {}
    yield "host empty", LOUD, dict(host="")
    yield "host dotted", LOUD, dict(host="127.0.0.1", command=("sh", "-c", "echo $TCPLOCALIP"))
    yield "host zeros", LOUD, dict(host="127.000.0.01", command=("sh", "-c", "echo $TCPLOCALIP"))
    yield "host bracket", LOUD, dict(host="[127.0.0.1]", command=("sh", "-c", "echo $TCPLOCALIP"))
    yield "echo", LOUD + ["-D"], dict(command=("sh", "-c", "read a; echo got $a"), send=b"line\n")
    yield "ident, which nobody answers", ["-v", "-Hl0", "-t5"], dict(command=("sh", "-c", "echo ${TCPREMOTEINFO-unset}"))


@test
def sessions(w):
    """tcpserver: the same output, environment, log and exit code"""
    count = 0
    for name, args, more in cases(w):
        theirs = dialogue(w, THEIRS + "/tcpserver", args, **more)
        ours = dialogue(w, OURS + "/tcpserver", args, **more)
        for part in theirs:
            same("%s: %s" % (name, part), theirs[part], ours[part])
        count += 1
    return "%d sessions" % count


@test
def limit(w):
    """tcpserver -c: who comes when it is full waits, and is served"""
    seen = []
    for program in (THEIRS, OURS):
        s = Server(w, program + "/tcpserver", LOUD + ["-c", "2"], command=("sh", "-c", "echo in; read x; echo out"))
        first = [s.talk(until_eof=False) for _ in range(3)]
        s.wait_log(rb"^tcpserver: status: 2/2")
        time.sleep(0.1)
        full = s.read_log()
        for c in first:
            c.sendall(b"x\n")
        said = []
        for c in first:
            out = b""
            while True:
                part = c.recv(100)
                if not part:
                    break
                out += part
            said.append(out)
        s.wait_log(rb"^tcpserver: end ", 3)
        code, log = s.stop()
        # in which order one ends and the next one comes is the kernel's business
        lines = sorted(x for x in mask(log).split(b"\n") if b"status: " not in x)
        seen.append((said, code, lines, sorted(mask(full).split(b"\n"))))
        if b"status: 3/" in log:
            raise AssertionError("more than the limit: %r" % log)
    for a, b in zip(seen[0], seen[1]):
        same("limit", a, b)
    return "3 clients at -c 2"


@test
def signals(w):
    """tcpserver: the same end by each signal (HUP and USR2 are different on purpose), children live on"""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGALRM):
        ends = []
        for program in (THEIRS, OURS):
            s = Server(w, program + "/tcpserver", LOUD, command=("sh", "-c", "echo in; read x; echo still here"))
            c = s.talk(until_eof=False)
            assert c.recv(10) == b"in\n"
            code, _ = s.stop(number)
            c.sendall(b"x\n")
            ends.append((code, c.recv(100)))
            c.close()
        same(str(number), ends[0], ends[1])
    for number in (signal.SIGPIPE, signal.SIGCHLD):
        for program in (THEIRS, OURS):
            s = Server(w, program + "/tcpserver", LOUD, command=("echo", "alive"))
            s.p.send_signal(number)
            same(str(number), b"alive\n", s.talk())
            s.stop()
    return "7 signals"


USAGE_CASES = [
    [], ["-v"], ["-q"], ["-Z"], ["-q", "-Z"], ["-vZ"], ["-c"], ["-x"], ["-vc"], ["0"], ["0", "0"], ["-q", "0"], ["-q", "0", "0"],
    ["0", "no-such-service"], ["-q", "0", "no-such-service"], ["0", "no-such-service", "true"], ["0", "1x", "true"],
    ["-1"], ["--"], ["--", "0"], ["-"], ["-", "0"],
    ["-HRl0", "-b"], ["-t"], ["-g"], ["-u"], ["-l"], ["-B"], ["-1UX"], ["-?"],
]


@test
def usage(w):
    """tcpserver: the same words and exit code for what cannot be started"""
    for args in USAGE_CASES:
        seen = []
        for program in (THEIRS, OURS):
            p = subprocess.run(["tcpserver"] + args, executable=program + "/tcpserver", timeout=10, cwd=w.dir,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={"PATH": "/usr/bin:/bin", "UID": "0", "GID": "0"})
            seen.append((p.returncode, p.stdout, p.stderr))
        same(repr(args), seen[0], seen[1])
    busy = socket.socket()
    busy.bind(("0.0.0.0", 0))
    busy.listen()
    seen = []
    for program in (THEIRS, OURS):
        p = subprocess.run([program + "/tcpserver", "0", str(busy.getsockname()[1]), "true"], timeout=10,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        seen.append((p.returncode, p.stdout, p.stderr))
    same("port in use", seen[0], seen[1])
    return "%d command lines" % (len(USAGE_CASES) + 1)


@test
def files(w):
    """tcprules and tcprulescheck: the same words for files that cannot be used"""
    os.makedirs(os.path.join(w.dir, "adir"), exist_ok=True)
    w.file("plain.in", b":allow\n")
    w.file("empty", b"")
    w.file("zeros", b"\0" * 100)
    lines = [
        "tcprules", "tcprules x", "tcprules x /no/dir < plain.in", "tcprules /no/dir/x t1 < plain.in",
        "tcprules adir t2 < plain.in", "tcprules x adir < plain.in", "tcprules x t3 < adir", "tcprules x t4 <&-",
        "tcprules x /dev/full < plain.in", "tcprules x t5 extra < plain.in", "tcprules x t6 < empty",
        "tcprulescheck", "tcprulescheck missing", "tcprulescheck empty", "tcprulescheck zeros",
        "tcprulescheck /no/dir/x", "tcprulescheck x extra",
    ]
    for line in lines:
        seen = []
        for program in (THEIRS, OURS):
            for f in ("x", "t1", "t2", "t3", "t4", "t5", "t6"):
                if os.path.exists(os.path.join(w.dir, f)):
                    os.unlink(os.path.join(w.dir, f))
            if line == "tcprulescheck x extra":
                w.file("x", read(os.path.join(w.dir, w.cdb("whole", "127.0.0.1:deny\n:allow\n"))))
            p = subprocess.run(["sh", "-c", line], cwd=w.dir, timeout=10, stdin=subprocess.DEVNULL, env={"PATH": program + ":/bin"},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            seen.append((p.returncode, p.stdout, p.stderr, read(os.path.join(w.dir, "x")),
                         sorted(f for f in os.listdir(w.dir) if re.fullmatch(r"t\d", f))))
        same(line, seen[0], seen[1])
    return "%d command lines" % len(lines)


# ---- all of it ------------------------------------------------------------------------------------------


class Work:
    def __init__(self, directory):
        self.dir = directory
        self.batch = Batch(directory)
        for d in ("one", "two"):
            os.makedirs(os.path.join(directory, d))
        self.file("two/mine", b"#!/bin/sh\necho mine $#\n", 0o755)

    def file(self, name, content, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(content)
        os.chmod(path, mode)
        return name

    def cdb(self, name, text):
        subprocess.run([THEIRS + "/tcprules", name + ".cdb", name + ".tmp"], input=text.encode(), cwd=self.dir, check=True)
        return name + ".cdb"


def main():
    for program in ("tcprules", "tcprulescheck", "tcpserver"):
        if not os.access(os.path.join(THEIRS, program), os.X_OK):
            return tap.skip("the peer is missing: apt install ucspi-tcp")
    if shutil.which("cc") is None:
        return tap.skip("no C compiler: apt install gcc")
    with tap.folder() as directory:
        return tap.run(tests, Work(directory))


if __name__ == "__main__":
    sys.exit(main())
