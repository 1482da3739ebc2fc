"""resident.py PROGRAM-FOLDER SCENARIO [FOLDER]: the server's side of portero-resident(7), byte by byte.

Plays a server for smtpd (or, with "example", for the program of the manual page) and says in TAP what it saw."""
import array
import os
import re
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MARK = b"ZqMarkZq"
checks = [0, 0]


def ok(good, name):
    checks[0] += 1
    checks[1] += not good
    print(f"{'' if good else 'not '}ok {checks[0]} - {name}", flush=True)
    return good


class Worker:
    """One program and its control socket. Each connection is a pair: ours is self.client."""

    def __init__(self, argv, env, bound=100):
        self.env = {"PATH": os.environ["PATH"], "RESIDENT": "3", "RESIDENT_MAX": str(bound)}
        self.env.update(env)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(10)
        self.number = 0
        connection = self.connect()
        self.log = open("log", "ab")
        self.process = subprocess.Popen(argv, stdin=connection, stdout=connection, stderr=self.log, env=self.env,
                                        pass_fds=[3], preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()
        connection.close()

    def connect(self):
        self.client, connection = socket.socketpair()
        self.client.settimeout(10)
        self.greeting = None
        return connection

    def send(self, block, count=1):
        connection = self.connect()
        self.number = os.fstat(connection.fileno()).st_ino
        rights = array.array("i", [connection.fileno()] * count)
        self.control.sendmsg([block], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if count else [])
        connection.close()

    def hand_over(self, env):
        whole = {"PATH": os.environ["PATH"], "RESIDENT": "3", "RESIDENT_MAX": self.env["RESIDENT_MAX"]}
        whole.update(env)
        self.send(b"".join(f"{k}={v}".encode() + b"\0" for k, v in whole.items()))

    def packet(self):
        """(bytes, descriptors) of the program's next word; (b"", []) at its end."""
        data, rights, _, _ = self.control.recvmsg(64, 64)
        fds = array.array("i")
        for level, kind, content in rights:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(content)
        return data, list(fds)

    def say(self, text):
        """Behind the greeting: whoever talks first is refused."""
        if self.greeting is None:
            self.hear(b"\r\n")
        self.client.sendall(text)

    def hear(self, until=None):
        """Everything up to the end, or up to what is waited for; the greeting, if it has not been heard yet."""
        got = b""
        if self.greeting is None and until is None:
            got = self.hear(b"\r\n")
        while until is None or until not in got:
            piece = self.client.recv(65536)
            if piece == b"":
                break
            got += piece
        if self.greeting is None:
            self.greeting = got
        return got

    def talk(self, *lines):
        self.say(b"".join(line + b"\r\n" for line in lines))
        return self.greeting + self.hear()

    def code(self):
        return self.process.wait(timeout=10)

    def end(self):
        self.control.close()
        return self.code()


def mapped(pid):
    """Every writable byte of a process, one mapping after another."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            if "rw" in rights and "[v" not in line:
                first, last = (int(x, 16) for x in span.split("-"))
                mem.seek(first)
                yield line.split()[-1], mem.read(last - first)


def places(pid, what):
    return [f"{name} ({memory.count(what)})" for name, memory in mapped(pid) if what in memory]


# ---- smtpd -------------------------------------------------------------------------------------------------

class Home:
    """A PORTERO_HOME of its own, and the queue's command."""

    def __init__(self, bin_folder):
        self.smtpd = os.path.join(bin_folder, "smtpd")
        self.path = os.path.abspath("home")
        for folder in ("control", "Maildir/tmp", "Maildir/new", "Maildir/cur"):
            os.makedirs(os.path.join(self.path, folder), exist_ok=True)
        self.control("me", "mx.example.org")
        self.control("rcpthosts", "example.org")
        maildir = os.path.join(bin_folder, "queue-maildir") + f" {self.path}/Maildir"
        self.queue = os.environ.get("QUEUE_DOOR", maildir)

    def control(self, name, text):
        with open(os.path.join(self.path, "control", name), "w", encoding="ascii") as f:
            f.write(text + "\n")

    def env(self, **more):
        return {"PORTERO_HOME": self.path, "QMAILQUEUE": self.queue, "PROTO": "TCP", "TCPREMOTEIP": "192.0.2.1",
                **more}

    def worker(self, bound=100, **more):
        return Worker([self.smtpd], self.env(**more), bound)

    def mails(self):
        new = os.path.join(self.path, "Maildir/new")
        return [open(os.path.join(new, name), "rb").read() for name in sorted(os.listdir(new))]


MAIL = (b"EHLO client.example", b"MAIL FROM:<s@client.example>", b"RCPT TO:<u@example.org>", b"DATA", b"text", b".",
        b"QUIT")


def serves(home):
    w = home.worker(TCPREMOTEHOST="first.example")
    ok(b"\r\n250 2.0.0 ok " in w.talk(*MAIL), "the first connection is as ever")
    ok(w.packet() == (b"D\0", []), "done, with the exit code of QUIT")
    ok(not os.path.exists(f"/proc/{w.process.pid}/fd/0"), "descriptor 0 is closed: it is where the next one comes")
    ok(os.readlink(f"/proc/{w.process.pid}/fd/1") == "/dev/null", "descriptor 1 is /dev/null")
    w.hand_over(home.env(TCPREMOTEIP="192.0.2.2"))
    ok(b"\r\n250 2.0.0 ok " in w.talk(*MAIL), "the second")
    ok(w.packet() == (b"D\0", []), "done again")
    mails = home.mails()
    ok(len(mails) == 2 and any(b"from first.example (HELO client.example) (192.0.2.1)" in m for m in mails),
       "the first message is the first client's")
    ok(any(b"from unknown (HELO client.example) (192.0.2.2)" in m for m in mails), "the second, the second's")
    before = sorted(os.listdir(f"/proc/{w.process.pid}/fd"))
    w.hand_over(home.env())
    w.say(b"EHLO client.example\r\n" * 2)
    w.hear(b"ENHANCEDSTATUSCODES\r\n")
    w.client.close()
    ok(w.packet() == (b"D\1", []), "a client that just leaves: the exit code is 1")
    w.hand_over(home.env())
    w.say(b"\r\n".join(MAIL[:5]) + b"\r\nno end")
    w.hear(b"354")
    w.client.close()
    ok(w.packet() == (b"D\1", []), "one that leaves in the midst of its message too")
    ok(sorted(os.listdir(f"/proc/{w.process.pid}/fd")) == before, "no descriptor is left behind")
    w.hand_over(home.env())
    ok(b"\r\n250 2.0.0 ok " in w.talk(*MAIL), "and the next one is served")
    ok(w.packet() == (b"D\0", []) and w.end() == 0, "the server's end is the program's, with the last exit code")
    ok(len(home.mails()) == 3, "the message without an end is not kept")


def memory(home):
    w = home.worker(TCPREMOTEHOST=MARK.decode(), TCPREMOTEINFO=MARK.decode(), RELAYCLIENT=MARK.decode())
    pid = w.process.pid
    for round_ in ("first", "second"):
        w.hear(b"ESMTP\r\n")
        w.say(b"HELO " + MARK + b"\r\nMAIL FROM:<" + MARK + b"@" + MARK + b".example>\r\n")
        w.say(b"".join(b"RCPT TO:<" + MARK + b"%d@example.org>\r\n" % i for i in range(500)))
        w.say(MARK * 100 + b"\r\n" + b"VRFY " + MARK * 500 + b"\r\nMAIL FROM:<a@b> X" + MARK + b"=1\r\n")
        w.say(b"MAIL FROM:<" + MARK + b"..@x>\r\nDATA\r\n" + (b"X-" + MARK + b": " + MARK * 10 + b"\r\n") * 2000)
        w.hear(b"354")
        ok(len(places(pid, MARK)) > 0, f"the {round_} client's bytes can be found while it is here")
        w.say(b".\r\n" + MARK * 30 + b"\r\nRCPT TO:<" + MARK + b"@elsewhere.example>\r\nQUIT\r\n")
        ok(b"\r\n221 " in w.hear(), "a session with everything in it")
        ok(w.packet() == (b"D\0", []), "is done")
        left = places(pid, MARK)
        if not ok(left == [], "and nothing of it is left"):
            print("# " + ", ".join(left))
        w.hand_over(home.env(TCPREMOTEHOST=MARK.decode(), RELAYCLIENT=MARK.decode() * 3))
    w.hear(b"ESMTP\r\n")
    w.say(MARK * 9000)
    w.hear(b"421")
    ok(w.packet() == (b"D\3", []) and places(pid, MARK) == [], "nor of a line without an end")
    w.hand_over(home.env())
    w.hear(b"ESMTP\r\n")
    ok(places(pid, MARK) == [], "nor is anything there when the next one is")
    w.say(b"QUIT\r\n")
    ok(w.packet() == (b"D\0", []) and w.end() == 0, "the end")


def bound(home):
    w = home.worker(bound=3)
    w.talk(b"QUIT")
    first = w.packet()
    w.hand_over(home.env())
    w.talk(b"QUIT")
    ok((first, w.packet()) == ((b"D\0", []), (b"D\0", [])), "two of three are done")
    w.hand_over(home.env())
    w.hear(b"ESMTP\r\n")
    w.client.shutdown(socket.SHUT_WR)
    ok(w.packet() == (b"", []) and w.code() == 1, "the third one ends the process, with its exit code")
    w = home.worker(bound=1)
    w.talk(b"QUIT")
    ok(w.packet() == (b"", []) and w.code() == 0, "a bound of one")


def gives_back(home, w, name):
    """The next connection is not for this process."""
    w.hand_over(home.env())
    number = w.number
    data, fds = w.packet()
    same = len(fds) == 1 and os.fstat(fds[0]).st_ino == number
    if ok(data == b"B" and same, f"{name}: the connection comes back"):
        os.write(fds[0], b"untouched")
        ok(w.hear(b"untouched") == b"untouched", "and nothing was said on it")
    for fd in fds:
        os.close(fd)
    ok(w.packet() == (b"", []), "the process ends")
    w.code()


def ready(home, **more):
    w = home.worker(**more)
    w.talk(b"QUIT")
    ok(w.packet() == (b"D\0", []), "ready")
    return w


def controls(home):
    path = os.path.join(home.path, "control", "")
    w = ready(home)
    w.hand_over(home.env())
    reply = w.talk(b"HELO x", b"MAIL FROM:<>", b"RCPT TO:<u@late.example>", b"QUIT")
    ok(b"\r\n553 " in reply and w.packet() == (b"D\0", []), "not yet a domain of ours")
    home.control("rcpthosts", "late.example")
    gives_back(home, w, "a file written in place")
    w = home.worker()
    ok(b"\r\n553 " not in w.talk(b"HELO x", b"MAIL FROM:<>", b"RCPT TO:<u@late.example>", b"QUIT"),
       "a fresh process takes mail for the domain")
    w.packet()
    home.control("new.tmp", "late.example")
    gives_back(home, w, "a new file")
    w = ready(home)
    os.rename(path + "new.tmp", path + "rcpthosts")
    gives_back(home, w, "a file renamed over another")
    home.control("badmailfrom", "x@y")
    w = ready(home)
    os.unlink(path + "badmailfrom")
    gives_back(home, w, "a file that is gone")
    w = ready(home)
    os.chmod(path + "rcpthosts", 0o600)
    gives_back(home, w, "other rights")
    os.mkdir("elsewhere")
    with open("elsewhere/badmailfrom", "w", encoding="ascii") as f:
        f.write("x@y\n")
    os.symlink(os.path.abspath("elsewhere/badmailfrom"), path + "badmailfrom")
    w = ready(home)
    with open("elsewhere/badmailfrom", "a", encoding="ascii") as f:
        f.write("z@y\n")
    gives_back(home, w, "the target of a link")
    w = ready(home)
    with open("elsewhere/new", "w", encoding="ascii") as f:
        f.write("z@y\n")
    os.rename("elsewhere/new", "elsewhere/badmailfrom")
    gives_back(home, w, "a new target of a link")
    os.link(path + "me", "elsewhere/me")
    w = ready(home)
    with open("elsewhere/me", "w", encoding="ascii") as f:
        f.write("other.example.org\n")
    gives_back(home, w, "a file by its other name")
    w = ready(home)
    os.rename(home.path + "/control", home.path + "/control.old")
    os.symlink("control.old", home.path + "/control")
    gives_back(home, w, "another directory")
    w = ready(home)
    os.listdir(path)
    with open(path + "me", encoding="ascii") as f:
        f.read()
    w.hand_over(home.env())
    ok(b"other.example.org" in w.talk(b"QUIT") and w.packet() == (b"D\0", []), "to read changes nothing")
    w.end()


def environment(home):
    script = os.path.abspath("queue")
    with open(script, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nenv | sort >env.tmp; cat >/dev/null; cat <&1 >/dev/null; mv env.tmp env\n")
    os.chmod(script, 0o755)
    home.queue = script

    def queue_env():
        name = os.path.join(home.path, "env")
        text = open(name, encoding="ascii").read()
        os.unlink(name)
        return text.splitlines()

    size = (b"HELO x", b"MAIL FROM:<> SIZE=100", b"QUIT")
    relay = (b"HELO x", b"MAIL FROM:<>", b"RCPT TO:<u@elsewhere.example>", b"QUIT")
    w = home.worker(RELAYCLIENT="", DATABYTES="99", TCPREMOTEHOST="first.example", TCPREMOTEINFO="joe")
    w.talk(*MAIL)
    ok(w.packet() == (b"D\0", []), "a client that may relay")
    first = queue_env()
    ok("RELAYCLIENT=" in first and "TCPREMOTEHOST=first.example" in first, "its queue program knows")
    w.hand_over(home.env(TCPREMOTEIP="192.0.2.2"))
    reply = w.talk(*relay)
    ok(b"\r\n553 " in reply and w.packet() == (b"D\0", []), "the next one may not")
    w.hand_over(home.env())
    ok(b"\r\n552 " not in w.talk(*size) and w.packet() == (b"D\0", []), "nor has it the other's DATABYTES")
    bare = (b"MAIL FROM:<s@client.example>", b"RCPT TO:<u@example.org>", b"DATA", b"a\rb", b".", b"QUIT")
    w.hand_over(home.env(SMTPNEWLINE="keep"))
    ok(b"\r\n250 ok " in w.talk(*bare) and w.packet() == (b"D\0", []), "SMTPNEWLINE is this connection's")
    w.hand_over(home.env())
    ok(b"\r\n550 " in w.talk(*bare) and w.packet() == (b"D\0", []), "and not the next one's")
    w.hand_over(home.env(DATABYTES="10"))
    ok(b"\r\n552 " in w.talk(*size) and w.packet() == (b"D\0", []), "but its own")
    w.hand_over(home.env(TCPREMOTEIP="192.0.2.3", RELAYCLIENT="@gw.example"))
    w.talk(*MAIL)
    w.packet()
    now = queue_env()
    ok("TCPREMOTEIP=192.0.2.3" in now and "RELAYCLIENT=@gw.example" in now, "the queue program has the new ones")
    ok(not any(v.startswith(("TCPREMOTEHOST=", "TCPREMOTEINFO=", "DATABYTES=")) for v in now), "and no old one")
    ok(f"PORTERO_HOME={home.path}" in now and f"QMAILQUEUE={script}" in now, "and everything else")
    with open(f"/proc/{w.process.pid}/environ", "rb") as f:
        ok(b"first.example" not in f.read(), "/proc does not show the first client's any more")
    block = list({**w.env, **home.env()}.items())[::-1]
    w.send(b"".join(f"{k}={v}".encode() + b"\0" for k, v in block))
    ok(b"\r\n221 " in w.talk(b"HELO x", b"QUIT") and w.packet() == (b"D\0", []), "their order means nothing")
    w.hand_over({**home.env(), "QMAILQUEUE": "/bin/false"})
    data, fds = w.packet()
    ok(data == b"B" and len(fds) == 1, "another queue: the connection comes back")
    w.code()
    for more, name in (({"MORE": "1"}, "one variable more"), ({"PATH": "/bin"}, "another PATH")):
        w = ready(home)
        w.hand_over(home.env(**more))
        ok(w.packet()[0] == b"B", name + ": the connection comes back")
        w.code()
    w = ready(home, FEW="1")
    w.hand_over(home.env())
    ok(w.packet()[0] == b"B", "one variable fewer: the connection comes back")
    w.code()


def packets(home):
    whole = b"".join(f"{k}={v}".encode() + b"\0" for k, v in home.env().items())
    for block, count, name in ((whole, 0, "no connection"), (whole, 2, "two of them"), (whole[:-1], 1, "no last NUL"),
                               (b"=x\0" + whole, 1, "no name"), (b"X\0" + whole, 1, "no value"),
                               (b"X=" + b"x" * 65536 + b"\0", 1, "a block that is too large")):
        w = ready(home)
        w.send(block, count)
        ok(w.packet() == (b"", []) and w.code() == 0, name + ": the process ends")
        ok(count == 0 or w.hear() == b"", "and its connection")
    w = ready(home)
    w.process.send_signal(signal.SIGSTOP)
    w.process.send_signal(signal.SIGCONT)
    w.hand_over(home.env())
    ok(b"221" in w.talk(b"QUIT") and w.packet() == (b"D\0", []), "stopped and continued: it goes on waiting")
    w.process.kill()
    ok(w.packet() == (b"", []) and w.code() == -9, "killed: the server sees it at once")
    w = home.worker(QMAILQUEUE="")
    w.talk(b"QUIT")
    ok(w.packet() == (b"", []) and w.code() == 0, "without a queue it serves one connection")


def broker_holds_nothing(home):
    """While the queue's broker lives, the server must still see that smtpd has ended."""
    script = os.path.abspath("slow")
    with open(script, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\necho >started; cat >/dev/null; cat <&1 >/dev/null; cat gate; exit 0\n")
    os.chmod(script, 0o755)
    os.mkfifo(os.path.join(home.path, "gate"))
    home.queue = script
    w = home.worker()
    w.say(b"\r\n".join(MAIL) + b"\r\n")
    while not os.path.exists(os.path.join(home.path, "started")):
        time.sleep(0.02)
    w.process.kill()
    ok(w.packet() == (b"", []), "smtpd is gone though its queue program runs")
    ok(b"\r\n250 " in w.hear(), "and so is the connection")  # whether 354 was said by then is no matter
    with open(os.path.join(home.path, "gate"), "w", encoding="ascii"):
        pass
    w.code()


def stranger(home):
    """RESIDENT of somebody else: descriptor 3 is not what it says."""
    env = {**home.env(), "PATH": os.environ["PATH"], "RESIDENT": "3", "RESIDENT_MAX": "5"}
    for redirect in ("3<&-", "3</dev/null"):
        got = subprocess.run(["sh", "-c", f'exec "$0" {redirect}', home.smtpd], input=b"HELO x\r\nQUIT\r\n", env=env,
                             capture_output=True, timeout=10, check=False)
        ok(got.returncode == 0 and b"\r\n221 " in got.stdout, f"with {redirect} it serves one connection")


# ---- the manual page's program -----------------------------------------------------------------------------

def example():
    with open(os.path.join(HERE, "../tcpserver/portero-resident.7"), encoding="ascii") as f:
        page = f.read()
    text = re.search(r"^\.Bd -literal\n(#define.*?)^\.Ed$", page, re.S | re.M)[1].replace("\\e", "\\")
    with open("example.c", "w", encoding="ascii") as f:
        f.write(text)
    built = subprocess.run(["cc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-o", "example", "example.c"], check=False)
    if not ok(built.returncode == 0, "the example of the manual page compiles without a warning"):
        return
    w = Worker(["./example"], {"TCPREMOTEIP": "192.0.2.1"}, bound=3)
    ok(w.hear() == b"hello 192.0.2.1\r\n" and w.packet() == (b"D\0", []), "and serves one connection")
    w.hand_over({"TCPREMOTEIP": "192.0.2.2"})
    ok(w.hear() == b"hello 192.0.2.2\r\n" and w.packet() == (b"D\0", []), "two")
    w.hand_over({})
    ok(w.hear() == b"hello stranger\r\n" and w.packet() == (b"", []) and w.code() == 0, "three, and ends")
    w = Worker(["./example"], {})
    ok(w.hear() == b"hello stranger\r\n" and w.packet() == (b"D\0", []) and w.end() == 0, "or when the server ends")
    alone = subprocess.run(["./example"], env={}, capture_output=True, timeout=10, check=False)
    ok(alone.returncode == 0 and alone.stdout == b"hello stranger\r\n", "alone it serves one")


def main():
    bin_folder, scenario = os.path.abspath(sys.argv[1]), sys.argv[2]
    os.environ.pop("RELAYCLIENT", None)
    while os.dup(2) < 10:  # what a program gets as descriptor 3 is nothing of ours
        pass
    if scenario == "example":
        example()
    else:
        {"serves": serves, "memory": memory, "bound": bound, "controls": controls, "environment": environment,
         "packets": packets, "broker": broker_holds_nothing, "stranger": stranger}[scenario](Home(bin_folder))
    print(f"1..{checks[0]}")
    sys.exit(checks[1] != 0)


main()
