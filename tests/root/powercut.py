"""powercut.py [OPTION ...] WORKLOAD CHECK: what a power cut leaves of what was promised.

WORKLOAD is a shell command. It runs with a fresh file system as its working directory, on a disk that remembers
in which order it was written to and when it was flushed (recorder.py), and its standard output says what it hands
in and what it is promised (tests/promises.py). Flushes between its lines "begin" and "end" are counted.

Then the power is cut, again and again: a disk gets what had been written up to a flush, and of what was written
after it nothing, all, or any part. Parts are whole writes in one cut and sectors in another. It is mounted, and
the shell command CHECK runs with it as its working directory. It does what a start after a crash does, and writes
a line for each message that is there. What had been promised by then must be true.

    --fs NAME       ext4 or xfs
    --cuts N        so many cuts: half of them right behind a promise (300)
    --seconds S     evenly fewer, if that would take longer (600)
    --until-found   it is enough that something is found
    --seed N        of the choice of cuts (0); each is named in full when it finds something
    --cut P:HOW:N   this one only
    --keep DIR      what is recorded stays there

Exit 0: nothing was found; 1: something was; 77: it cannot be tried here. Counts are comments for TAP.
"""
import argparse
import atexit
import collections
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile

import recorder

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from promises import Promises, in_time  # pylint: disable=wrong-import-position

SECTOR = {"ext4": 512, "xfs": 4096}     # xfs does not survive it when one of its blocks is torn
WHOLE_BELOW = {"ext4": 4096, "xfs": 0}  # nor ext4 when its superblock is
WAIT_S = 120        # for a workload, and for a check
MEGABYTES = {"ext4": 64, "xfs": 300}  # mkfs.xfs makes none that is smaller
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"],
        "xfs": ["mkfs.xfs", "-q", "-f", "-K"]}
MOUNT = {"ext4": "loop", "xfs": "loop,nouuid"}
HOW = ["nothing", "all", "some", "torn"]
CANNOT_TRY = 77

Cut = collections.namedtuple("Cut", "position how seed")  # position: so many entries of the journal were made


def run(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit {done.returncode}: {done.stdout.decode(errors='replace').strip()}")


class Mounted:
    """An image (or our disk), mounted while this lives."""

    def __init__(self, fs, image, where):
        self.where = where
        run(["mount", "-t", fs, "-o", MOUNT[fs], image, where])

    def __enter__(self):
        return self.where

    def __exit__(self, *_):
        run(["umount", self.where])


# ---- recording --------------------------------------------------------------------------------------------

def make_image(fs, path):
    with open(path + ".full", "wb") as f:
        f.truncate(MEGABYTES[fs] << 20)
    run([*MAKE[fs], path + ".full"])
    run(["cp", "--sparse=always", path + ".full", path])  # it will be copied often
    os.unlink(path + ".full")


def record(fs, folder, workload):
    """Runs it on a disk that remembers. The journal's entries; the image before it is folder/base."""
    make_image(fs, folder + "/base")
    run(["cp", "--sparse=always", folder + "/base", folder + "/image"])
    open(folder + "/disk", "wb").close()
    os.mkdir(folder + "/work")
    reading, writing = os.pipe()
    pid = recorder.start(folder + "/image", folder + "/journal", folder + "/disk", reading)
    os.close(reading)
    try:
        with Mounted(fs, folder + "/disk", folder + "/work") as where:
            code = subprocess.run(["sh", "-c", workload], cwd=where, stdin=subprocess.DEVNULL, stdout=writing,
                                  timeout=WAIT_S, check=False).returncode
    finally:
        os.close(writing)
        recorder.unmount(folder + "/disk", recorder.MNT_DETACH)
        os.waitpid(pid, 0)
    if code != 0:
        raise RuntimeError(f"the workload ended with {code}")
    os.unlink(folder + "/image")
    return list(recorder.entries(folder + "/journal"))


# ---- cutting ----------------------------------------------------------------------------------------------

class Replay:
    """The disk at one position after the other. fd is an image that has what was flushed."""

    def __init__(self, fs, folder, journal, check):
        self.fs, self.journal, self.check = fs, journal, check
        self.folder = tempfile.mkdtemp(dir=folder)
        self.base = self.folder + "/base"
        run(["cp", "--sparse=always", folder + "/base", self.base])
        self.fd = os.open(self.base, os.O_RDWR)
        self.flushed = 0        # entries before this are in fd
        self.position = 0       # lines before this are in promises
        self.promises = Promises()
        os.mkdir(self.folder + "/work")

    def close(self):
        os.close(self.fd)
        shutil.rmtree(self.folder)

    def advance(self, position):
        """The writes that are not flushed there."""
        flush = position
        while flush > self.flushed and self.journal[flush - 1][0] != recorder.FLUSH:
            flush -= 1
        for kind, offset, data in self.journal[self.flushed:flush]:
            if kind == recorder.WRITE:
                os.pwrite(self.fd, data, offset)
        self.flushed = flush
        for kind, _, data in self.journal[self.position:position]:
            if kind == recorder.LINE:
                self.promises.take(data.decode())
        self.position = position
        return [(offset, data) for kind, offset, data in self.journal[flush:position] if kind == recorder.WRITE]

    def cut(self, cut):
        """What is wrong, as a list."""
        pending = self.advance(cut.position)
        image = self.folder + "/cut"
        run(["cp", "--sparse=auto", self.base, image])
        with open(image, "r+b", buffering=0) as f:
            for offset, data in survivors(self.fs, pending, cut):
                os.pwrite(f.fileno(), data, offset)
        try:
            with Mounted(self.fs, image, self.folder + "/work") as where:
                done = subprocess.run(["sh", "-c", self.check], cwd=where, stdin=subprocess.DEVNULL, timeout=WAIT_S,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        except (RuntimeError, subprocess.TimeoutExpired) as e:
            return [f"failed: {e}"]
        if done.returncode != 0:
            return [f"failed: check ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}"]
        return list(self.promises.problems(done.stdout.decode()))


def survivors(fs, pending, cut):
    """Of the writes that no flush covers, those that the disk had kept."""
    chance = random.Random(cut.seed)
    if cut.how == "all":
        yield from pending
    elif cut.how == "some":
        share = chance.choice((0.1, 0.5, 0.9))
        yield from (write for write in pending if chance.random() < share)
    elif cut.how == "torn":
        share = chance.choice((0.1, 0.5, 0.9))
        for offset, data in pending:
            sector = SECTOR[fs] if offset >= WHOLE_BELOW[fs] else max(len(data), 1)
            for at in range(0, len(data), sector):
                if chance.random() < share:
                    yield offset + at, data[at:at + sector]


def choose(journal, count, seed):
    """Cuts in order of position. Half of them lie right behind a promise, the others anywhere, the first start included."""
    chance = random.Random(seed)
    promises = [i + 1 for i, (kind, _, data) in enumerate(journal) if kind == recorder.LINE and data[:1] == b"+"]
    if not promises:
        raise RuntimeError("the workload promised nothing")
    chosen = set()
    for i in range(count):
        position = chance.choice(promises) if i % 2 == 0 else chance.randint(1, len(journal))
        chosen.add(Cut(position, chance.choice(HOW), chance.randrange(1 << 31)))
    return sorted(chosen)


def cut_all(job):
    """All of them, or as many as there is time for. (how many, problems as (cut, text))"""
    o, folder, journal, cuts = job
    replay = Replay(o.fs, folder, journal, o.check)
    tried, problems = 0, []
    for cut in in_time(cuts, o.seconds):
        problems += [(cut, text) for text in replay.cut(cut)]
        tried += 1
        if problems and o.until_found:
            break
    replay.close()
    return tried, problems


# ---- as a whole -------------------------------------------------------------------------------------------

def cannot_try(fs):
    if os.geteuid() != 0:
        return "needs root"
    for path in "/dev/fuse", "/dev/loop-control":
        if not os.access(path, os.R_OK | os.W_OK):
            return f"needs {path}"
    if shutil.which(MAKE[fs][0]) is None:
        return f"needs {MAKE[fs][0]}: apt install {'xfsprogs' if fs == 'xfs' else 'e2fsprogs'}"
    folder = tempfile.mkdtemp()
    try:
        make_image(fs, folder + "/image")
        with Mounted(fs, folder + "/image", folder):
            return None
    except RuntimeError as e:
        return f"needs {fs} on a loop device: {e}"
    finally:
        shutil.rmtree(folder)


def flushes_of_each(journal):
    """A message, while only messages are handed in; None when the workload does not say when that is."""
    kinds = [data if kind == recorder.LINE else kind for kind, _, data in journal]
    if b"begin" not in kinds or b"end" not in kinds:
        return None
    part = kinds[kinds.index(b"begin"):kinds.index(b"end")]
    return part.count(recorder.FLUSH) / max(1, sum(line.startswith(b"+") for line in part))


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fs", choices=sorted(MAKE), default="ext4")
    parser.add_argument("--cuts", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--until-found", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cut")
    parser.add_argument("--keep")
    parser.add_argument("workload")
    parser.add_argument("check")
    return parser.parse_args()


def chosen_cuts(o, journal):
    if o.cut:
        position, how, seed = o.cut.split(":")
        return [Cut(int(position), how, int(seed))]
    return choose(journal, o.cuts, o.seed)


def journal_of(o, folder):
    """What --keep has kept is not recorded again: no two runs are the same."""
    if o.keep and os.path.exists(folder + "/journal"):
        return list(recorder.entries(folder + "/journal"))
    return record(o.fs, folder, o.workload)


def main():
    o = options()
    why = cannot_try(o.fs)
    if why:
        print(why)
        sys.exit(CANNOT_TRY)
    folder = o.keep or tempfile.mkdtemp()
    if o.keep:
        os.makedirs(folder, exist_ok=True)
    else:
        atexit.register(shutil.rmtree, folder)
    journal = journal_of(o, folder)
    cuts = chosen_cuts(o, journal)
    jobs = [(o, folder, journal, cuts[i::2]) for i in range(2)]
    with multiprocessing.Pool(2) as pool:
        results = pool.map(cut_all, jobs)
    problems = [problem for _, found in results for problem in found]
    kinds = collections.Counter(kind for kind, _, _ in journal)
    each = flushes_of_each(journal)
    print(f"# {o.fs}: {sum(kind == recorder.LINE and data[:1] == b'+' for kind, _, data in journal)} promises, "
          f"{kinds[recorder.WRITE]} writes, {kinds[recorder.FLUSH]} flushes"
          + (f" ({each:.3f} a message)" if each is not None else "")
          + f"; {sum(tried for tried, _ in results)} cuts, {len({cut for cut, _ in problems})} of them with findings")
    for cut, text in problems[:20]:
        print(f"--cut {':'.join(map(str, cut))}: {text}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
