"""smtpd_memory.py SMTPD: floods it with what has no end, and compares its peak memory with a quiet session's."""
import os
import subprocess
import sys

smtpd = sys.argv[1]
MB = 1024 * 1024
ALLOWED_KIB = 512  # the buffers of one read and of its decoded text
ENVELOPE = b"EHLO c\r\nMAIL FROM:<s@c.example>\r\nRCPT TO:<u@example.org>\r\nDATA\r\n"


def peak_kib(chunks, end=b""):
    """Largest resident size of one session while it takes these chunks; then it ends.

    From smaps_rollup, which walks the pages: VmHWM is off by the kernel's per-CPU counters."""
    os.environ["QMAILQUEUE"] = os.path.join(os.path.dirname(smtpd), "queue-null")
    p = subprocess.Popen([smtpd], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    try:
        for chunk in chunks:
            p.stdin.write(chunk)
            p.stdin.flush()
            with open(f"/proc/{p.pid}/smaps_rollup", encoding="ascii") as pages:
                peak = max(peak, sum(int(line.split()[1]) for line in pages if line.startswith("Rss:")))
        p.stdin.write(end)
        p.stdin.close()
    except (BrokenPipeError, ProcessLookupError, FileNotFoundError):
        pass
    return peak, p.wait(timeout=60)


def main():
    quiet, code = peak_kib([ENVELOPE, b"x\r\n" * 50000], b".\r\nQUIT\r\n")
    floods = {
        "a 4 MiB command line": [b"x" * 32768] * 128,
        "15 command lines of 60 kB": [b"x" * 60000 + b"\r\n"] * 15,
        "a 32 MiB text line": [ENVELOPE] + [b"y" * MB] * 32,
        "32 MiB of short lines": [ENVELOPE] + [b"y\r\n" * (MB // 3)] * 32,
        "32 MiB of bare LF": [ENVELOPE] + [b"y\n" * (MB // 2)] * 32,
        "32 MiB of NUL bytes": [ENVELOPE] + [b"\0" * MB] * 32,
        "a header of 32 MiB": [ENVELOPE] + [b"X-A: b\r\n" * (MB // 8)] * 32,
    }
    if code != 0:
        sys.exit(f"the quiet session ended with {code}")
    print(f"# peak RSS of a session with 150 kB of text: {quiet} KiB")
    failed = False
    for name, chunks in floods.items():
        peak, _ = peak_kib(chunks)
        print(f"# {name}: {peak} KiB")
        failed |= peak == 0 or peak > quiet + ALLOWED_KIB
    sys.exit(failed)


main()
