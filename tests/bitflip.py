"""bitflip.py [OPTION ...] DIR LOOK: turns over single bits of files, and looks what is made of them.

DIR is a queue, as a kill or a clean end left it. LOOK is a shell command that runs in a copy of it, does what a start does, and
writes a line "ID SIZE SUM number NUMBER" for each message that is there; whatever else it writes, there or to
standard error, is what it has to say.

It must not die; each message that is there must be as it was, and there once; a bit may cost one message, and the
number of each that is not there must be said.

    --files GLOB        below DIR, where the bits are (log/*)
    --seconds S         evenly fewer bits, if one of each byte would take longer (600)
    --seed N            of the choice of bits (0)
    --at-once N         bits far from each other are turned over together (40); when that finds something, each alone
    --only FILE:BIT     this one only; its directory stays

A file is gone through up to its last byte that is not zero, and a little further. Exit 0: nothing was found;
1: something was. Counts are comments for TAP.
"""
import argparse
import collections
import glob
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

from promises import in_time

WAIT_S = 60
BEHIND = 64     # bytes of the zeros after what is used
BITS_MAX = 500_000
LONG_AGO = (1, 1)

Seen = collections.namedtuple("Seen", "code messages said")


def stamp(path):
    """What has another time later was changed."""
    os.utime(path, LONG_AGO, follow_symlinks=False)


class Copy:
    """A directory that is as it was again, quickly, whatever was done to it."""

    def __init__(self, origin):
        self.origin = origin
        self.top = tempfile.mkdtemp() + "/copy"
        shutil.copytree(origin, self.top)
        self.names = {}     # of each folder, what it holds
        self.files = []
        for folder, folders, files in os.walk(self.top):
            self.names[folder] = set(folders + files)
            self.files += [os.path.join(folder, name) for name in files]
        self.stamp()

    def stamp(self):
        for path in [*self.files, *self.names]:
            stamp(path)

    def restore(self):
        for folder, names in self.names.items():
            if os.stat(folder).st_mtime_ns == LONG_AGO[1] * 10**9:
                continue
            for name in set(os.listdir(folder)) - names:
                path = os.path.join(folder, name)
                (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
            stamp(folder)
        for path in self.files:
            try:
                if os.stat(path).st_mtime_ns == LONG_AGO[1] * 10**9:
                    continue
            except FileNotFoundError:
                pass
            shutil.copyfile(self.origin + path[len(self.top):], path)
            stamp(path)
            stamp(os.path.dirname(path))

    def flip(self, name, bit):
        with open(os.path.join(self.top, name), "r+b") as f:
            f.seek(bit // 8)
            byte = f.read(1)[0]
            f.seek(bit // 8)
            f.write(bytes([byte ^ 1 << bit % 8]))

    def remove(self):
        shutil.rmtree(os.path.dirname(self.top))


def look(command, folder):
    try:
        done = subprocess.run(["sh", "-c", "exec " + command], cwd=folder, stdin=subprocess.DEVNULL, timeout=WAIT_S,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    except subprocess.TimeoutExpired:
        return Seen("none: it hangs", [], "")
    lines = done.stdout.decode(errors="replace").splitlines()
    messages = [line for line in lines if re.fullmatch(r"\d+ \d+ \w+ number \d+", line)]
    return Seen(done.returncode, messages, "\n".join(set(lines) - set(messages)) + done.stderr.decode(errors="replace"))


def problems(whole, seen, flips):
    """flips: so many messages may be gone."""
    if seen.code != 0:
        yield f"ended with {seen.code}: {seen.said[-300:]}"
        return
    for line, times in collections.Counter(seen.messages).items():
        if line not in whole:
            yield f"wrong message: {line}"
        if times > 1:
            yield f"twice: {line}"
    if len(whole - set(seen.messages)) > flips:
        yield f"{flips} flips cost {len(whole - set(seen.messages))} messages"
    numbers = set(re.findall(r"\d+", seen.said))
    for line in sorted(whole - set(seen.messages)):
        if line.split()[-1] not in numbers:
            yield f"lost and not named: {line}; it said: {seen.said[-300:]}"


def used(path):
    with open(path, "rb") as f:
        content = f.read()
    return min(len(content), len(content.rstrip(b"\0")) + BEHIND)


def bits_of(top, pattern, seed):
    """One of each byte, whichever; of each few bytes, when there are very many."""
    chance = random.Random(seed)
    sizes = {path: used(path) for path in sorted(glob.glob(os.path.join(glob.escape(top), pattern)))}
    step = 1 + sum(sizes.values()) // BITS_MAX
    for path, size in sizes.items():
        for bit in range(0, size * 8, step * 8):
            yield os.path.relpath(path, top), min(bit + chance.randrange(step * 8), size * 8 - 1)


class Flips:
    """What is turned over, and what comes of it."""

    def __init__(self, o, whole):
        self.o, self.whole = o, whole
        self.copy = Copy(o.dir)
        self.tried = self.lost = 0
        self.found = []

    def turn(self, bits):
        """Problems, of all these at once."""
        for name, bit in bits:
            self.copy.flip(name, bit)
        seen = look(self.o.look, self.copy.top)
        if self.o.only:
            print("in", self.copy.top, seen.code, seen.said)
        else:
            self.copy.restore()
        return len(self.whole - set(seen.messages)), list(problems(self.whole, seen, len(bits)))

    def group(self, bits):
        lost, found = self.turn(bits)
        self.tried += len(bits)
        self.lost += lost
        if not found:
            return
        before = len(self.found)
        if len(bits) > 1:
            for bit in bits:
                self.found += [(bit, text) for text in self.turn([bit])[1]]
        if len(self.found) == before:
            self.found += [(bits[0], (f"with {bits[1:]}: " if bits[1:] else "") + text) for text in found]


def flip_some(job):
    """(how many were tried, messages lost, problems)"""
    o, whole, groups = job
    flips = Flips(o, whole)
    for group in in_time(groups, o.seconds):
        flips.group(group)
    if not o.only:
        flips.copy.remove()
    return flips.tried, flips.lost, flips.found


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", default="log/*")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=40)
    parser.add_argument("--only")
    parser.add_argument("dir")
    parser.add_argument("look")
    o = parser.parse_args()
    o.dir = os.path.abspath(o.dir)
    return o


def main():
    o = options()
    copy = Copy(o.dir)
    seen = look(o.look, copy.top)
    copy.remove()
    whole = set(seen.messages)
    if seen.code != 0 or len(whole) != len(seen.messages) or not whole:
        print(f"without a flip: ended with {seen.code}, {len(seen.messages)} messages: {seen.said}")
        sys.exit(1)
    bits = list(bits_of(o.dir, o.files, o.seed))
    if o.only:
        name, _, bit = o.only.rpartition(":")
        bits = [(name, int(bit))]
    count = -(-len(bits) // o.at_once)
    groups = [bits[i::count] for i in range(count)]
    random.Random(o.seed).shuffle(groups)  # what there is no time for lies anywhere
    with multiprocessing.Pool(2) as pool:
        results = pool.map(flip_some, [(o, whole, groups[i::2]) for i in range(2)])
    tried, lost = (sum(result[i] for result in results) for i in range(2))
    found = sorted(problem for result in results for problem in result[2])
    print(f"# {o.files}: {len(whole)} messages, {tried} flips of {len(bits)} cost {lost} messages; "
          f"{len({bit for bit, _ in found})} with findings")
    for (name, bit), text in found[:20]:
        print(f"--only {name}:{bit}: {text}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
