"""A queue for one delivery agent: gives it jobs, prints what it says.

agent.py [-n TIMES] SENDER RECIPIENT ... -- PROGRAM ARG ...: the message is the file "message". All TIMES jobs are
given as soon as the agent's limit allows; then the queue is closed and the agent's exit code printed.
"""

import os
import socket
import subprocess
import sys

TIMEOUT = 20


def job(queue, number, sender, recipients):
    envelope = b"F" + sender + b"\0" + b"".join(b"T" + r + b"\0" for r in recipients) + b"\0"
    fd = os.open("message", os.O_RDONLY)
    socket.send_fds(queue, [b"J%d\0%d\0%d\0" % (number, 4711, 1) + envelope], [fd])
    os.close(fd)


def main():
    args = sys.argv[1:]
    times = 1
    if args[0] == "-n":
        times, args = int(args[1]), args[2:]
    at = args.index("--")
    sender, *recipients = (os.fsencode(a) for a in args[:at])
    queue, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    queue.settimeout(TIMEOUT)
    place = theirs.fileno()

    def prepare():
        os.dup2(place, 3)

    agent = subprocess.Popen(args[at + 1:], close_fds=False, preexec_fn=prepare)
    theirs.close()
    hello = queue.recv(65536)
    print(hello.decode())
    limit, given, missing = int(hello[1:]), 0, {}
    while given < times or missing:
        while given < times and len(missing) < limit:
            given += 1
            job(queue, given, sender, recipients)
            missing[given] = len(recipients)
        report = queue.recv(65536)
        if not report:
            break
        print(report.decode().replace("\0", " ").rstrip("\n").replace("\n", "/"), flush=True)
        number = int(report[1:].split(b"\0")[0])
        missing[number] -= 1
        if missing[number] == 0:
            del missing[number]
    queue.close()
    print("exit", agent.wait(TIMEOUT))


main()
