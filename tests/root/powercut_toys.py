"""powercut_toys.py PROTOCOL COUNT, powercut_toys.py check PROTOCOL: ways to keep a message whose worth is known.

What powercut.py says of them says what powercut.py is worth. In the working directory.
"""
import glob
import hashlib
import os
import struct
import sys

LOG_BYTES = 1 << 20
HEAD = struct.Struct("<II16s")  # number, bytes, md5


def say(line):
    os.write(1, line.encode() + b"\n")


def create(name, data):
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, data)
    return fd


def sync_folder(name):
    fd = os.open(name, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def keep_name_first(number, data, sync=True):
    fd = create(f"new/{number}", data)
    if sync:
        os.fsync(fd)
    os.close(fd)


def keep_no_sync(number, data):
    keep_name_first(number, data, False)


def keep_rename(number, data):
    fd = create(f"tmp/{number}", data)
    os.fsync(fd)
    os.close(fd)
    os.rename(f"tmp/{number}", f"new/{number}")


def keep_rename_folder(number, data):
    keep_rename(number, data)
    sync_folder("new")


def keep_link(number, data):
    fd = create(f"tmp/{number}", data)
    os.fsync(fd)
    os.close(fd)
    os.link(f"tmp/{number}", f"new/{number}")


class Log:
    """Records in a file of zeros."""

    def __init__(self, sync=True):
        self.sync = sync
        self.at = 0
        self.fd = os.open("log", os.O_RDWR | os.O_CREAT)
        os.write(self.fd, bytes(LOG_BYTES))
        os.fsync(self.fd)

    def __call__(self, _, data):
        os.pwrite(self.fd, data, self.at)
        self.at += len(data)
        if self.sync:
            os.fdatasync(self.fd)


PROTOCOLS = {"name-first": keep_name_first, "no-sync": keep_no_sync, "rename": keep_rename, "link": keep_link,
             "rename-folder": keep_rename_folder, "log": Log, "log-no-sync": lambda: Log(False)}


def message(number):
    text = b"%d of many\n" % number * (1 + number * 37 % 200)
    return text, hashlib.md5(text).digest()


def work(protocol, count):
    for folder in "tmp", "new":
        os.mkdir(folder)
        sync_folder(".")
    keep = PROTOCOLS[protocol]
    if protocol.startswith("log"):
        keep = keep()
    say("begin")
    for number in range(1, count + 1):
        text, check = message(number)
        say(f"? {number} {len(text)} {check.hex()}")
        keep(number, HEAD.pack(number, len(text), check) + text)
        say(f"+ {number}")
    say("end")


def found_at(data, at):
    """(number, text) and where the next begins, if it is whole."""
    if len(data) - at < HEAD.size:
        return None
    number, size, check = HEAD.unpack_from(data, at)
    text = data[at + HEAD.size:at + HEAD.size + size]
    if number == 0 or hashlib.md5(text).digest() != check:
        return None
    return number, text, at + HEAD.size + size


def look(protocol):
    files = glob.glob("log") if protocol.startswith("log") else glob.glob("new/*")
    for name in files:
        with open(name, "rb") as f:
            data = f.read()
        at = 0
        while entry := found_at(data, at):
            number, text, at = entry
            print(number, len(text), hashlib.md5(text).hexdigest())


if __name__ == "__main__":
    if sys.argv[1] == "check":
        look(sys.argv[2])
    else:
        work(sys.argv[1], int(sys.argv[2]))
