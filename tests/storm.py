#!/usr/bin/env python3
"""Many connections, most of them rude, and rules that are replaced meanwhile, as TAP.

    STORM=100000 storm.py    so many connections; 1000 unless it is set

Afterwards nothing may be left: no zombie, no descriptor, no memory, and every "ok" in the log has its "end".
BIN and SERVER as in attacks.py."""

import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import attacks
from attacks import BANNER, SANITIZED, TOOLS, Server, cdb, check, children, descriptors, reset, rss_kb
from attacks import wait_until, zombies

CONNECTIONS = int(os.environ.get("STORM", "1000"))
SWAPS = int(os.environ.get("SWAPS", "30" if SANITIZED else str(min(1000, max(100, CONNECTIONS // 25)))))
SOURCES = ["127.0.5.%d" % i for i in range(1, 51)]
WORKERS, BURST = 4, 25
GROWTH_KB = 1000


# ---- clients of every kind ------------------------------------------------------------------------------


def polite(c, rnd):
    return c.recv(100) == BANNER


def talker(c, rnd):
    text = b"x" * rnd.choice([1, 100, 20000])
    c.sendall(text)
    c.shutdown(socket.SHUT_WR)
    seen = b""
    while True:
        part = c.recv(65536)
        if not part:
            return seen == BANNER + text
        seen += part


def half_closed(c, rnd):
    c.shutdown(socket.SHUT_WR)
    return c.recv(100) == BANNER


def rude(c, rnd):
    reset(c)
    return None


def rude_later(c, rnd):
    c.sendall(b"x" * 5000)
    reset(c)
    return None


def leaver(c, rnd):
    return None


def slow_reader(c, rnd):
    c.sendall(b"x" * 50000)
    time.sleep(0.01)
    return None


KINDS = [polite, polite, talker, talker, half_closed, rude, rude, rude, rude_later, leaver, leaver, slow_reader]


def burst(s, rnd, size):
    """A burst of connections at once, then each in its way. (those that were to be served, those that were)"""
    wanted = served = 0
    held = []
    for _ in range(size):
        try:
            c = s.open(rnd.choice(SOURCES))
        except OSError:
            continue
        held.append((c, rnd.choice(KINDS)))
    rnd.shuffle(held)
    for c, kind in held:
        try:
            result = kind(c, rnd)
        except OSError:
            result = False
        if result is not None:
            wanted += 1
            served += result
        c.close()
    return wanted, served


def numbers(log, word):
    return re.findall(rb"^tcpserver: %s (\d+)\b" % word, log, re.M)


def settled(s):
    return not children(s.pid) and s.read_log().endswith(b"tcpserver: status: 0/100\n")


def storm_of(s, count, seed):
    each = count // WORKERS // BURST

    def worker(n):
        rnd = random.Random(seed + n)
        return [burst(s, rnd, BURST) for _ in range(each)]

    with ThreadPoolExecutor(WORKERS) as pool:
        results = [x for part in pool.map(worker, range(WORKERS)) for x in part]
    check(wait_until(lambda: settled(s), 20), "never calm again:", children(s.pid), s.read_log()[-100:])
    return sum(x[0] for x in results), sum(x[1] for x in results)


def a_storm(w):
    """bursts from 50 addresses, with resets, half-closes and slow readers: nothing is left of them"""
    s = Server(w, ["-c", "100"], "hold")
    storm_of(s, max(300, CONNECTIONS // 10), 1)  # whatever grows once has grown
    held, size = descriptors(s.pid), rss_kb(s.pid)
    wanted, served = storm_of(s, CONNECTIONS, 100)
    s.must_live("the storm")
    check(zombies(s.pid) == 0, zombies(s.pid), "zombies")
    check(len(descriptors(s.pid)) <= len(held) + 1, "descriptors before", held, "after", descriptors(s.pid))
    grown = rss_kb(s.pid) - size
    check(SANITIZED or grown < GROWTH_KB, "grew by %d kB" % grown)
    log = s.read_log()
    begun, ended = sorted(numbers(log, b"ok")), sorted(numbers(log, b"end"))
    check(begun == ended, "%d ok lines, %d end lines" % (len(begun), len(ended)))
    check(len(numbers(log, b"pid")) == len(ended), "pid lines and end lines do not match")
    most = max(int(x) for x in re.findall(rb"^tcpserver: status: (\d+)/100$", log, re.M))
    check(most <= 100, "status said %d of 100" % most)
    check(served == wanted, "%d of %d that behaved were not served" % (wanted - served, wanted))
    return "%d connections, %d programs, %d of %d served, grew by %d kB" % (
        CONNECTIONS, len(begun), served, wanted, grown)


# ---- rules that change under load -----------------------------------------------------------------------

# Whoever comes is let in as one generation or is denied; nobody in between: each set decides for itself.
ALLOW = b'127.0.5.1:allow,GENERATION="allow"\n:allow,GENERATION="allow"\n'
DENY = b'127.0.5.1:deny\n:allow,GENERATION="deny"\n'


class Clients:
    """Clients that come all the time, from an address that the two sets judge differently and from one that
    they name differently. Each result: (begin, end, what was seen)."""

    def __init__(self, s):
        self.s, self.over = s, threading.Event()
        self.seen = {"127.0.5.1": [], "127.0.5.2": []}
        self.threads = [threading.Thread(target=self.come, args=(x,)) for x in self.seen]
        for t in self.threads:
            t.start()

    def come(self, source):
        while not self.over.is_set():
            begin = time.monotonic()
            try:
                seen = self.s.everything(source, seconds=5)
            except OSError as e:
                seen = e
            self.seen[source].append((begin, time.monotonic(), seen))

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join()


def replace_rules(w, text):
    p = subprocess.run([TOOLS + "/tcprules", "r.cdb", "r.tmp"], cwd=w.dir, input=text, stderr=subprocess.PIPE)
    check(p.returncode == 0, "tcprules:", p.stderr)


def possible(swaps, begin, end):
    """The sets that were there between those times. swaps: (begun, done, name), in order."""
    names = {name for begun, done, name in swaps if begun <= end and done >= begin}
    before = [name for _, done, name in swaps if done < begin]
    return names | set(before[-1:])


def rules_replaced(w):
    """rules replaced over and over: every verdict is that of the old or the new file"""
    replace_rules(w, ALLOW)
    s = Server(w, ["-c", "100", "-x", "r.cdb"], ["/usr/bin/env"])
    swaps = [(0, time.monotonic(), "allow")]
    c = Clients(s)
    try:
        for i in range(SWAPS):
            name = ("deny", "allow")[i % 2]
            begun = time.monotonic()
            replace_rules(w, DENY if name == "deny" else ALLOW)
            swaps.append((begun, time.monotonic(), name))
    finally:
        c.stop()
    count = {"allow": 0, "deny": 0}
    for source, seen in c.seen.items():
        for begin, end, text in seen:
            said = re.findall(rb"GENERATION=(\w+)", text or b"") if not isinstance(text, OSError) else None
            check(said is not None and text is not None, "a client was lost:", text)
            verdict = said[0].decode() if said else "deny" if source == "127.0.5.1" else "none"
            near = [x for x in swaps if x[1] > begin - 1 and x[0] < end + 1]
            check(verdict in possible(swaps, begin, end), source, "got", verdict, "while there was", near[-6:])
            count[verdict] += 1
    check(min(count.values()) > 0, "only one verdict was ever seen:", count)
    check(wait_until(lambda: not children(s.pid)), "children are left")
    check(b"warning" not in s.read_log(), "the log has a warning")
    return "%d replacements, %d allowed by the first, %d judged by the second" % (SWAPS, count["allow"], count["deny"])


def rules_broken(w):
    """rules cut, empty, damaged or gone, in place and by replacement: all are refused, with a line in the log"""
    good = cdb([(b"127.0.5.9", b"D\0"), (b"", b"")])
    path = os.path.join(w.dir, "r.cdb")
    w.write("r.cdb", good)
    s = Server(w, ["-c", "100", "-x", "r.cdb"], "gone")
    over = threading.Event()
    pressure = threading.Thread(target=lambda: [w.quietly(s.everything, "127.0.5.9") for _ in iter(over.is_set, True)])
    pressure.start()
    try:
        for what, act in [
            ("cut in place", lambda: os.truncate(path, len(good) // 2)),
            ("emptied in place", lambda: os.truncate(path, 0)),
            ("damaged in place", lambda: w.write("r.cdb", good[:2050] + b"\xff" + good[2051:])),
            ("replaced by a cut one", lambda: w.replace("r.cdb", good[:-8])),
            ("replaced by an empty one", lambda: w.replace("r.cdb", b"")),
            ("replaced by text", lambda: w.replace("r.cdb", b"127.:allow\n" * 400)),
            ("gone", lambda: os.unlink(path)),
        ]:
            check(s.everything("127.0.5.2") == BANNER, "not served before rules are", what)
            warnings = s.count(rb"^tcpserver: warning: dropping connection")
            act()
            check(s.everything("127.0.5.2") == b"", "let in with rules", what)
            check(wait_until(lambda: s.count(rb"^tcpserver: warning: dropping connection") > warnings, 3),
                  "no word in the log about rules", what)
            s.must_live("rules " + what)
            w.replace("r.cdb", good)
    finally:
        over.set()
        pressure.join()
    check(s.everything("127.0.5.2") == BANNER, "not served afterwards")
    check(s.everything("127.0.5.9") == b"", "not denied afterwards")


if __name__ == "__main__":
    for f in (a_storm, rules_replaced, rules_broken):
        f.waits = False
    sys.exit(attacks.main(os.path.abspath(__file__), [a_storm, rules_replaced, rules_broken]))
