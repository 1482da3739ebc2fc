"""strike.py [OPTION ...] BLOW WORKLOAD CHECK: strikes at each system call of a program in turn, and looks what is left.

BLOW    kill                                     SIGKILL before the call
        ENOSPC, EIO, EINTR, EMFILE, ENOMEM       calls that may fail so do
        short                                    what reads and writes does only half of it

WORKLOAD is a shell command that runs in an empty directory of its own. It begins the program that is struck with
"$STRIKE", whose words are what strike.c is called with; nothing is struck in others. It hands in messages, and its
standard output says what it is promised (promises.py). CHECK is a shell command that runs in that directory afterwards, as a
start after a crash does, and says what is there. What was promised must be true.

A program that is killed may have promised what it likes. One whose call fails must not die of a signal; and once it has
said "begin", it must go on until the end: the workload then ends with 0. Before that it may refuse to start, with one of
the exit codes 100, 111 and 127.

    --strike PROGRAM    strike.c, compiled
    --times N           the call that fails, and those of its kind that follow: N in all (1)
    --seconds S         fewer points, if all would take longer (600): of each kind of call as many as of the others
    --only N            this point only; its directory stays

Exit 0: nothing was found; 1: something was; 77: it cannot be tried here. Counts are comments for TAP.
"""
import argparse
import collections
import errno
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from promises import Promises

WAIT_S = 60
CANNOT_TRY = 77
REFUSALS = (100, 111, 127)  # 127: the linker of the system

WRITES = "write,pwrite64,writev,pwritev,pwritev2,sendmsg,sendto,sendfile,copy_file_range"
READS = "read,pread64,readv,preadv,recvmsg,recvfrom"
FILES = "openat,open,mkdirat,mkdir,renameat,renameat2,rename,linkat,link,fallocate,ftruncate"
BLOWS = {
    "kill": ("-k", None),
    "short": ("-s", WRITES.replace(",sendfile,copy_file_range", "") + "," + READS),
    "ENOSPC": (f"-e {errno.ENOSPC}", "write,pwrite64,writev,pwritev,pwritev2,copy_file_range,fsync,fdatasync,syncfs," + FILES),
    "EIO": (f"-e {errno.EIO}", f"fsync,fdatasync,syncfs,sync_file_range,getdents64,fstat,newfstatat,statx,fstatfs,"
                               f"unlinkat,unlink,pwrite64,write,read,pread64,{FILES}"),
    "EINTR": (f"-e {errno.EINTR}", f"poll,ppoll,epoll_wait,epoll_pwait,accept,accept4,connect,openat,{WRITES},{READS}"),
    "EMFILE": (f"-e {errno.EMFILE}", "openat,open,socket,accept,accept4,eventfd2,memfd_create,pipe2,dup,dup3,fcntl,"
                                     "signalfd4,epoll_create1,timerfd_create,socketpair"),
    "ENOMEM": (f"-e {errno.ENOMEM}", "mmap,mremap,clone,clone3,openat,poll,ppoll,socket,accept4,eventfd2,memfd_create,"
                                     "getdents64,sendmsg,recvmsg,fstat,newfstatat,unlinkat,mkdirat,renameat,renameat2"),
}

Outcome = collections.namedtuple("Outcome", "calls struck end promises code")


class Sweep:
    def __init__(self, o):
        self.blow, self.calls = BLOWS[o.blow]
        self.o = o

    def strike(self, folder, point):
        words = [self.o.strike, "-o", os.path.join(folder, "report"), "-n", str(point), *self.blow.split()]
        if self.o.times > 1:
            words += ["-r", str(self.o.times)]
        if self.calls:
            words += ["-c", self.calls]
        return " ".join(words)

    def work(self, folder, point):
        """The workload, once. Its own processes end with it: whoever is left of its group is killed."""
        os.mkdir(os.path.join(folder, "work"))
        environment = dict(os.environ, STRIKE=self.strike(folder, point))
        with open(os.path.join(folder, "errors"), "wb") as errors:
            worker = subprocess.Popen(["sh", "-c", self.o.workload], cwd=os.path.join(folder, "work"), env=environment,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                      start_new_session=True)
        try:
            said, _ = worker.communicate(timeout=WAIT_S)
            code = worker.returncode
        except subprocess.TimeoutExpired:
            said, code = None, "none: it hangs"
        try:
            os.killpg(worker.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if said is None:
            said, _ = worker.communicate()
        return self.outcome(folder, said.decode().splitlines(), code)

    @staticmethod
    def outcome(folder, lines, code):
        calls, struck, end = [], [], "no end"
        try:
            with open(os.path.join(folder, "report"), encoding="ascii") as f:
                for line in f:
                    word, _, rest = line.strip().partition(" ")
                    if word == "call":
                        calls.append(rest)
                    elif word == "struck":
                        struck.append(rest)
                    else:
                        end = line.strip()
        except FileNotFoundError:
            pass
        return Outcome(calls, struck, end, Promises(lines), code)

    def problems(self, folder, outcome):
        killed = self.o.blow == "kill" and outcome.struck
        if outcome.code == "none: it hangs":
            yield "it hangs"
        elif not killed and not outcome.end.startswith("exit "):
            yield f"it died: {outcome.end}"
        elif not killed and outcome.promises.began and outcome.code != 0:
            yield f"it did not go on: workload ended with {outcome.code}, program: {outcome.end}"
        elif not killed and not outcome.promises.began and int(outcome.end.split()[1]) not in REFUSALS:
            yield f"it did not start: {outcome.end}"
        try:
            done = subprocess.run(["sh", "-c", self.o.check], cwd=os.path.join(folder, "work"), stdin=subprocess.DEVNULL,
                                  timeout=WAIT_S, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        except subprocess.TimeoutExpired:
            yield "check hangs"
            return
        if done.returncode != 0:
            yield f"check ended with {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}"
        yield from outcome.promises.problems(done.stdout.decode(errors="replace"))

    def point(self, point):
        """(was it struck, which call, problems)"""
        folder = tempfile.mkdtemp()
        outcome = self.work(folder, point)
        found = list(self.problems(folder, outcome)) if outcome.struck else []
        if found:
            with open(os.path.join(folder, "errors"), encoding="utf-8", errors="replace") as f:
                found[-1] += "".join(f"\n    {line}" for line in f.read().splitlines()[-4:])
        if self.o.only:
            print("in", folder)
        else:
            shutil.rmtree(folder)
        return bool(outcome.struck), (outcome.struck or ["none"])[0], found

    def some(self, points):
        end = time.monotonic() + self.o.seconds
        return [(point, *self.point(point)) for point in points if time.monotonic() < end]

    def calls_made(self):
        """In a run in which nothing is struck, which must be without a fault."""
        folder = tempfile.mkdtemp()
        outcome = self.work(folder, 0)
        if outcome.code == CANNOT_TRY or outcome.end == f"exit {CANNOT_TRY}":
            with open(os.path.join(folder, "errors"), encoding="utf-8", errors="replace") as f:
                print(f.read().strip() or "needs ptrace")
            sys.exit(CANNOT_TRY)
        found = list(self.problems(folder, outcome))
        if found or outcome.code != 0:
            with open(os.path.join(folder, "errors"), encoding="utf-8", errors="replace") as f:
                print(f"nothing was struck: workload ended with {outcome.code}, {outcome.end}; {found}\n{f.read()}")
            sys.exit(1)
        shutil.rmtree(folder)
        return outcome.calls


def in_turn(calls):
    """Points, one of each kind of call, then another of each kind, and so on; which of them is left to chance."""
    chance = random.Random(len(calls))
    kinds = {}
    for point, call in enumerate(calls, 1):
        kinds.setdefault(call, []).append(point)
    ranked = []
    for points in kinds.values():
        chance.shuffle(points)
        ranked += enumerate(points)
    return [point for _, point in sorted(ranked)]


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--strike", required=True)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--only", type=int)
    parser.add_argument("blow", choices=list(BLOWS))
    parser.add_argument("workload")
    parser.add_argument("check")
    o = parser.parse_args()
    o.strike = os.path.abspath(o.strike)
    return o


def main():
    o = options()
    sweep = Sweep(o)
    if o.only:
        print(sweep.point(o.only))
        return
    calls = sweep.calls_made()
    if not calls:
        print("no call was counted")
        sys.exit(1)
    points = in_turn(calls)
    with multiprocessing.Pool(2) as pool:
        results = [result for part in pool.map(sweep.some, [points[i::2] for i in range(2)]) for result in part]
    struck = [result for result in results if result[1]]
    kinds = collections.Counter(call for _, _, call, _ in struck)
    found = [(point, call, text) for point, _, call, texts in sorted(results) for text in texts]
    print(f"# {o.blow}: {len(struck)} of {len(calls)} calls struck, {len(kinds)} kinds; "
          f"{len({point for point, _, _ in found})} with findings")
    for point, call, text in found[:20]:
        print(f"--only {point} ({call}): {text}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
