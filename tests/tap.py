"""Tests in Python that speak TAP: a list of functions, each with a sentence and a note."""

import os
import sys
import tempfile
import time


def skip(why):
    print("1..0 # SKIP " + why)
    return 0


def folder():
    """In memory where there is such a place: thousands of files wait for their disk one by one."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
    return tempfile.TemporaryDirectory(prefix="portero.", dir=memory)


def run(tests, *arguments):
    """Runs them all; returns what the process exits with."""
    failed = 0
    print("1..%d" % len(tests), flush=True)
    for number, f in enumerate(tests, 1):
        begin = time.monotonic()
        try:
            note = f(*arguments)
            print("ok %d - %s" % (number, f.__doc__))
            print("# %s (%.1f s)" % (note, time.monotonic() - begin), flush=True)
        except Exception as e:
            failed += 1
            print("not ok %d - %s" % (number, f.__doc__))
            for line in ("%s: %s" % (type(e).__name__, e)).split("\n"):
                print("# " + line[:2000], flush=True)
    return 1 if failed else 0
