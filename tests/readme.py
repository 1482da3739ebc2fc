"""readme.py README NAME=FILE ...: each FILE must stand in the README behind "$ NAME", numbers masked.

A block of the README may leave lines out: a line of three dots stands for any lines.
"""
import re
import sys


def mask(line):
    """Numbers, and the names that the machine makes of them, are the same everywhere."""
    line = re.sub(r"\d+\.M\d+P\d+\.[^ :]+", "FILE", line.rstrip())
    line = re.sub(r"\d{1,2} [A-Z][a-z]{2} \d{4}", "DATE", line)
    return re.sub(r"\d+", "N", re.sub(r" +", " ", line))


def block(readme, name):
    """The lines behind "$ NAME" up to the end of its fence."""
    text = readme.split(f"$ {name}\n", 1)
    if len(text) == 1:
        sys.exit(f"README has no block for: {name}")
    return text[1].split("\n```", 1)[0].split("\n")


def differs(shown, printed):
    """The first line shown that is not printed in its turn, or None."""
    at, anywhere = 0, False
    for line in shown:
        if line == "...":
            anywhere = True
            continue
        rest = printed[at:] if anywhere else printed[at : at + 1]
        if line not in rest:
            return line
        at += rest.index(line) + 1
        anywhere = False
    if not anywhere and at < len(printed):
        return f"(end), but printed is: {printed[at]}"
    return None


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        readme = f.read()
    failed = False
    for pair in sys.argv[2:]:
        name, _, path = pair.partition("=")
        with open(path, encoding="utf-8", errors="replace") as f:
            printed = [mask(line) for line in f.read().rstrip("\n").split("\n")]
        wrong = differs([mask(line) if line != "..." else line for line in block(readme, name)], printed)
        if wrong is not None:
            failed = True
            print(f"README, {name}: shown, but not printed in its turn: {wrong}\nprinted:")
            print("\n".join(printed))
    sys.exit(failed)


main()
