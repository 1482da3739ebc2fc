"""promises.py - what was promised of messages, in lines, and what is there of them.

Whoever hands messages in writes these lines, each with one write(2):

    ? ID SIZE SUM   before it hands in this message
    + ID            it has been told that the message is kept
    - ID            before it asks that the message is removed, or lets it be delivered
    x ID            it is removed for good
    ! ID            the message was refused
    begin, end      of what may be counted

Whoever looks later writes "ID SIZE SUM" for each message that is there. Every message that was promised must be
there, once, unless it was asked to go; none that was refused, is gone, or had not been handed in; and each as it
was handed in. SIZE and SUM are any words.
"""
import collections
import random
import time


class Promises:
    def __init__(self, lines=()):
        self.handed_in = {}
        self.kept = set()
        self.leaving = set()
        self.nowhere = set()
        self.began = False
        for line in lines:
            self.take(line)

    def take(self, line):
        word, *rest = line.split()
        if word == "?":
            self.handed_in[rest[0]] = tuple(rest[1:])
        elif word in ("begin", "end"):
            self.began = True
        else:
            {"+": self.kept, "-": self.leaving, "x": self.nowhere, "!": self.nowhere}[word].add(rest[0])

    def problems(self, text):
        """Of the lines about what is there."""
        found = [tuple(line.split()) for line in text.splitlines()]
        times = collections.Counter(line[0] for line in found)
        for name in sorted(self.kept - self.leaving - set(times)):
            yield f"lost: {name}"
        for name, *what in found:
            if name not in self.handed_in:
                yield f"unknown: {name} {' '.join(what)}"
            elif name in self.nowhere:
                yield f"back: {name}"
            elif tuple(what) != self.handed_in[name]:
                yield f"damaged: {name} is {' '.join(what)}, was {' '.join(self.handed_in[name])}"
        for name, count in times.items():
            if count > 1:
                yield f"twice: {name}"


def in_time(things, seconds):
    """All of them, or evenly fewer when that would take longer."""
    chance = random.Random(len(things))
    began = time.monotonic()
    tried = 0
    for i, thing in enumerate(things):
        spent = time.monotonic() - began
        needed = (len(things) - i) * spent / max(tried, 1)
        if tried > 0 and needed > seconds - spent and chance.random() > (seconds - spent) / needed:
            continue
        tried += 1
        yield thing
