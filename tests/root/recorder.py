"""recorder.py - a disk that remembers in which order it was written to.

A file system of our own (FUSE) shows an image as one file; a loop device on that file is the disk. The loop
device passes each write as a write, and each flush of the disk's cache (and what must go past that cache, which
the kernel makes a write and a flush of) as a fsync. All of it goes into a journal, with data, and so do the
lines that somebody writes to a pipe: whoever writes one after a flush has come back finds it behind that flush.

A disk may finish a write that was under way when a flush began without that flush; here it is always part of
it. No file system relies on the difference.
"""
import ctypes
import errno
import fcntl
import os
import select
import struct
import sys

WRITE, FLUSH, LINE = b"W", b"F", b"L"
ENTRY = struct.Struct("<cQI")       # kind, offset, bytes that follow

# linux/fuse.h
IN_HEADER = struct.Struct("<IIQQIIIHH")
OUT_HEADER = struct.Struct("<IiQ")
ATTRIBUTES = struct.Struct("<QIIQQQQQQIIIIIIIIII")
INIT_OUT = struct.Struct("<IIIIHHIIHHI28x")
WRITE_IN = struct.Struct("<QQIIQII")
READ_IN = struct.Struct("<QQI")
GETATTR, SETATTR, FORGET, OPEN, READ, WRITE_OP, STATFS, RELEASE, FSYNC, OP_FLUSH, INIT, INTERRUPT, DESTROY = (
    3, 4, 2, 14, 15, 16, 17, 18, 20, 25, 26, 36, 38)
BATCH_FORGET = 42
ASYNC_READ, BIG_WRITES, MAX_PAGES = 1, 1 << 5, 1 << 22
TRANSFER_MAX = 1 << 20
MS_NOSUID, MS_NODEV = 2, 4
MNT_DETACH = 2

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result == -1:
        e = ctypes.get_errno()
        raise OSError(e, f"{what}: {os.strerror(e)}")


def mount(source, target, kind, flags=0, options=""):
    check(libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode()),
          f"mount {kind} on {target}")


def unmount(target, flags=0):
    check(libc.umount2(target.encode(), flags), f"umount {target}")


class Recorder:
    """Serves an image until it is unmounted. All that is done to it is in the journal then."""

    def __init__(self, image, journal, device, lines):
        self.image = os.open(image, os.O_RDWR)
        self.bytes = os.fstat(self.image).st_size
        self.journal = open(journal, "wb", buffering=1 << 20)  # closed by serve
        self.device = device
        self.lines = lines
        self.half = b""
        self.answers = {INIT: self.init, GETATTR: self.attributes, SETATTR: self.attributes, OPEN: self.open,
                        READ: self.read, WRITE_OP: self.write, FSYNC: self.flush, STATFS: lambda _: bytes(80),
                        RELEASE: lambda _: b"", OP_FLUSH: lambda _: b"", DESTROY: lambda _: b""}

    def serve(self):
        os.set_blocking(self.lines, False)
        poll = select.poll()
        poll.register(self.device, select.POLLIN)
        poll.register(self.lines, select.POLLIN)
        try:
            while True:
                ready = dict(poll.poll())
                # Lines first: what was flushed before they were written has been answered by us, so it stands
                # in the journal.
                if self.lines in ready and not self.take_lines():
                    poll.unregister(self.lines)
                if self.device in ready and not self.take_request():
                    return
        finally:
            self.journal.close()

    def take_lines(self):
        try:
            text = os.read(self.lines, 65536)
        except BlockingIOError:
            return True
        *whole, self.half = (self.half + text).split(b"\n")
        for line in whole:
            self.journal.write(ENTRY.pack(LINE, 0, len(line)) + line)
        return text != b""

    def take_request(self):
        try:
            request = os.read(self.device, TRANSFER_MAX + 4096)
        except OSError as e:
            if e.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                return True
            if e.errno == errno.ENODEV:  # unmounted
                return False
            raise
        _, operation, unique, *_ = IN_HEADER.unpack_from(request)
        if operation in (FORGET, BATCH_FORGET, INTERRUPT):
            return True
        answer = self.answers.get(operation)
        error, body = (-errno.ENOSYS, b"") if answer is None else (0, answer(memoryview(request)[IN_HEADER.size:]))
        try:
            os.write(self.device, OUT_HEADER.pack(OUT_HEADER.size + len(body), error, unique) + body)
        except FileNotFoundError:
            pass  # nobody waits for it any more
        return True

    def init(self, _):
        return INIT_OUT.pack(7, 31, TRANSFER_MAX, ASYNC_READ | BIG_WRITES | MAX_PAGES, 16, 12, TRANSFER_MAX, 1,
                             TRANSFER_MAX // 4096, 0, 0)

    def attributes(self, _):
        return ATTRIBUTES.pack(3600, 0, 0, 1, self.bytes, self.bytes // 512, 0, 0, 0, 0, 0, 0, 0o100600, 1, 0, 0, 0,
                               4096, 0)

    @staticmethod
    def open(_):
        return struct.pack("<QII", 0, 0, 0)

    def read(self, body):
        _, offset, size = READ_IN.unpack_from(body)
        return os.pread(self.image, size, offset)

    def write(self, body):
        _, offset, size, *_ = WRITE_IN.unpack_from(body)
        data = body[WRITE_IN.size:WRITE_IN.size + size]
        self.journal.write(ENTRY.pack(WRITE, offset, size))
        self.journal.write(data)
        os.pwrite(self.image, data, offset)
        return struct.pack("<II", size, 0)

    def flush(self, _):
        self.journal.write(ENTRY.pack(FLUSH, 0, 0))
        return b""


def start(image, journal, disk, lines):
    """Shows image as the file disk, from a process of its own: its pid. What is written to it, and to the other
    end of the pipe lines, is in journal when disk is unmounted and the process has ended."""
    device = os.open("/dev/fuse", os.O_RDWR)
    mount("recorder", disk, "fuse", MS_NOSUID | MS_NODEV, f"fd={device},rootmode=100600,user_id=0,group_id=0,allow_other")
    pid = os.fork()
    if pid != 0:
        os.close(device)
        return pid
    code = 1
    try:
        for fd in os.listdir("/proc/self/fd"):  # the writing ends of pipes are others'
            if int(fd) > 2 and int(fd) not in (device, lines):
                try:
                    os.close(int(fd))
                except OSError:
                    pass
        Recorder(image, journal, device, lines).serve()
        code = 0
    except BaseException as e:  # pylint: disable=broad-except
        print(f"recorder: {e!r}", file=sys.stderr)
    finally:
        os._exit(code)


def entries(journal):
    """(kind, offset, data) in order."""
    with open(journal, "rb") as f:
        while head := f.read(ENTRY.size):
            kind, offset, size = ENTRY.unpack(head)
            yield kind, offset, f.read(size)
