#!/usr/bin/env python3
"""Attacks on tcpserver, tcprules and tcprulescheck with classic options alone, as TAP.

    attacks.py [NAME ...]    all of them, or those

BIN says where our programs are. SERVER=/usr/bin/tcpserver runs the same attacks against the programs in that
folder, and the last line names those that it fails. All of it happens in a network of its own where that is
possible: ports 53 and 113 are ours there."""

import contextlib
import errno
import fcntl
import os
import random
import re
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.abspath(os.environ.get("BIN", os.path.join(HERE, "../build/bin")))
SERVER = os.path.abspath(os.environ.get("SERVER", os.path.join(BIN, "tcpserver")))
TOOLS = os.path.dirname(SERVER)
OURS = TOOLS == BIN
SANITIZED = "sanitize" in TOOLS  # it must be loaded first, and it cannot be traced
INSIDE = "PORTERO_NET"
ROOT = os.geteuid() == 0 and len(open("/proc/self/uid_map").read().split()) == 3 and \
    open("/proc/self/uid_map").read().split()[2] != "1"
ATTACKER, HONEST = "127.0.0.66", "127.0.0.77"
CLASSIC = ["-v", "-HRl0"]
BANNER = b"220 hello\n"
SHORT_S, LOOKUPS_S = 1.0, 7.0  # what an honest client may wait; five seconds of look-ups, and a little
rnd = random.Random(20261124)

tests = []


class Skip(Exception):
    pass


def test(f):
    """One that makes a storm, and runs alone."""
    f.waits = False
    tests.append(f)
    return f


def waiting(f):
    """One that mostly waits, and may run beside others."""
    f.waits = True
    tests.append(f)
    return f


def check(good, *what):
    if not good:
        raise AssertionError(" ".join(str(x) for x in what))


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


# ---- processes ------------------------------------------------------------------------------------------


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def process_stat(pid):
    """The fields of stat(5) after the name: [0] is the state; None when there is no such process."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def zombies(pid):
    return sum(1 for c in children(pid) if (process_stat(c) or ["-"])[0] == "Z")


def descriptors(pid):
    return sorted(int(x) for x in os.listdir("/proc/%d/fd" % pid))


def rss_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s*(\d+)", f.read()).group(1))


def burnt(pid, seconds=0.5):
    """The share of one processor that a process uses over that time."""
    before = process_stat(pid)
    time.sleep(seconds)
    after = process_stat(pid)
    check(after is not None, "the server is gone")
    ticks = sum(int(after[i]) - int(before[i]) for i in (11, 12))
    return ticks / os.sysconf("SC_CLK_TCK") / seconds


def limits_of(uid, pid, which, new=""):
    """Read or set a limit as that user: root of a container may have no right to."""
    p = subprocess.run(["prlimit", "--pid=%d" % pid, "--%s%s" % (which, "=" + new if new else ""), "--raw", "-o",
                        "SOFT,HARD", "--noheadings"], user=uid, group=uid, extra_groups=[], stdout=subprocess.PIPE)
    check(p.returncode == 0, "prlimit failed")
    return p.stdout.decode().replace("unlimited", "4294967295").split()


class Server:
    """command: a word is a mode of attack_child.c, anything else is a command."""

    def __init__(self, w, args=(), command="hold", options=CLASSIC, host="0", port="0", log="file", wrapper=(), **more):
        argv = list(wrapper) + [SERVER, "-1"] + list(options) + list(args) + [host, port]
        argv += [w.child, command] if isinstance(command, str) else list(command)
        self.dir = w.dir
        self.log_path = os.path.join(w.dir, "log")
        if log == "file":
            err = open(self.log_path, "ab")
        else:
            self.pipe, write = os.pipe()
            err = os.fdopen(write, "wb")
        env = {"PATH": "/usr/bin:/bin", "DNSCACHEIP": "127.0.0.1"}
        env.update(more.pop("env", {}))
        self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, cwd=w.dir,
                                  env=env, start_new_session=True, **more)
        err.close()
        self.pid = self.p.pid
        w.servers.append(self)
        line = self.p.stdout.readline()
        check(line, "no port:", self.read_log() if log == "file" else "")
        self.port = int(line)

    def read_log(self):
        with open(self.log_path, "rb") as f:
            return f.read()

    def count(self, pattern):
        return len(re.findall(pattern, self.read_log(), re.M))

    def open(self, source=HONEST, wait=True):
        """A connection from that address; without wait it may still be on its way."""
        s = socket.socket()
        s.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        s.bind((source, 0))
        s.settimeout(10)
        if not wait:
            s.setblocking(False)
        code = s.connect_ex(("127.0.0.1", self.port))
        if code not in (0, errno.EINPROGRESS):
            s.close()
            raise OSError(code, os.strerror(code))
        return s

    def everything(self, source=HONEST, seconds=10, send=b""):
        """What a client sees until the end; None when there is no end in that time."""
        end = time.monotonic() + seconds
        out = b""
        with self.open(source) as s:
            if send:
                s.sendall(send)
            while True:
                s.settimeout(max(0.01, end - time.monotonic()))
                try:
                    part = s.recv(65536)
                except socket.timeout:
                    return None
                except ConnectionError:
                    return out
                if not part:
                    return out
                out += part

    def banner(self, source=HONEST, seconds=10):
        """How long an honest client waits for its banner; None: longer, or it was sent away."""
        begin = time.monotonic()
        with self.open(source, wait=False) as s:
            s.setblocking(True)
            s.settimeout(seconds)
            try:
                seen = s.recv(100)
            except (socket.timeout, OSError):
                return None
        return time.monotonic() - begin if seen else None

    def calm(self):
        """What a client waits when nothing happens, so that a slow machine is no failure of the server."""
        times = [self.banner() for _ in range(3)]
        check(None not in times, "nobody is served, even without an attack")
        return 10 * max(times)

    def must_serve(self, seconds, why, source=HONEST):
        took = self.banner(source, seconds)
        check(took is not None, "no banner within %.1f s: %s" % (seconds, why))
        return took

    def must_live(self, why):
        check(self.p.poll() is None, "the server ended with", self.p.returncode, "after", why)
        # A server under strace stops for a moment at every call that strace looks at.
        runs = wait_until(lambda: (process_stat(self.pid) or ["-"])[0] not in "Tt", 2)
        check(runs, "the server is stopped by", why)

    def stop(self):
        if self.p.poll() is None:
            left = children(self.pid)
            self.p.kill()
            self.p.wait()
            for pid in left:  # they were its children a moment ago, and nobody but it could bury them
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.p.stdout.close()


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def close_all(sockets):
    for s in sockets:
        s.close()


# ---- one client, or many, who want it all ---------------------------------------------------------------


def still_there(c, echoes):
    if echoes:
        c.sendall(b"still here\n")
        return c.recv(100) == b"still here\n"
    c.setblocking(False)
    try:
        return c.recv(1) != b""
    except BlockingIOError:
        return True


def starve(w, limit, sources, command, seconds, rounds):
    s = Server(w, ["-c", str(limit)], command)
    seconds += s.calm()
    friend = s.open("127.0.0.88")
    check(friend.recv(100) == BANNER, "no banner for the first client")
    crowd = [s.open(source, wait=False) for source in sources]
    check(wait_until(lambda: len(children(s.pid)) >= limit, 3), "the attack never took the slots")
    speaks = command == "hold"
    if speaks:  # or nothing would tell it from the silent ones
        friend.sendall(b"hello\n")
        friend.recv(100)
    took = [s.must_serve(seconds, "client %d behind %d silent ones" % (i + 1, len(crowd))) for i in range(rounds)]
    if speaks:
        friend.sendall(b"still here\n")
        check(friend.recv(100) == b"still here\n", "a session from before the attack was cut")
    check(len(children(s.pid)) <= limit, "more children than -c")
    friend.close()
    close_all(crowd)
    return "at most %.2f s" % max(took)


@waiting
def slow_one_source(w):
    """a silent address with three times -c connections: an honest client is served within 1 s"""
    return starve(w, 20, [ATTACKER] * 60, "hold", SHORT_S, 5)


@waiting
def slow_one_source_deaf(w):
    """the same, and the programs do not notice that their clients were cut off"""
    return starve(w, 8, [ATTACKER] * 24, "deaf", SHORT_S + 0.7, 2)


@waiting
def slow_one_source_stubborn(w):
    """the same, and SIGTERM does not move the programs"""
    return starve(w, 8, [ATTACKER] * 24, "stubborn", SHORT_S + 6, 1)


@waiting
def slow_many_sources(w):
    """48 silent addresses, -c 40: an honest client is served within 5 s"""
    return starve(w, 40, ["127.0.2.%d" % i for i in range(1, 49)], "hold", 5, 1)


@contextlib.contextmanager
def meanwhile(attack, threads=1):
    """attack(over) in so many threads, until the block is left."""
    over = threading.Event()
    running = [threading.Thread(target=attack, args=(over,)) for _ in range(threads)]
    for t in running:
        t.start()
    try:
        yield
    finally:
        over.set()
        for t in running:
            t.join()


@waiting
def never_silent_one_source(w):
    """an address that sends a byte every 0.2 s on each of its connections: an honest client is served within 5 s"""
    s = Server(w, ["-c", "20"], "hold")
    seconds = 5 + s.calm()
    friend = s.open("127.0.0.88")
    check(friend.recv(100) == BANNER, "no banner for the first client")
    crowd = [s.open(ATTACKER, wait=False) for _ in range(30)]
    for c in crowd:
        c.setblocking(False)

    def drip(over):
        while not over.wait(0.2):
            for c in crowd + [friend]:
                try:
                    c.send(b"x")
                    c.recv(4096)
                except OSError:
                    pass

    with meanwhile(drip):
        check(wait_until(lambda: len(children(s.pid)) >= 20, 3), "the attack never took the slots")
        time.sleep(1)
        took = [s.must_serve(seconds, "client %d" % i) for i in range(2)]
    friend.sendall(b"still here\n")
    check(friend.recv(100).endswith(b"still here\n"), "a session from before the attack was cut")
    friend.close()
    close_all(crowd)
    return "at most %.2f s" % max(took)


@waiting
def slow_one_source_returns(w):
    """a silent address that comes back as often as it is cut off"""
    s = Server(w, ["-c", "10"], "hold")
    seconds = SHORT_S + s.calm()

    def again(over):
        while not over.is_set():
            try:
                with s.open(ATTACKER, wait=False) as c:
                    c.setblocking(True)
                    c.settimeout(0.2)
                    while not over.is_set():
                        try:
                            if not c.recv(100):
                                break
                        except socket.timeout:
                            pass
            except OSError:
                time.sleep(0.01)

    with meanwhile(again, threads=40):
        check(wait_until(lambda: len(children(s.pid)) >= 10, 3), "the attack never took the slots")
        time.sleep(0.5)
        took = [s.must_serve(seconds, "client %d" % i) for i in range(5)]
    return "at most %.2f s" % max(took)


def storm(s, source, end, leave, each_s):
    """Connections from one address until that time; leave(socket) ends each of them."""
    count = 0
    while time.monotonic() < end:
        try:
            c = s.open(source, wait=False)
        except OSError:  # a full queue, or no port left for now
            time.sleep(0.01)
            continue
        leave(c)
        count += 1
        time.sleep(each_s)
    return count


def under_storm(w, leave, seconds, rounds, each_s, sources=(ATTACKER,)):
    s = Server(w, ["-c", "40"], "hold")
    limit = seconds + s.calm()
    end = time.monotonic() + 2
    with ThreadPoolExecutor(len(sources)) as pool:
        counts = [pool.submit(storm, s, x, end, leave, each_s) for x in sources]
        took = []
        for i in range(rounds):
            took.append(s.must_serve(limit, "honest client %d of %d" % (i + 1, rounds)))
            time.sleep(2 / rounds / 2)
        count = sum(x.result() for x in counts)
    s.must_live("a storm")
    check(wait_until(lambda: not children(s.pid)), "children are left:", children(s.pid))
    return "%d connections; at most %.2f s" % (count, max(took))


@test
def rst_storm(w):
    """hundreds of connections a second that are reset at once: honest clients are served within 1 s"""
    return under_storm(w, reset, SHORT_S, 8, 0.001)


@test
def accept_storm(w):
    """hundreds of connections a second from 4 addresses that are closed at once"""
    return under_storm(w, lambda c: c.close(), 3, 8, 0.015, ["127.0.0.%d" % i for i in range(61, 65)])


@test
def rst_costs_no_process(w):
    """connections that are reset before the server looks at them start no program"""
    s = Server(w, ["-c", "400"], "gone")
    s.calm()
    wait_until(lambda: not children(s.pid))
    before = s.count(rb"^tcpserver: ok ")
    os.kill(s.pid, signal.SIGSTOP)
    for _ in range(15):  # as many as the smallest backlog that we know holds
        reset(s.open(ATTACKER))
    os.kill(s.pid, signal.SIGCONT)
    s.must_serve(5, "after the resets")
    check(wait_until(lambda: s.count(rb"^tcpserver: ok ") > before), "no ok line")
    spent = s.count(rb"^tcpserver: ok ") - before - 1
    check(spent == 0, spent, "programs were started for 15 dead connections")


@test
def zombie_flood(w):
    """500 short sessions: all are served, and no zombie and no descriptor is left"""
    s = Server(w, ["-c", "40"], "gone")
    s.calm()
    wait_until(lambda: not children(s.pid))
    held = descriptors(s.pid)
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda i: s.everything("127.0.4.%d" % (i % 50 + 1)), range(500)))
    check(seen.count(BANNER) == 500, "only %d of 500 were served" % seen.count(BANNER))
    check(wait_until(lambda: not children(s.pid)), "left:", children(s.pid), "zombies:", zombies(s.pid))
    # one more may have been opened for good, the first time that somebody had to wait
    check(wait_until(lambda: len(descriptors(s.pid)) <= len(held) + 1), "descriptors before", held, "after",
          descriptors(s.pid))
    check(s.count(rb"^tcpserver: ok ") == s.count(rb"^tcpserver: end "), "ok and end lines do not match")
    check(s.read_log().endswith(b"tcpserver: status: 0/40\n"), "the last line is no status 0/40")


@waiting
def backlog_recovery(w):
    """a backlog that was full empties again: new clients are served, and some of those that were in it"""
    s = Server(w, ["-c", "40", "-b", "4"], "gone")
    os.kill(s.pid, signal.SIGSTOP)
    crowd = [s.open("127.0.4.%d" % (i + 1), wait=False) for i in range(30)]
    time.sleep(0.3)
    os.kill(s.pid, signal.SIGCONT)
    for i in range(10):
        s.must_serve(4, "client %d after it" % (i + 1))
    served = 0
    for c in crowd:  # with SYN cookies the kernel forgets some of them, and they never know
        try:
            served += c.recv(100) == BANNER
        except OSError:
            pass
        c.close()
    check(served >= 4, "only %d of those in it" % served)


@test
def rejected_leak(w):
    """500 refused clients leave no process, descriptor or memory behind"""
    w.write("deny.cdb", cdb([(b"127.0.0.66", b"D\0")]))
    s = Server(w, ["-x", "deny.cdb"], "gone")
    s.calm()

    def refuse(count):
        for _ in range(count):
            check(s.everything(ATTACKER) == b"", "a refused client saw something")
        check(wait_until(lambda: not children(s.pid)), "children are left")

    refuse(100)
    held, size = descriptors(s.pid), rss_kb(s.pid)
    refuse(500)
    check(descriptors(s.pid) == held, "descriptors before", held, "after", descriptors(s.pid))
    check(SANITIZED or rss_kb(s.pid) - size < 300, "grew by %d kB" % (rss_kb(s.pid) - size))


# ---- signals --------------------------------------------------------------------------------------------


@test
def signal_storm(w):
    """20,000 signals that mean nothing: all clients are served meanwhile"""
    s = Server(w, ["-c", "40"], "gone")
    over = threading.Event()
    sent = [0]

    def fire():
        while not over.is_set() and sent[0] < 20000:
            for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG):
                s.p.send_signal(number)
                sent[0] += 1

    t = threading.Thread(target=fire)
    t.start()
    try:
        seen = [s.everything() for _ in range(50)]
    finally:
        over_at_least = sent[0]
        t.join()
        over.set()
    check(seen.count(BANNER) == 50, "only %d of 50 were served" % seen.count(BANNER))
    s.must_live("%d signals" % sent[0])
    check(wait_until(lambda: not children(s.pid)), "children are left")
    return "%d signals, %d of them while clients came" % (sent[0], over_at_least)


@test
def sighup_under_load(w):
    """SIGHUP ends nothing and loses nobody"""
    s = Server(w, ["-c", "40"], "gone")
    over = threading.Event()

    def fire():
        while not over.is_set() and s.p.poll() is None:
            s.p.send_signal(signal.SIGHUP)
            time.sleep(0.002)

    t = threading.Thread(target=fire)
    t.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(lambda i: w.quietly(s.everything), range(100)))
    finally:
        over.set()
        t.join()
    s.must_live("SIGHUP")
    check(seen.count(BANNER) == 100, "only %d of 100 were served" % seen.count(BANNER))


@test
def sigterm_leaves_children(w):
    """SIGTERM: exit 0 at once, nobody new, and running sessions go on"""
    s = Server(w, ["-c", "40"], "hold")
    held = [s.open() for _ in range(3)]
    for c in held:
        check(c.recv(100) == BANNER, "no banner")
    left = children(s.pid)
    s.p.terminate()
    try:
        check(s.p.wait(timeout=5) == 0, "exit", s.p.returncode)
        for c in held:
            c.sendall(b"ping\n")
            check(c.recv(100) == b"ping\n", "a session ended with its server")
        try:
            s.open().close()
            check(False, "the port is still open")
        except ConnectionRefusedError:
            pass
    finally:
        close_all(held)
    check(wait_until(lambda: all(process_stat(x) is None or process_stat(x)[0] == "Z" for x in left)),
          "the sessions never ended")


@test
def stop_and_continue(w):
    """stopped and continued, it serves all that came meanwhile"""
    s = Server(w, ["-c", "40"], "gone")
    for _ in range(3):
        os.kill(s.pid, signal.SIGSTOP)
        crowd = [s.open("127.0.4.%d" % (i + 1)) for i in range(10)]
        os.kill(s.pid, signal.SIGCONT)
        for c in crowd:
            check(c.recv(100) == BANNER, "not served")
        close_all(crowd)


# ---- short of everything --------------------------------------------------------------------------------


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@test
def closed_stdio(w):
    """started with any of 0, 1 and 2 closed it serves, and does not spin"""
    for closed in ((0,), (1,), (2,), (0, 1, 2)):
        port = free_port()
        redirections = " ".join("%d<&-" % x for x in closed)
        p = subprocess.Popen(["sh", "-c", "exec %s -v -HRl0 127.0.0.1 %d ls -l /proc/self/fd %s" % (
            SERVER, port, redirections)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd=w.dir)
        try:
            seen = None

            def served():
                nonlocal seen
                try:
                    with socket.create_connection(("127.0.0.1", port), 2) as s:
                        seen = s.makefile("rb").read()
                except OSError:
                    pass
                return seen

            check(wait_until(served, 4), "nobody is served with %s closed" % (closed,))
            check(b" 2 -> " in seen, "the child has no descriptor 2: %r" % seen)
            check(len(re.findall(rb" -> socket:", seen)) == 2, "the child's descriptors: %r" % seen)
            used = burnt(p.pid, 0.3)
            check(used < 0.3, "%d %% of a processor with %s closed" % (100 * used, closed))
        finally:
            p.kill()
            p.wait()


@test
def emfile_spin(w):
    """out of descriptors it waits, does not spin, and recovers"""
    s = Server(w, ["-c", "40"], "hold")
    s.calm()
    wait_until(lambda: not children(s.pid))
    held = descriptors(s.pid)
    free = min(set(range(len(held) + 1)) - set(held))
    hard = resource.prlimit(s.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(s.pid, resource.RLIMIT_NOFILE, (free, hard))
    crowd = [s.open() for _ in range(5)]
    used = burnt(s.pid)
    resource.prlimit(s.pid, resource.RLIMIT_NOFILE, (hard, hard))
    check(used < 0.3, "%d %% of a processor" % (100 * used))
    for c in crowd:
        c.settimeout(5)
        try:
            seen = c.recv(100)
        except OSError:
            seen = None
        check(seen == BANNER, "who waited was not served afterwards: %r" % seen)
    close_all(crowd)


def traced(w, calls, error, when, command="hold", log="trace"):
    if SANITIZED or not shutil.which("strace"):
        raise Skip("a sanitizer cannot be traced" if SANITIZED else "needs strace: apt install strace")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode:
        raise Skip("strace is not allowed here")
    return Server(w, ["-c", "40"], command, wrapper=[
        "strace", "-D", "-qq", "-o", os.path.join(w.dir, log), "-e", "trace=" + calls,
        "-e", "inject=%s:error=%s:when=%s" % (calls, error, when)])


@test
def accept_failures(w):
    """accept that fails with ENFILE, ENOMEM, EPROTO ... : it lives, and serves afterwards"""
    for error in ("ENFILE", "ENOMEM", "ENOBUFS", "ECONNABORTED", "EPROTO", "EPERM", "EHOSTUNREACH", "EINTR"):
        s = traced(w, "accept,accept4", error, "1..2")
        s.must_serve(4, error)
        s.must_live(error)
        s.stop()


@test
def accept_fails_for_ever(w):
    """accept that always fails with ENFILE is not tried again at once"""
    s = traced(w, "accept,accept4", "ENFILE", "1+")
    with s.open():
        time.sleep(1)
    s.must_live("ENFILE")
    with open(os.path.join(w.dir, "trace")) as f:
        count = f.read().count("ENFILE")
    check(0 < count <= 40, "%d calls in a second" % count)


@test
def fork_failures(w):
    """fork that fails with EAGAIN or ENOMEM: it lives, and serves afterwards"""
    for error in ("EAGAIN", "ENOMEM"):
        s = traced(w, "clone,clone3,fork,vfork", error, "1..2", command="gone")
        for _ in range(3):
            w.quietly(s.everything)  # these may be sent away
        check(s.everything() == BANNER, "not served after", error)
        s.must_live(error)
        s.stop()


@test
def process_limit(w):
    """no process left for its user: it lives, does not spin, and recovers"""
    uid = w.uid()
    s = Server(w, ["-c", "40", "-u", str(uid), "-g", str(uid)], "hold")
    s.calm()
    wait_until(lambda: not children(s.pid))
    limits_of(uid, s.pid, "nproc", "0:")
    crowd = [s.open() for _ in range(5)]
    used = burnt(s.pid)
    check(not children(s.pid), "the limit did not hold")
    limits_of(uid, s.pid, "nproc", "1000:")
    check(used < 0.3, "%d %% of a processor" % (100 * used))
    s.must_serve(5, "after the limit was lifted")
    close_all(crowd)


# ---- what is behind it ----------------------------------------------------------------------------------

KILLS = ["kill", "term", "stop", "group", "all", "pidfd", "proc", "thread", "queue", "owner", "owner_ex", "owner_ioctl",
         "old_call", "limits", "trace", "orphans"]


@test
def child_kills_server(w):
    """a child under the server's uid can neither end, stop, trace nor limit it"""
    uid = w.uid()
    fatal = []
    s = None
    for how in KILLS:
        if s is None:
            s = Server(w, ["-c", "40", "-u", str(uid), "-g", str(uid)], [w.child, "kill", how, str(uid)])
        before = limits_of(uid, s.pid, "nofile")
        w.quietly(s.everything, seconds=2)
        time.sleep(0.05)
        try:
            s.must_live(how)
            check(limits_of(uid, s.pid, "nofile") == before, how, "changed a limit")
            check(s.everything(seconds=3) is not None, "nobody is served after", how)
        except AssertionError:
            fatal.append(how)
            s.stop()
            s = None
    check(not fatal, "hit by:", " ".join(fatal))
    return "%d ways" % len(KILLS)


@test
def child_frees_slots(w):
    """children that a program gives to the server are buried, and are no clients that left"""
    s = Server(w, ["-c", "2"], "orphans")
    held = [s.open(x) for x in ("127.0.4.1", "127.0.4.2")]
    for c in held:
        check(c.recv(100) == BANNER, "no banner")
    check(wait_until(lambda: zombies(s.pid) == 0, 3), zombies(s.pid), "zombies")
    third = s.open("127.0.4.3")
    time.sleep(0.3)
    running = len(children(s.pid))
    close_all(held + [third])
    check(running <= 2, "%d programs at once with -c 2" % running)


@test
def fd_hygiene(w):
    """a program has 0, 1 and 2, and no other descriptor"""
    w.write("fd.cdb", cdb([(b"127.", b"+A=b\0")]))
    variants = [[], ["-x", "fd.cdb"]]
    for args in variants:
        s = Server(w, args, ["ls", "-l", "/proc/self/fd"])
        for _ in range(3):
            seen = s.everything()
            links = re.findall(rb" (\d+) -> (\S+)", seen)
            check([int(x[0]) for x in links] == [0, 1, 2, 3], "descriptors: %r" % seen)  # 3 is what ls reads
            check(links[0][1] == links[1][1] and links[0][1].startswith(b"socket:"), "0 and 1: %r" % seen)


@test
def signals_of_the_child(w):
    """a program starts with no signal blocked and none ignored"""
    s = Server(w, [], ["grep", "-E", "^(SigBlk|SigIgn|ShdPnd):", "/proc/self/status"])
    seen = s.everything()
    # 32 and 33 are libc's own: whoever started us may ignore them, and no call of libc can change that
    check(len(seen.split()) == 6 and all(int(x, 16) & ~(3 << 31) == 0 for x in seen.split()[1::2]), repr(seen))


@test
def umask_of_the_child(w):
    """the umask is the one that the server was started with"""
    for mask in (0o027, 0o077):
        s = Server(w, [], ["sh", "-c", "umask"], umask=mask)
        check(int(s.everything(), 8) == mask, "not %o" % mask)
        s.stop()


@test
def log_stays_blocking(w):
    """the log that a program has as descriptor 2 is not made non-blocking by the server"""
    for log in ("file", "pipe"):
        s = Server(w, [], ["grep", "flags:", "/proc/self/fdinfo/2"], log=log)
        flags = int(s.everything().split()[1], 8)
        check(not flags & os.O_NONBLOCK, "O_NONBLOCK on the", log)
        s.stop()


@test
def dead_peer_keepalive(w):
    """the connection of a program has keepalive on, so that a vanished client is found out"""
    s = Server(w, [], "keepalive")
    s.everything()  # the first one may have come before the server had set up its socket
    seen = s.everything()
    check(seen == b"1\n", "SO_KEEPALIVE is off: %r" % seen)


@test
def priv_drop(w):
    """-u and -g: every id is the new one, other groups are gone, and there is no way back"""
    uid = w.uid()
    s = Server(w, ["-u", str(uid), "-g", str(uid)], "ids", extra_groups=[0, 4, 27])
    seen = s.everything().decode()
    ids = "%d %d %d, %d %d %d," % ((uid,) * 6)
    check(seen in (ids + "\n", ids + " %d\n" % uid), repr(seen), s.read_log()[-300:])
    with open("/proc/%d/status" % s.pid) as f:
        status = f.read()
    for name in ("Uid", "Gid"):
        check(set(re.search(name + r":(.*)", status).group(1).split()) == {str(uid)}, "the server's", name)
    check(re.search(r"Groups:(.*)", status).group(1).split() in ([], [str(uid)]), "the server's groups")


@test
def environment_loader(w):
    """a rule does not choose what is loaded into the program, or how its shell reads"""
    names = ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "IFS", "ENV", "BASH_ENV", "GCONV_PATH"]
    w.write("env.cdb", cdb([(b"127.0.3.%d" % i, b"+%s=/tmp/x\0" % n.encode()) for i, n in enumerate(names, 1)] +
                           [(b"127.0.3.99", b"+GOOD=1\0")]))
    s = Server(w, ["-x", "env.cdb"], ["/usr/bin/env"])
    check(b"GOOD=1\n" in s.everything("127.0.3.99"), "a good variable is missing")
    for i, name in enumerate(names, 1):
        seen = s.everything("127.0.3.%d" % i)
        check(seen is not None and name.encode() + b"=" not in seen, name, "came through")
    check(b"GOOD=1\n" in s.everything("127.0.3.99"), "a good variable is missing afterwards")
    if OURS:
        s.stop()
        s = Server(w, ["-x", "env.cdb"], ["/usr/bin/env"], options=["--unsafe-env"] + CLASSIC)
        check(b"ENV=/tmp/x" in s.everything("127.0.3.5"), "--unsafe-env does not let it through")


# ---- clients that do not behave -------------------------------------------------------------------------


@test
def half_closed(w):
    """a client that has said all it has to say still gets its answer, and one that leaves is still heard"""
    s = Server(w, [], ["sh", "-c", "cat; echo done"])
    for source in ("127.0.4.1", "127.0.4.2"):
        with s.open(source) as c:
            c.sendall(b"question\n")
            c.shutdown(socket.SHUT_WR)
            check(c.makefile("rb").read() == b"question\ndone\n", "no answer")
    with s.open() as c:
        c.shutdown(socket.SHUT_WR)
        check(c.makefile("rb").read() == b"done\n", "no answer to an empty question")
    s.stop()
    s = Server(w, [], ["sh", "-c", "cat >got.tmp; mv got.tmp got"])
    os.kill(s.pid, signal.SIGSTOP)  # so that it has left before anybody looks
    with s.open() as c:
        c.sendall(b"x" * 1000)
    os.kill(s.pid, signal.SIGCONT)
    path = os.path.join(w.dir, "got")
    check(wait_until(lambda: os.path.exists(path), 5), "who left at once was not heard")
    check(os.path.getsize(path) == 1000, "heard %d of 1000 bytes" % os.path.getsize(path))


@waiting
def banner_to_slow_client(w):
    """clients that read nothing of a long -B hold nobody up"""
    text = "220 " + "x" * 60000 + "\r\n"
    s = Server(w, ["-c", "40", "-B", text], "gone")
    crowd = []
    for _ in range(10):
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        c.bind((ATTACKER, 0))
        c.connect(("127.0.0.1", s.port))
        crowd.append(c)
    for _ in range(3):
        begin = time.monotonic()
        seen = s.everything(seconds=4)
        check(seen == text.encode() + BANNER, "an honest client saw",
              "no end" if seen is None else "%d bytes after %.1f s" % (len(seen), time.monotonic() - begin))
    close_all(crowd)


@test
def log_nobody_reads(w):
    """a log that nobody reads: all 700 clients are served, and what was written are whole lines"""
    s = Server(w, ["-c", "40"], "gone", log="pipe")
    for i in range(700):
        s.must_serve(3, "client %d" % (i + 1))
    fcntl.fcntl(s.pipe, fcntl.F_SETFL, os.O_NONBLOCK)
    text = b""
    try:
        while True:
            text += os.read(s.pipe, 65536)
    except BlockingIOError:
        pass
    bad = [x for x in text.split(b"\n")[:-1] if not re.fullmatch(rb"tcpserver: [!-~ ]+", x)]
    check(not bad, "broken lines:", bad[:3])
    s.must_serve(3, "after the log was read")
    return "%d lines were written" % text.count(b"\n")


@test
def log_reader_dies(w):
    """a log whose reader is gone ends neither the server nor a session"""
    s = Server(w, ["-c", "40"], "gone", log="pipe")
    os.close(s.pipe)
    for i in range(20):
        s.must_serve(3, "client %d" % (i + 1))
    s.must_live("its log was gone")


@test
def mapped_client(w):
    """a rule for an IPv4 address holds for a client that comes through an IPv6 socket"""
    w.write("mapped.cdb", cdb([(b"127.0.0.66", b"D\0"), (b"", b"+IN=1\0")]))
    for host in ("::", "any", "::ffff:127.0.0.1"):
        try:
            s = Server(w, ["-x", "mapped.cdb"], ["/usr/bin/env"], host=host)
        except AssertionError:
            continue  # no such host here: then nobody comes through it
        try:
            seen = s.everything(ATTACKER, seconds=3)
            check(not seen, host, "let a refused address in: %r" % seen)
            seen = s.everything(HONEST, seconds=3)
            check(b"TCPREMOTEIP=%s\n" % HONEST.encode() in seen, host, "shows %r" % seen)
        except ConnectionRefusedError:
            pass  # IPv6 only
        s.stop()


# ---- rules ----------------------------------------------------------------------------------------------


def cdb_hash(key):
    h = 5381
    for c in key:
        h = ((h * 33) & 0xffffffff) ^ c
    return h


class Cdb:
    """A cdb as parts that can be damaged: records as (key, data, claimed key length, claimed data length)."""

    def __init__(self, records):
        self.records = [[k, d, len(k), len(d)] for k, d in records]
        self.places = []
        self.body = b""
        for k, d, kl, dl in self.records:
            self.places.append(2048 + len(self.body))
            self.body += struct.pack("<II", kl, dl) + k + d
        self.tables = [[] for _ in range(256)]
        for place, (k, _, _, _) in zip(self.places, self.records):
            self.tables[cdb_hash(k) & 255].append((cdb_hash(k), place))
        self.slots, self.at = [], []
        pos = 2048 + len(self.body)
        for entries in self.tables:
            n = 2 * len(entries)
            slots = [(0, 0)] * n
            for h, place in entries:
                i = (h >> 8) % n
                while slots[i][1]:
                    i = (i + 1) % n
                slots[i] = (h, place)
            self.slots.append(slots)
            self.at.append((pos, n))
            pos += 8 * n

    def table_of(self, key):
        return cdb_hash(key) & 255

    def bytes(self):
        head = b"".join(struct.pack("<II", *x) for x in self.at)
        return head + self.body + b"".join(struct.pack("<II", *x) for t in self.slots for x in t)


def cdb(records):
    return Cdb(records).bytes()


DENIED = b"127.0.0.1"
RULES = [(DENIED, b"D\0"), (b"10.", b"D\0+A=b\0"), (b"=evil.example", b"D\0"), (b"", b"+RELAYCLIENT=\0")]
QUESTIONS = [(b"+" + DENIED, b"-"), (b"+10.1.2.3", b"-"), (b"+9.9.9.9", b"+evil.example")]


def answers(w, files, questions):
    """What tcprulescheck says to each question about each file: one process where again.c can make it one."""
    jobs = [(f, ip, host) for f in files for ip, host in questions]
    if SANITIZED:
        with ThreadPoolExecutor(2) as pool:
            out = b"".join(pool.map(lambda j: one_answer(w, *j), jobs))
    else:
        path = os.path.join(w.dir, "answers")
        w.write("jobs", b"".join(b"check\t%s\t%s\t%s\t-\n" % (f.encode(), ip, host) for f, ip, host in jobs))
        env = {"LD_PRELOAD": w.again(), "AGAIN_JOBS": path[:-7] + "jobs", "AGAIN_RESULTS": path}
        p = subprocess.run([TOOLS + "/tcprulescheck"], cwd=w.dir, env=env, timeout=100, stdin=subprocess.DEVNULL)
        check(p.returncode == 0, "tcprulescheck ended with", p.returncode)
        with open(path, "rb") as f:
            out = f.read()
    parts = re.split(rb"exit (\d+)\n", out)
    check(len(parts) == 2 * len(jobs) + 1, "%d answers to %d questions" % (len(parts) // 2, len(jobs)))
    return [(job, parts[2 * i], int(parts[2 * i + 1])) for i, job in enumerate(jobs)]


def one_answer(w, name, ip, host):
    env = {n: v[1:] for n, v in (("TCPREMOTEIP", ip), ("TCPREMOTEHOST", host)) if v.startswith(b"+")}
    p = subprocess.run([TOOLS + "/tcprulescheck", name], cwd=w.dir, env=env, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=10, stdin=subprocess.DEVNULL)
    return p.stdout + b"exit %d\n" % p.returncode


def must_not_open(w, damaged, questions=QUESTIONS):
    """damaged: pairs of what was done and the file's bytes. None may let in whom the whole file denies."""
    names = []
    for i, (_, content) in enumerate(damaged):
        names.append("d%d" % i)
        w.write(names[-1], content)
    opened = set()
    for (name, ip, host), text, code in answers(w, names, questions):
        if b"allow connection" in text or code not in (0, 111) or (code == 0 and b"deny connection" not in text):
            opened.add(damaged[int(name[1:])][0])
    check(not opened, "%d of %d let somebody in or crash:" % (len(opened), len(damaged)), sorted(opened)[:12])
    return "%d files, %d questions" % (len(damaged), len(damaged) * len(questions))


def damage(whole, offset, value):
    return whole[:offset] + bytes([value]) + whole[offset + 1:]


@test
def cdb_bitflips(w):
    """a damaged byte, wherever it is, never turns a deny into an allow (tcprulescheck)"""
    whole = cdb(RULES)
    for (_, text, code) in answers(w, [w.write("whole", whole)], QUESTIONS):
        check(code == 0 and b"deny connection" in text, "the whole file does not deny: %r" % text)
    bits = [1, 16, 128] if not SANITIZED else [1]
    step = 1 if not SANITIZED else 23
    return must_not_open(w, [("%d^%d" % (i, b), damage(whole, i, whole[i] ^ b))
                             for i in range(0, len(whole), step) for b in bits])


@test
def cdb_truncated(w):
    """a file cut at any length lets nobody in (tcprulescheck)"""
    whole = cdb(RULES)
    step = 1 if not SANITIZED else 31
    return must_not_open(w, [(str(n), whole[:n]) for n in range(0, len(whole), step)], QUESTIONS[:1])


def crafted():
    """Pairs of what is wrong and the file; every one of them once held a rule that denies 127.0.0.1."""

    def make(change, records=None):
        c = Cdb(records or [(DENIED, b"D\0"), (b"", b"")])
        change(c)
        return c.bytes()

    def table(c, f):
        t = c.table_of(DENIED)
        c.at[t] = f(c, *c.at[t])

    def slot(c, f):
        slots = c.slots[c.table_of(DENIED)]
        i = next(i for i, x in enumerate(slots) if x[1])
        slots[i] = f(c, *slots[i])

    def body(offset, raw):
        def change(c):
            at = c.places[0] - 2048 + offset
            c.body = c.body[:at] + raw + c.body[at + len(raw):]
        return change

    def long(x):
        return struct.pack("<I", x)

    def move_slot(c):
        slots = c.slots[c.table_of(DENIED)]
        slots.reverse()

    def full(c):
        t = c.table_of(DENIED)
        c.slots[t] = [(h ^ 0x10000, p) for h, p in [x for x in c.slots[t] if x[1]] * 2]

    def data(d):
        return make(lambda c: None, [(DENIED, d), (b"", b"")])

    key = 8
    for what, f in [
        ("no slots", lambda c, pos, n: (pos, 0)),
        ("half the slots", lambda c, pos, n: (pos, n // 2)),
        ("too many slots", lambda c, pos, n: (pos, n + 1)),
        ("slots beyond the end", lambda c, pos, n: (pos, 1000)),
        ("slots that wrap", lambda c, pos, n: (pos, 0x20000000)),
        ("place that wraps", lambda c, pos, n: (0xfffffff8, n)),
        ("table in the records", lambda c, pos, n: (2048, n)),
        ("table in the pointers", lambda c, pos, n: (0, n)),
        ("table beyond the end", lambda c, pos, n: (pos + 4096, n)),
        ("the table of another", lambda c, pos, n: c.at[c.table_of(b"")]),
        ("table of another's slots", lambda c, pos, n: (c.at[c.table_of(b"")][0], n)),
        ("table one byte off", lambda c, pos, n: (pos + 1, n)),
    ]:
        yield what, make(lambda c, f=f: table(c, f))
    for what, f in [
        ("wrong hash", lambda c, h, p: (h ^ 0x100, p)),
        ("hash of another table", lambda c, h, p: (h ^ 1, p)),
        ("empty slot", lambda c, h, p: (h, 0)),
        ("zero slot", lambda c, h, p: (0, 0)),
        ("record beyond the end", lambda c, h, p: (h, 100000)),
        ("record that wraps", lambda c, h, p: (h, 0xfffffffc)),
        ("record in the pointers", lambda c, h, p: (h, 8)),
        ("record in the tables", lambda c, h, p: (h, c.at[0][0])),
        ("record of another", lambda c, h, p: (h, c.places[1])),
        ("record one byte off", lambda c, h, p: (h, p + 1)),
    ]:
        yield what, make(lambda c, f=f: slot(c, f))
    yield "slot far from home", make(move_slot)
    yield "no hole in a table", make(full)
    for what, offset, raw in [
        ("no data", 4, long(0)), ("data short by one", 4, long(1)), ("data long by one", 4, long(3)),
        ("data to the end", 4, long(100000)), ("data that wraps", 4, long(0xfffffff0)),
        ("key that wraps", 0, long(0xfffffff0)), ("key beyond the end", 0, long(100000)), ("no key", 0, long(0)),
        ("key short by one", 0, long(len(DENIED) - 1)), ("key long by one", 0, long(len(DENIED) + 1)),
        ("another key", key, b"127.0.0.2"), ("key in capitals", key, b"127.0.0.\x11"),
    ]:
        yield what, make(body(offset, raw))
    for what, d in [
        ("deny without its NUL", b"D"), ("small deny", b"d\0"), ("unknown instruction", b"X\0"),
        ("variable without its NUL", b"+A=b"), ("variable without a value", b"+A\0"), ("empty instruction", b"\0"),
        ("deny after nothing", b"\0D"), ("deny hidden in a value", b"+A=bD"), ("only a plus", b"+"),
        ("blank before deny", b" D\0"), ("many NULs", b"\0" * 20), ("deny behind bytes", b"\xff" * 20 + b"D\0"),
    ]:
        yield what, data(d)
    whole = make(lambda c: None)
    yield "nothing after the pointers", whole[:2048]
    yield "zeros", b"\0" * len(whole)
    yield "zeros after the pointers", whole[:2048] + b"\0" * (len(whole) - 2048)
    yield "something after the tables", whole[:-8] + b"\0" * 8 + b"x"
    yield "twice", whole + whole
    yield "text", b"127.0.0.1:deny\n:allow\n" * 200


CRAFTED = list(crafted())


@test
def cdb_crafted(w):
    """hand-made bad files let nobody in (tcprulescheck)"""
    return must_not_open(w, CRAFTED, QUESTIONS[:1])


@test
def cdb_damaged_server(w):
    """damaged, cut and hand-made files let nobody in (tcpserver)"""
    whole = cdb(RULES)
    sample = CRAFTED + [("cut at %d" % n, whole[:n]) for n in (0, 1, 2047, 2048, 2060, len(whole) - 1)]
    for _ in range(30):
        at = rnd.randrange(len(whole))
        sample.append(("byte %d" % at, damage(whole, at, whole[at] ^ (1 << rnd.randrange(8)))))
    s = Server(w, ["-c", "40", "-x", "r.cdb"], "gone")
    opened = []
    for what, content in sample:
        w.replace("r.cdb", content)
        seen = s.everything("127.0.0.1")
        if seen != b"":
            opened.append(what)
    check(not opened, "%d of %d let somebody in:" % (len(opened), len(sample)), opened[:12])
    w.replace("r.cdb", cdb([(DENIED, b"")]))
    check(s.everything("127.0.0.1") == BANNER, "a good file is not believed afterwards")
    return "%d files" % len(sample)


@test
def rules_not_regular(w):
    """rules that are no file: nobody is let in, and neither program crashes or hangs"""
    path = os.path.join(w.dir, "r.cdb")
    kinds = {
        # with entries: one whose size is less than that of the smallest cdb would be refused for that
        "directory": lambda: [os.makedirs("%s/%d" % (path, i)) for i in range(200)],
        "fifo": lambda: os.mkfifo(path),
        "socket": lambda: socket.socket(socket.AF_UNIX).bind(path),
        "zeros without end": lambda: os.symlink("/dev/zero", path),
        "/dev/null": lambda: os.symlink("/dev/null", path),
        "/proc/self/mem": lambda: os.symlink("/proc/self/mem", path),
        "symlink to itself": lambda: os.symlink("r.cdb", path),
        "nothing": lambda: None,
    }
    w.write("r.cdb", cdb([(b"", b"")]))
    s = Server(w, ["-c", "40", "-x", "r.cdb"], "gone")
    clients = 0
    for kind, make in kinds.items():
        remove(path)
        make()
        try:
            p = subprocess.run([TOOLS + "/tcprulescheck", "r.cdb"], cwd=w.dir, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=3)
            check(p.returncode == 111, "tcprulescheck and %s: exit %d" % (kind, p.returncode))
        except subprocess.TimeoutExpired:
            check(False, "tcprulescheck hangs with", kind)
        seen = s.everything(seconds=3)
        check(seen == b"", "tcpserver and %s:" % kind, "hangs" if seen is None else "let in")
        clients += 1
        check(wait_until(lambda: s.count(rb"^tcpserver: end ") == clients), "no end line for", kind)
        status = int(re.findall(rb"^tcpserver: end \d+ status (\d+)$", s.read_log(), re.M)[-1])
        check(status >= 256, "signal", status, "ended a child with", kind)
        remove(path)
        w.write("r.cdb", cdb([(b"", b"")]))
        check(s.everything(seconds=3) == BANNER, "not served after", kind)
        clients += 1
        # A client is gone before its program has been buried: the next one's end may come first.
        check(wait_until(lambda: s.count(rb"^tcpserver: end ") == clients), "no end line after", kind)


def remove(path):
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    (shutil.rmtree if stat.S_ISDIR(mode) else os.unlink)(path)


def denies(w, text, ip=b"-", host=b"-"):
    """Is that client denied by rules from that text?"""
    p = w.tcprules(text)
    check(p.returncode == 0, "tcprules: exit", p.returncode, p.stderr)
    return b"deny connection" in one_answer(w, "t.cdb", ip, host)


@test
def check_host_case(w):
    """a rule for a name holds in every spelling of the name"""
    for rule in (b"=evil.example", b"=EVIL.Example", b"=evil.example.", b"=.example"):
        for host in (b"evil.example", b"EVIL.Example", b"evil.example.", b"Evil.EXAMPLE."):
            check(denies(w, rule + b":deny\n:allow\n", b"+9.9.9.9", b"+" + host), rule, "does not hold for", host)


@test
def check_v4_mapped(w):
    """a rule for an IPv4 address holds in every spelling of the address"""
    for rule in (b"1.2.3.4", b"1.2.3.", b"1.2.3.0-9"):
        for ip in (b"::ffff:1.2.3.4", b"::FFFF:1.2.3.4", b"::ffff:102:304", b"0:0:0:0:0:ffff:1.2.3.4"):
            check(denies(w, rule + b":deny\n:allow\n", b"+" + ip), rule, "does not hold for", ip)


@test
def tcprules_silent_noop(w):
    """a line that does not mean what it says is not swallowed without a word"""
    silent = []
    for line in (b"10.0.0.0/8:deny", b"10.0.0.5/32:deny", b"10.0.0:deny", b"10.0.0.5 deny", b" 10.0.0.5:deny",
                 b"010.000.000.005:deny", b"10.0.0.9-5:deny", b"*:deny", b"10.0.0.*:deny", b"10.0.0.300:deny",
                 b"evil.example:deny", b"=*.evil.example:deny", b"= evil.example:deny", b"10.0.0.5\t:deny",
                 b"10.0.0.5.:deny", b'10.0.0.5:allow, RELAYCLIENT="x"'):
        p = w.tcprules(line + b"\n:allow\n")
        if p.returncode != 0 or p.stderr:
            continue
        if OURS and w.tcprules(line + b"\n:allow\n", ["--check"]).stderr:
            continue
        if b"deny connection" not in one_answer(w, "t.cdb", b"+10.0.0.5", b"+www.evil.example"):
            silent.append(line.decode())
    check(not silent, "%d lines mean nothing, silently: %r" % (len(silent), silent))


@test
def tcprules_tmp_symlink(w):
    """a temporary file that is a link to something else leaves that alone"""
    victim = os.path.join(w.dir, "victim")
    for link in (os.symlink, os.link):
        w.write("victim", b"precious\n")
        remove(os.path.join(w.dir, "t.tmp"))
        link(victim, os.path.join(w.dir, "t.tmp"))
        w.tcprules(b":allow\n")
        with open(victim, "rb") as f:
            check(f.read() == b"precious\n", "the target of the", link.__name__, "was written to")
        check(not os.path.islink(os.path.join(w.dir, "t.cdb")), "the rules became a link")


@test
def tcprules_tmp_is_input(w):
    """a temporary file or rules that are the input do not destroy it"""
    text = b"127.:deny\n:allow\n"
    for cdb_name, tmp in (("i.cdb", "rules"), ("i.cdb", "./rules")):
        w.write("rules", text)
        with open(os.path.join(w.dir, "rules"), "rb") as f:
            p = subprocess.run([TOOLS + "/tcprules", cdb_name, tmp], cwd=w.dir, stdin=f, timeout=10,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(p.returncode != 0, "exit 0")
        check(not os.path.exists(os.path.join(w.dir, cdb_name)), "rules were installed")
        with open(os.path.join(w.dir, "rules"), "rb") as f:
            check(f.read() == text, "the input is gone")


@test
def tcprules_endless_line(w):
    """a line of 200 MB in 100 MB of memory ends in words, and the old rules stay"""
    if SANITIZED:
        raise Skip("a sanitizer needs more memory")
    check(w.tcprules(b"127.:deny\n").returncode == 0, "no rules")
    with open(os.path.join(w.dir, "t.cdb"), "rb") as f:
        before = f.read()
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (100 << 20, 100 << 20))
    with open(os.path.join(w.dir, "long"), "wb") as f:
        f.truncate(200 << 20)
    with open(os.path.join(w.dir, "long"), "rb") as f:
        p = subprocess.run([TOOLS + "/tcprules", "t.cdb", "t.tmp"], cwd=w.dir, stdin=f, preexec_fn=limit, timeout=20,
                           stderr=subprocess.PIPE)
    check(p.returncode in (100, 111) and p.stderr, "exit", p.returncode, p.stderr[:100])
    with open(os.path.join(w.dir, "t.cdb"), "rb") as f:
        check(f.read() == before, "the old rules are gone")


# ---- names ----------------------------------------------------------------------------------------------


def hostile(w):
    """The servers of hostile_dns.py; one for all tests."""
    if not os.environ.get(INSIDE):
        raise Skip("needs unshare -n or -rn, for port 53")
    with w.lock:
        if w.hostile is None:
            w.hostile = subprocess.Popen([sys.executable, os.path.join(HERE, "hostile_dns.py"), "127.0.0.1"],
                                         stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
            check(w.hostile.stdout.readline() == b"ready\n", "hostile_dns.py does not start")
    sys.path.insert(0, HERE)
    import hostile_dns
    return hostile_dns


def variables(text):
    return dict(x.split(b"=", 1) for x in (text or b"").split(b"\0") if b"=" in x)


def clients_of(s, prefix, numbers):
    """For each number a client from that address, all at once: (seconds, its variables; None: not served)."""

    def one(n):
        begin = time.monotonic()
        seen = w_quietly(s.everything, "%s.%d" % (prefix, n), 10)
        return n, (time.monotonic() - begin, variables(seen) if seen else None)

    with ThreadPoolExecutor(len(numbers)) as pool:
        return dict(pool.map(one, numbers))


def w_quietly(f, *args):
    try:
        return f(*args)
    except OSError:
        return None


NAME_RULES = [(b"=" + n, b"+RELAYCLIENT=\0+BY=" + n + b"\0") for n in (b"good.example", b"forged.example",
                                                                      b"spoof.example")]


def named(w):
    """Clients of every kind of name server, all at once; asked only once."""
    h = hostile(w)
    with w.names_lock:
        if w.names is None:
            inner = w.sub("names")
            inner.write("n.cdb", cdb(NAME_RULES))
            s = Server(inner, ["-c", "100", "-x", "n.cdb"], ["env", "-0"], options=["-v", "-Rl0"])
            w.names = clients_of(s, "127.0.0", sorted(h.NAMES)), s.read_log()
    return h, w.names[0], w.names[1]


def in_time(results, numbers):
    late = sorted(n for n in numbers if results[n][1] is None or results[n][0] > LOOKUPS_S)
    check(not late, "not served within %d s behind name servers" % LOOKUPS_S, late,
          ["%.1f" % results[n][0] for n in late])
    return "at most %.1f s" % max(results[n][0] for n in numbers)


@waiting
def dns_good(w):
    """a name that its addresses confirm is seen, in lower case, and its rule obeyed, beside all the others"""
    _, r, _ = named(w)
    in_time(r, [2])
    check(r[2][1].get(b"TCPREMOTEHOST") == b"good.example", r[2][1].get(b"TCPREMOTEHOST"))
    check(r[2][1].get(b"BY") == b"good.example", "its rule was not obeyed")


@waiting
def dns_tarpit(w):
    """a name server that says nothing, or only on tcp nothing, or floods: served within the deadline"""
    h, r, _ = named(w)
    return in_time(r, h.TARPITS | {5})


@waiting
def dns_malformed(w):
    """answers that loop, lie about lengths, are cut, or are none: served within the deadline"""
    h, r, _ = named(w)
    note = in_time(r, h.MALFORMED)
    for n in h.MALFORMED - h.TRUE_NAMES:
        check(r[n][1].get(b"BY") is None, "name server", n, "got RELAYCLIENT")
        name = r[n][1].get(b"TCPREMOTEHOST", b"")
        check(len(name) < 256 * 4 and not name.endswith(b"spoof.example"), "name server", n, "made", name)
    return note


@waiting
def dns_unverified(w):
    """a name that its addresses do not confirm gets no rule, without -p too"""
    _, r, _ = named(w)
    in_time(r, [3])
    check(b"RELAYCLIENT" not in r[3][1], "RELAYCLIENT for a forged name")


@waiting
def dns_forged(w):
    """answers with a wrong id, from another port or to another question are not believed"""
    h, r, _ = named(w)
    believed = [n for n in h.SPOOFED if r[n][1] and b"spoof" in r[n][1].get(b"TCPREMOTEHOST", b"")]
    check(not believed, "believed:", believed)
    return in_time(r, h.SPOOFED)


@waiting
def dns_hostile_name(w):
    """bytes that are not printable reach neither the environment nor the log"""
    _, r, log = named(w)
    in_time(r, [24])
    printable(r, log)


def printable(results, log):
    for n, (_, env) in results.items():
        for name, value in (env or {}).items():
            if name.startswith(b"TCP"):
                check(re.fullmatch(rb"[!-~]*", value), "client", n, name, value)
    bad = [x for x in log.split(b"\n")[:-1] if not re.fullmatch(rb"tcpserver: [ -~]*", x)]
    check(not bad, "in the log:", bad[:2])


@waiting
def dns_client_leaves(w):
    """clients that leave while their names are looked up: no slot is lost, the next ones have their names"""
    hostile(w)
    s = Server(w, ["-c", "40"], ["env", "-0"], options=["-v", "-Rl0"])
    for i in range(30):
        reset(s.open("127.0.1.4"))
    begin = time.monotonic()
    seen = variables(s.everything("127.0.0.2", 9))
    check(seen.get(b"TCPREMOTEHOST") == b"good.example", "the next client: %r" % seen.get(b"TCPREMOTEHOST"))
    took = time.monotonic() - begin
    check(took < 4, "the next client waited %.1f s" % took)
    check(wait_until(lambda: s.read_log().endswith(b"status: 0/40\n"), 9), "slots are lost:", s.read_log()[-60:])


def identified(w):
    h = hostile(w)
    with w.users_lock:
        if w.users is None:
            inner = w.sub("users")
            inner.write("u.cdb", cdb([(b"root@127.0.9.6", b"+RELAYCLIENT=\0")]))
            s = Server(inner, ["-c", "100", "-x", "u.cdb"], ["env", "-0"], options=["-v", "-Hl0"])
            w.users = clients_of(s, "127.0.9", sorted(h.USERS)), s.read_log()
    return h, w.users[0], w.users[1]


@waiting
def ident_tarpit(w):
    """ident that says nothing, drips or floods: served within the deadline"""
    h, r, _ = identified(w)
    return in_time(r, h.IDENT_TARPITS)


@waiting
def ident_injection(w):
    """ident with escapes, NULs, line ends or too much of it: nothing of that in the environment or the log"""
    h, r, log = identified(w)
    in_time(r, set(h.USERS) - h.IDENT_TARPITS)
    check(r[1][1].get(b"TCPREMOTEINFO") == b"joe", "a good user: %r" % r[1][1].get(b"TCPREMOTEINFO"))
    check(b"RELAYCLIENT" not in r[6][1], "a line behind the answer was believed")
    check(len(r[8][1].get(b"TCPREMOTEINFO", b"")) < 1000, "a user of 100,000 bytes")
    printable(r, log)


# ---- all of it ------------------------------------------------------------------------------------------


class Work:
    """A folder, and what was started there."""

    def __init__(self, directory, top=None):
        self.dir = directory
        self.top = top or self
        self.servers = []
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o755)
        if top is not None:
            self.child = top.child
            return
        self.child = os.path.join(directory, "attack_child")
        compile_child = ["cc", "-D_GNU_SOURCE", "-O1", "-o", self.child, os.path.join(HERE, "attack_child.c")]
        if subprocess.run(compile_child + ["-static"], stderr=subprocess.DEVNULL).returncode != 0:
            subprocess.run(compile_child, check=True)  # slower to start
        self.lock, self.names_lock, self.users_lock = threading.Lock(), threading.Lock(), threading.Lock()
        self.hostile = self.names = self.users = self.library = None
        self.subs = []

    def __getattr__(self, name):  # what all tests share
        return getattr(object.__getattribute__(self, "top"), name)

    def __setattr__(self, name, value):
        top = self.__dict__.get("top", self)
        shared = name in ("hostile", "names", "users", "library") and top is not self
        object.__setattr__(top if shared else self, name, value)

    def sub(self, name):
        w = Work(os.path.join(self.top.dir, name), self.top)
        self.top.subs.append(w)
        return w

    def write(self, name, content):
        with open(os.path.join(self.dir, name), "wb") as f:
            f.write(content)
        return name

    def replace(self, name, content):
        self.write(name + ".new", content)
        os.rename(os.path.join(self.dir, name + ".new"), os.path.join(self.dir, name))

    def tcprules(self, text, args=("t.cdb", "t.tmp")):
        return subprocess.run([TOOLS + "/tcprules"] + list(args), cwd=self.dir, input=text,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10)

    def again(self):
        if self.library is None:
            self.library = os.path.join(self.top.dir, "again.so")
            subprocess.run(["cc", "-shared", "-fPIC", "-o", self.library, os.path.join(HERE, "differential/again.c"),
                            "-ldl"], check=True)
        return self.library

    def uid(self):
        """One that nobody else has: what its processes do to each other is nobody else's business."""
        if not ROOT:
            raise Skip("needs root")
        return 1500000000 + os.getpid()

    @staticmethod
    def quietly(f, *args, **more):
        try:
            return f(*args, **more)
        except OSError:
            return None

    def stop(self):
        for s in self.servers:
            s.stop()
        self.servers.clear()

    def stop_all(self):
        """What all tests shared."""
        for inner in self.subs:
            inner.stop()
        if self.hostile is not None:
            self.hostile.kill()
            self.hostile.wait()


def run_one(w, f):
    begin = time.monotonic()
    inner = Work(os.path.join(w.dir, "t." + f.__name__), w)
    try:
        note = f(inner)
        return "ok", "", "%s%.1f s" % (note + ", " if note else "", time.monotonic() - begin)
    except Skip as e:
        return "ok", " # skip %s" % e, ""
    except Exception as e:
        return "not ok", "", "%s: %s (%.1f s)" % (type(e).__name__, e, time.monotonic() - begin)
    finally:
        inner.stop()
        shutil.rmtree(inner.dir, ignore_errors=True)


def report(number, f, result):
    verdict, directive, note = result
    print("%s %d - %s: %s%s" % (verdict, number, f.__name__, f.__doc__.split("\n")[0], directive))
    for line in note.split("\n"):
        if line:
            print("# " + line, flush=True)
    return verdict == "ok"


def run(w, chosen):
    chosen = [f for f in chosen if f.waits] + [f for f in chosen if not f.waits]
    print("1..%d" % len(chosen), flush=True)
    failed = []
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(run_one, w, f) for f in chosen if f.waits]
        for number, (f, result) in enumerate(zip(chosen, results), 1):
            if not report(number, f, result.result()):
                failed.append(f.__name__)
    for number, f in enumerate(chosen, 1):
        if not f.waits and not report(number, f, run_one(w, f)):
            failed.append(f.__name__)
    if failed:
        print("# %s fails %d of %d: %s" % (SERVER, len(failed), len(chosen), " ".join(failed)))
    return 1 if failed else 0


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14s", b"lo", 1 | 64, b""))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING


def move_inside(script):
    """Go on in a network of our own, if there can be one. Returns only there, or when there cannot."""
    if os.environ.get(INSIDE):
        loopback_up()
        return
    for how in (["unshare", "-n"], ["unshare", "-rn"]):
        if shutil.which("unshare") and subprocess.run(how + ["true"], stderr=subprocess.DEVNULL).returncode == 0:
            os.environ[INSIDE] = "1"
            os.execvp(how[0], how + [sys.executable, script] + sys.argv[1:])


def begin(script):
    """What a file of such tests needs before its first one; returns why it cannot be run, or None."""
    if shutil.which("cc") is None:
        return "no C compiler: apt install gcc"
    for program in ("tcpserver", "tcprules", "tcprulescheck"):
        if not os.access(os.path.join(TOOLS, program), os.X_OK):
            return "no %s in %s" % (program, TOOLS)
    move_inside(script)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    return None


def main(script, chosen):
    why = begin(script)
    if why:
        print("1..0 # SKIP " + why)
        return 0
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix="portero.", dir=memory) as directory:
        w = Work(directory)
        try:
            return run(w, chosen)
        finally:
            w.stop_all()


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(__file__), [f for f in tests if not sys.argv[1:] or f.__name__ in sys.argv[1:]]))
