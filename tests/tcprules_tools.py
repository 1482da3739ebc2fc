"""What tests/tcprules_tools.bats asks many random files about. BIN says where our programs are.

    tcprules_tools.py dump|explain|tcpdmatch|names COUNT

Same seed, same files, every time."""

import ipaddress
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "differential"))
import ucspi_tcp  # noqa: E402 its generator of rule files

BIN = os.path.abspath(os.environ.get("BIN", os.path.join(HERE, "../build/bin")))
rnd = random.Random(20261124)


def run(args, text=None, env=None, program=BIN):
    p = subprocess.run([os.path.join(program, args[0])] + args[1:], input=text, env=env or {"PATH": "/usr/bin"},
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    return p.returncode, p.stdout, p.stderr


def compiled(text, name="x"):
    code, _, said = run(["tcprules", name + ".cdb", name + ".tmp"], text)
    if code == 100 and b"unable to parse" in said:
        return None
    assert code == 0, (code, said, text)
    with open(name + ".cdb", "rb") as f:
        return f.read()


def verdict(ip, host=None, info=None, name="x"):
    env = {"TCPREMOTEIP": ip}
    if host is not None:
        env["TCPREMOTEHOST"] = host
    if info is not None:
        env["TCPREMOTEINFO"] = info
    code, out, said = run(["tcprulescheck", name + ".cdb"], env=env)
    assert code == 0, said
    return out


# ---- dump, explain --------------------------------------------------------------------------------------


def rule_files(count):
    kinds = ["good", "odd"]
    while count > 0:
        text = ucspi_tcp.rule_file(rnd.choice(kinds)) + b"\n" + ucspi_tcp.rule_file("good")
        if rnd.random() < 0.3:
            text += ("\n%s:%s\n" % (hosts_net().replace("/255.255.255.0", "/24"), rnd.choice(["deny", 'allow,A=""']))).encode()
        if rnd.random() < 0.3:
            text += ("\n%s:deny\n%s:allow" % (v6_net(), v6_net())).encode()
        before = compiled(text)
        if before is not None:
            count -= 1
            yield text, before


def dump(count):
    partly = 0
    for text, before in rule_files(count):
        code, again, said = run(["tcprules", "--dump", "x.cdb"])
        if code == 100:  # a key that only a second "-" made, or one that looks like a comment
            partly += 1
            assert b"no text makes this rule" in said, said
            continue
        assert code == 0 and said == b"", (code, said, text)
        assert compiled(again, "y") == before, (text, again)
    assert partly < count / 10, partly
    print("%d files, %d of them with a key that no text makes" % (count, partly))


def explain(count):
    for text, _ in rule_files(count):
        if b"\0" in text:
            continue
        args = ["%d.%d.%d.%d" % tuple(rnd.choice([0, 1, 2, 3, 10, 127]) for _ in range(4))]
        args += [rnd.choice(ucspi_tcp.HOSTS), rnd.choice(ucspi_tcp.INFOS)][:rnd.randrange(3)]
        want = verdict(*args)
        for source in (text, open("x.cdb", "rb").read()):
            code, out, said = run(["tcprules", "--explain"] + args, source)
            tried = [x for x in out.split(b"\n") if x.startswith(b"tried ")]
            assert code == 0 and out.endswith(want), (args, text, out, said, want)
            assert all(x.endswith(b": no rule") for x in tried[:-1]), out
            if source is text and b"default:" not in want:
                number, line = tried[-1].split(b": line ", 1)[1].split(b": ", 1)
                assert text.split(b"\n")[int(number) - 1].rstrip(b" \t") == line, (tried, text)
    print("%d files" % count)


# ---- hosts.allow ----------------------------------------------------------------------------------------


def number():
    return rnd.choice([0, 1, 2, 3, 127, 128, 200, 255])


def address():
    return "10.%d.%d.%d" % (number() % 4, number() % 4, number())


def v6():
    return "2001:db8:%x::%x" % (rnd.randrange(3), rnd.randrange(3))


def masked(text, bits):
    return ipaddress.ip_network("%s/%d" % (text, bits), strict=False)


def hosts_net():
    bits = rnd.choice([8, 9, 13, 16, 17, 23, 24, 25, 27, 30, 31, 32])
    return str(masked(address(), bits))


def v6_net():
    net = masked(v6(), rnd.choice([16, 32, 33, 47, 48, 64, 100, 127, 128]))
    return "[%s]/%d" % (net.network_address, net.prefixlen)


def dotted_mask():
    net = masked(address(), rnd.choice([8, 9, 15, 16, 22, 24, 26]))
    return "%s/%s" % (net.network_address, net.netmask)


def nobody():
    return rnd.choice(["10.0", "010.1.1.1", "10.1.1.1/8", "1.2.3.4", "10.0.0.1/255.0.0.0", "[::ffff:10.0.0.1]"])


def client(names):
    kinds = [address, hosts_net, dotted_mask, v6_net, lambda: "[%s]" % v6(), lambda: "10.%d." % (number() % 4),
             lambda: "10.%d.%d." % (number() % 4, number() % 4), lambda: "10.", nobody]
    if rnd.random() < 0.08:
        return rnd.choice(["ALL", "all", "ALL@ALL"])
    if names and rnd.random() < 0.4:
        return rnd.choice(NAMES + ["." + n for n in NAMES if "." in n] + ["KNOWN", "UNKNOWN", "LOCAL"])
    return rnd.choice(kinds)()


def clients(names):
    lists = [rnd.choice([" ", ", ", ","]).join(client(names) for _ in range(rnd.choice([1, 1, 2, 4])))
             for _ in range(rnd.choice([1, 1, 1, 2, 3]))]
    return " EXCEPT ".join(lists)


def hosts_file(names=False):
    lines = []
    for _ in range(rnd.choice([1, 2, 4, 8])):
        daemons = rnd.choice(["d", "D", "ALL", "d, other", "other", "other EXCEPT d", "ALL EXCEPT other", "ALL EXCEPT d",
                              "d@127.0.0.1" if rnd.random() < 0.01 else "d"])
        options = rnd.choice(["", "", ": ALLOW", ": deny", ": setenv A b c", ": setenv = R : allow", ":setenv A x\\:y",
                              ": severity mail.info"])
        lines.append("%s%s: %s%s" % (rnd.choice(["", " "]), daemons, clients(names), options))
        if rnd.random() < 0.2:
            lines.append(rnd.choice(["# d: ALL", "", "  ", "other: ALL: spawn x", "d: \\\n  10.0.0.9"]))
    return ("\n".join(lines) + "\n").encode()


def probes(text, count):
    """Addresses at the edges of what the file names, and others."""
    edges = []
    for word in text.decode().replace(",", " ").split():
        try:
            net = ipaddress.ip_network(word.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            continue
        edges += [net[0], net[-1], net[0] - 1 if int(net[0]) else net[0], net[-1] + 1]
    edges = [str(a) for a in edges if not str(a).startswith("::")]
    for _ in range(count):
        yield rnd.choice([rnd.choice(edges or [address()]), address(), address(), v6()])


def convert(text, deny):
    with open("hosts.allow", "wb") as f:
        f.write(text)
    with open("hosts.deny", "wb") as f:
        f.write(deny)
    return run(["tcprules", "--from-hosts-allow", "d", "hosts.deny"], text)


def tcpdmatch(count):
    asked = allowed = 0
    for _ in range(count):
        text, deny = hosts_file(), rnd.choice([b"", b"ALL: ALL\n", hosts_file().replace(b": ALLOW", b"")])
        code, out, said = convert(text, deny)
        if code == 100:
            assert b"d@127.0.0.1" in text + deny, (text, deny, said)
            continue
        assert code == 0, (code, said)
        assert compiled(out) is not None, out
        for ip in probes(text + deny, 52):
            theirs = run(["tcpdmatch", "-d", "d", ip], program=PEER)[1]
            ours = verdict(ip).endswith(b"allow connection\n")
            assert (b"granted" in theirs) == ours, (ip, text, deny, out, theirs)
            asked += 1
            allowed += ours
    assert asked > 50 * count - 100 and asked / 10 < allowed < asked - asked / 10, (asked, allowed)
    print("%d addresses in %d files, %d allowed" % (asked, count, allowed))


PEER = next((d for d in ("/usr/sbin", "/usr/bin", "/sbin") if os.path.exists(d + "/tcpdmatch")), "/usr/sbin")

# ---- names: tcpdmatch would ask DNS, so here hosts_access(5) is spelt out ---------------------------------

NAMES = ["a.example", "b.a.example", "x.b.a.example", "other.test", "plain", "test"]


def one_matches(p, ip, name):
    p = p.split("@")[-1].lower()
    if p == "all":
        return True
    if p in ("known", "unknown"):
        return (name is not None) == (p == "known")
    if p == "local":
        return name is not None and "." not in name
    if p.strip("0123456789.") == "":
        return ip.startswith(p) if p.endswith(".") else ip == p
    if p[0] == "[" or "/" in p:
        base, _, bits = p.replace("[", "").replace("]", "").partition("/")
        try:
            net = ipaddress.ip_network("%s/%s" % (base, bits) if bits else base, strict=p[0] != "[")
        except ValueError:
            return False
        return ipaddress.ip_address(ip) in net
    return name is not None and (name.endswith(p) if p[0] == "." else name == p)


def list_matches(words, ip, name):
    if "EXCEPT" in words:
        at = words.index("EXCEPT")
        return list_matches(words[:at], ip, name) and not list_matches(words[at + 1:], ip, name)
    return any(one_matches(w, ip, name) for w in words)


def model(text, ip, name):
    for line in text.decode().replace("\\\n", "").split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        line = line.replace("\\:", "\0")
        parts, depth = [""], 0
        for c in line:
            depth += (c == "[") - (c == "]")
            if c == ":" and depth == 0:
                parts.append("")
            else:
                parts[-1] += c
        daemons = parts[0].replace(",", " ").split()
        mine = [w for w in daemons if w.lower() in ("d", "all")] and daemons[-2:] != ["EXCEPT", "d"]
        if mine and list_matches(parts[1].replace(",", " ").split(), ip, name):
            return not any(o.strip().lower() == "deny" for o in parts[2:])
    return True


def names(count):
    refused = asked = 0
    for _ in range(count):
        text = hosts_file(names=True).replace(b"d@127.0.0.1", b"d")
        code, out, said = convert(text, b"")
        if code == 100:
            assert b"decide together" in said, said
            refused += 1
            continue
        assert code == 0, (code, said)
        assert compiled(out) is not None, out
        for ip in probes(text, 12):
            name = rnd.choice([None, "unheard.of", "bare"] + NAMES)
            ours = verdict(ip, name).endswith(b"allow connection\n")
            assert model(text, ip, name) == ours, (ip, name, text, out)
            asked += 1
    assert asked > 3 * count, (asked, refused)
    print("%d clients, %d of %d files refused" % (asked, refused, count))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="portero.", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as d:
        os.chdir(d)
        count = int(sys.argv[2]) // (10 if "sanitize" in BIN else 1)  # those start slowly, and it is thousands of them
        {"dump": dump, "explain": explain, "tcpdmatch": tcpdmatch, "names": names}[sys.argv[1]](count)
