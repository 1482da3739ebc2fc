"""kill_sweep.py BIN HOME TARGET: kills a process of a delivery with SIGKILL, once at every point, and looks.

TARGET  smtpd, broker or back-end: before each of its system calls in turn. strace injects the signal; it counts
        each kind of call for itself, so a point is "the third read". The kinds are learnt from a delivery
        without a kill, and each kind is gone through until a delivery has no such call left.
        moments: smtpd and the back end, at moments spread over a delivery, within system calls too.

After each kill new/ of the Maildir holds one file at most, whole if there; and exactly one if the client got
its 250, as soon as it got it. No process may be left over. Comments for TAP on stdout; exit 0, 1 with what went wrong, or 77 with
the reason why it cannot be tried here.

Not twice is said of one delivery. A client that lost its reply sends its mail again, and no server can help
that: RFC 1047. How often that would be is counted.
"""
import ctypes
import multiprocessing
import os
import socket
import subprocess
import sys
import time

import maildir

BIN, HOME, TARGET = (os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3])
WAIT_S = 10         # for whatever is answered at once
POINTS_MAX = 500    # of one kind; a sweep that finds no end is an error
MOMENTS = 40
PR_SET_CHILD_SUBREAPER = 36
CANNOT_TRY = 77

# The second passes the back end's memory for held messages, so that it takes the way through a side file.
MESSAGES = {
    "small": b"Subject: x\n\nhello\n.dot\n",
    "300 KB": b"Subject: x\n\n" + b"".join(b"line %05d of a message\n" % i for i in range(12500)),
}


class Case:
    """One delivery in a home of its own: smtpd on a socket, and a Maildir."""

    def __init__(self, name, message):
        self.message = message
        self.home = os.path.join(HOME, name)
        self.trace = os.path.join(self.home, "trace")
        self.box = os.path.join(self.home, "Maildir")
        for folder in "control", "Maildir/tmp", "Maildir/new", "Maildir/cur":
            os.makedirs(os.path.join(self.home, folder), exist_ok=True)
        for control, text in ("me", "mx.example.org\n"), ("rcpthosts", "example.org\n"):
            with open(os.path.join(self.home, "control", control), "w", encoding="ascii") as f:
                f.write(text)

    def start(self, smtpd_prefix=(), queue_prefix=()):
        maildir.empty(self.box)
        back_end = [*queue_prefix, os.path.join(BIN, "queue-maildir"), "Maildir"]
        env = {"PATH": os.environ["PATH"], "PORTERO_HOME": self.home, "QMAILQUEUE": " ".join(back_end)}
        mine, its = socket.socketpair()
        mine.settimeout(WAIT_S)
        smtpd = subprocess.Popen([*smtpd_prefix, os.path.join(BIN, "smtpd")], env=env, stdin=its, stdout=its,
                                 stderr=subprocess.DEVNULL)
        its.close()
        return smtpd, mine

    def delivered(self):
        return len(os.listdir(os.path.join(self.box, "new")))

    def problem(self, kept):
        """What is wrong with the Maildir, given whether the client was told 250. None: nothing."""
        try:
            mails = maildir.new_mail(self.box)
        except ValueError as e:
            return f"half a message: {e}"
        if len(mails) > 1:
            return f"{len(mails)} files in new/"
        if kept and not mails:
            return "250, and nothing in new/"
        for mail in mails:
            if mail[:2] != (b"s@client.example", [b"u@example.org"]) or mail.text != self.message:
                return f"not the message that was sent: {len(mail.text)} bytes of {len(self.message)}"
        return None


class Client:
    """Speaks to smtpd until it ends or dies. Kept is True once it has answered the text with 250, early if
    the message was not yet in the Maildir then."""

    def __init__(self, sock):
        self.sock = sock
        self.replies = sock.makefile("rb")
        self.kept = self.early = False

    def command(self, line):
        """The code of its reply, '' when there was none."""
        self.sock.sendall(line + b"\r\n")
        return self.reply()

    def reply(self):
        line = b"-" * 4
        while line[3:4] == b"-":
            line = self.replies.readline()
        return line[:3].decode() if line.endswith(b"\r\n") else ""

    def greeting(self):
        try:
            return self.reply()
        except OSError:
            return ""

    def send(self, case):
        try:
            for line in b"EHLO c", b"MAIL FROM:<s@client.example>", b"RCPT TO:<u@example.org>":
                if self.command(line) != "250":
                    return
            if self.command(b"DATA") != "354":
                return
            self.sock.sendall(maildir.to_wire(case.message))
            self.kept = self.reply() == "250"
            self.early = self.kept and case.delivered() == 0
            self.command(b"QUIT")
        except (BrokenPipeError, ConnectionResetError):
            pass  # it died before it had read all

    def close(self):
        self.replies.close()
        self.sock.close()


def become_reaper():
    """What a killed parent leaves becomes our child, so that we can tell when the last of them has ended."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1:
        sys.exit("prctl(PR_SET_CHILD_SUBREAPER) failed")


def children_of(pid):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="latin-1") as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(entry))
    return found


def reap_all():
    """None when every process of the delivery has ended, else what is left (and is ended now)."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.001)
        except ChildProcessError:
            return None
    left = children_of(os.getpid())
    for pid in left:
        os.kill(pid, 9)
    return f"{len(left)} processes left over"


def strace(case, kind=None, count=0):
    """The words that trace a program, and kill it before it makes its count-th call of this kind."""
    kill = () if kind is None else ("-e", f"inject={kind}:signal=KILL:when={count}")
    return ["strace", "-q", "-s", "8", "-o", case.trace, *kill]


def traced(case):
    """The lines that strace wrote: a call each, and how the process ended."""
    with open(case.trace, encoding="latin-1") as f:
        return f.read().splitlines()


def attach_to_broker(smtpd, killer):
    """The broker is the only child of a smtpd that has greeted."""
    broker, = children_of(smtpd.pid)
    command = [word for word in killer if word != "-q"]  # it shall say "attached"
    tracer = subprocess.Popen([*command, "-p", str(broker)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = tracer.stderr.readline()
    if b"attached" not in said:
        sys.exit(f"strace -p: {said.decode()}")
    return tracer


def deliver(case, target, killer):
    """One delivery. The killer is what stands before the target's command, or attaches to the broker, which
    has none. (was the client told 250, what else is wrong)"""
    smtpd, sock = case.start(killer if target == "smtpd" else (), killer if target == "back-end" else ())
    client = Client(sock)
    tracer = None
    if client.greeting() == "220":
        if target == "broker":
            tracer = attach_to_broker(smtpd, killer)
        client.send(case)
    client.close()
    smtpd.wait(WAIT_S)
    if tracer is not None:
        tracer.wait(WAIT_S)
        tracer.stderr.close()
    left = reap_all()
    return client.kept, "250 before the message was in new/" if client.early else left


def kinds_of_calls(trace):
    """Each kind with the count to begin at. Before its greeting smtpd has nothing that it could lose, nor has
    queue-maildir before its umask(2)."""
    begin = next((i for i, line in enumerate(trace) if '"220 ' in line or line.startswith("umask(")), 0)
    calls = [line.partition("(")[0] for line in trace if "(" in line]
    return {kind: 1 + calls[:begin].count(kind) for kind in calls}


def sweep(job):
    """(a line to print, problems)"""
    target, size = job
    case = Case(f"{target} {size}".replace(" ", "-"), MESSAGES[size])
    points = unanswered = 0
    kept, wrong = deliver(case, target, strace(case))
    problems = [] if kept and not wrong else [f"{target}, {size}, not killed: kept is {kept}, {wrong}"]
    for kind, first in kinds_of_calls(traced(case)).items():
        for count in range(first, first + POINTS_MAX):
            kept, wrong = deliver(case, target, strace(case, kind, count))
            end = traced(case)
            killed = "killed by SIGKILL" in end[-1]
            wrong = wrong or case.problem(kept)
            if not killed and not kept:
                wrong = wrong or "not killed, and not delivered either"
            if wrong:
                problems.append(f"{target}, {size}, {kind} {count}, last lines of its trace {end[-2:]}: {wrong}")
            if not killed:
                break
            points += 1
            unanswered += not kept and case.delivered() > 0
        else:
            problems.append(f"{target}, {size}, {kind}: no end after {POINTS_MAX} points")
    return f"{target}, {size}: {points} points, {unanswered} of them between delivery and reply", problems


def duration_s(case):
    began = time.monotonic()
    kept, wrong = deliver(case, "nobody", ())
    if not kept or wrong:
        raise ValueError(f"not killed, and not delivered: {wrong}")
    return time.monotonic() - began


def by_clock(job):
    """As sweep; the points are moments."""
    target, size = job
    case = Case(f"clock {target} {size}".replace(" ", "-"), MESSAGES[size])
    length_s = min(duration_s(case) for _ in range(3))
    problems = []
    died = unanswered = 0
    for i in range(MOMENTS):
        moment_s = length_s * (i + 0.5) / MOMENTS
        kept, wrong = deliver(case, target, ("timeout", "-s", "KILL", f"{moment_s:.6f}"))
        wrong = wrong or case.problem(kept)
        if wrong:
            problems.append(f"{target}, {size}, killed after {moment_s * 1000:.1f} ms: {wrong}")
        died += not kept
        unanswered += not kept and case.delivered() > 0
    if died == 0:
        problems.append(f"{target}, {size}: no kill came in time")
    return (f"{target}, {size}: {MOMENTS} moments within {length_s * 1000:.0f} ms, {died} of them before the reply, "
            f"{unanswered} between delivery and reply"), problems


def cannot_try():
    """Why strace cannot do here what this needs, or None."""
    probe = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], stderr=subprocess.PIPE, check=False)
    if probe.returncode != 0:
        return "needs ptrace: " + probe.stderr.decode().strip()
    if TARGET != "broker":
        return None
    with subprocess.Popen(["sleep", "10"]) as other:
        tracer = subprocess.Popen(["strace", "-o", "/dev/null", "-p", str(other.pid)], stderr=subprocess.PIPE)
        said = tracer.stderr.readline().decode().strip()
        other.kill()
        tracer.wait(WAIT_S)
        tracer.stderr.close()
    return None if "attached" in said else "needs ptrace of another process: " + said


def main():
    why = None if TARGET == "moments" else cannot_try()
    if why:
        print(why)
        sys.exit(CANNOT_TRY)
    if TARGET == "moments":
        work, jobs = by_clock, [(target, "300 KB") for target in ("smtpd", "back-end")]
    else:
        work, jobs = sweep, [(TARGET, size) for size in MESSAGES]
    problems = []
    with multiprocessing.Pool(2, become_reaper) as pool:
        for line, wrong in pool.imap(work, jobs):
            print("# " + line)
            problems += wrong
    for line in problems[:20]:
        print(line)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
