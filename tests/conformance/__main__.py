#!/usr/bin/env python3
"""Does this SMTP server do what the RFCs say? More than 300 cases, each with the section that it comes from.

    python3 tests/conformance --host mx.example.org --port 25 --valid user@example.org
    python3 tests/conformance --spawn build/bin/smtpd --valid user@example.org

Connect from an address that may not relay, and to an address that mail is taken for: --valid gets about 150
messages. Cases about an extension that is not announced are skipped. Exit code 1: a case has failed."""

import argparse
import os
import sys
import time

import every  # noqa: F401  (registers the cases)
import suite


def options():
    p = argparse.ArgumentParser(prog="conformance", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=25)
    p.add_argument("--spawn", metavar="COMMAND", help="started for each connection, with it on descriptors 0 and 1")
    p.add_argument("--tls", choices=("none", "starttls", "wrap"), default="none", help="how each session begins")
    p.add_argument("--valid", default="user@example.org", help="an address that mail is taken for")
    p.add_argument("--foreign", default="x@elsewhere.example", help="an address that no mail may be relayed to")
    p.add_argument("--maildir", metavar="DIR", help="where mail for --valid arrives: it is read and compared")
    p.add_argument("--auth", metavar="USER:PASSWORD", help="for the cases of RFC 4954")
    p.add_argument("--only", metavar="REGEX", help="cases whose name has it")
    p.add_argument("--slow", action="store_true", help="also the cases that take long")
    p.add_argument("--threads", type=int, default=12)
    p.add_argument("--timeout", type=float, default=8, help="seconds that a reply may take")
    p.add_argument("--times", action="store_true", help="which cases took longest")
    p.add_argument("--tap", action="store_true")
    p.add_argument("--list", action="store_true")
    return p.parse_args()


def tap(results):
    for number, r in enumerate(results, 1):
        ok = "not ok" if r.verdict == "failed" else "ok"
        note = " # skip " + r.why if r.verdict == "skipped" else ""
        print("%s %d - %s (RFC %s)%s" % (ok, number, r.case.name, r.case.rfc, note))
        if r.verdict == "failed":
            print("# must: %s\n# %s" % (r.case.must, r.why))
        yield r


def plain(results):
    for r in results:
        if r.verdict == "failed":
            print("FAILED %s (RFC %s)\n       must: %s\n       %s" % (r.case.name, r.case.rfc, r.case.must, r.why))
        yield r


def main():
    o = options()
    cases = suite.chosen(o.only, o.slow or o.list)
    if o.list:
        for c in cases:
            print("%s\tRFC %s\t%s%s" % (c.name, c.rfc, c.must, " (slow)" if c.slow else ""))
        print("%d cases" % len(cases))
        return 0
    if o.maildir and not os.path.isdir(os.path.join(o.maildir, "new")):
        sys.exit("conformance: --maildir %s: no Maildir there" % o.maildir)
    o.mailbox = suite.Mailbox(o.maildir) if o.maildir else None
    began, count, times = time.monotonic(), {"passed": 0, "failed": 0, "skipped": 0}, []
    if o.tap:
        print("1..%d" % len(cases))
    for r in (tap if o.tap else plain)(suite.run(cases, o, o.threads)):
        count[r.verdict] += 1
        times.append((r.seconds, r.case.name))
        sys.stdout.flush()
    if o.times:
        print("".join("# %5.1f s %s\n" % x for x in sorted(times, reverse=True)[:12]), end="")
    print("%s%d passed, %d failed, %d skipped, %.1f s" % (
        "# " if o.tap else "", count["passed"], count["failed"], count["skipped"], time.monotonic() - began))
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
