#!/usr/bin/env python3
"""policy.py LOG [STAGE[@TEXT]:=WHAT ...]: a policy for tests, which says what its arguments say.

WHAT is the answer with "|" for LF ("reject|code=554|text=no"), or one of these faults: hang, crash, garbage,
twice, flood, control, unasked (a line after each question that is not answered). TEXT: only when the question
has that text. What it is asked stands in LOG, one question a line. A policy of the text gives it back in upper
case, after "keep" not at all.
"""
import os
import signal
import sys

signal.alarm(60)  # whatever happens, no test leaves one behind
LOG, RULES = sys.argv[1], [a.split(":=", 1) for a in sys.argv[2:]]
FAULTS = {"garbage": b"what\n\n", "twice": b"action=continue\n\naction=continue\n\n", "control": b"action=continue\ntext=\1\n\n"}
inp, out, text = sys.stdin.buffer, sys.stdout.buffer, b""


def question():
    block = []
    for line in iter(inp.readline, b""):
        if line == b"\n":
            return block
        block.append(line[:-1].decode())
    sys.exit(0)


def what(stage, shown):
    for when, answer in RULES:
        name, _, with_text = when.partition("@")
        if name == stage and with_text in shown:
            return answer
    return "continue"


def answer(stage, said):
    global text
    if said == "hang":
        signal.pause()
    if said == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if said == "flood":
        out.write(b"action=continue\n" + b"x=" + b"y" * 100000)
    elif said in FAULTS:
        out.write(FAULTS[said])
    else:
        block = "action=" + said.replace("|", "\n") + "\n"
        back = text.upper() if text and stage == "end" and said.startswith(("continue", "accept")) else b""
        if back and "message=" not in block:
            block += "message=%d\n" % len(back)
        out.write(block.encode() + b"\n" + back)
        text = b""


while True:
    block = question()
    stage = dict(line.split("=", 1) for line in block)["stage"]
    shown = " ".join(block)
    with open(LOG, "a", encoding="utf-8", errors="surrogateescape") as log:
        print(shown, file=log)
    said = what(stage, shown)
    if stage == "text":
        text += inp.read(int(shown.rsplit("bytes=", 1)[1]))
    elif stage not in ("reset", "close"):
        if said == "keep":
            out.write(b"action=continue\n\n")
        else:
            answer(stage, said)
    elif said == "unasked":
        out.write(b"action=continue\n\n")
    try:
        out.flush()
    except BrokenPipeError:
        os._exit(1)
