#!/usr/bin/env python3
"""CPU of a new TLS connection with one redirect, and memory of an idle one: icecast-balancer, HAProxy and nginx, one worker each.

A connection is made, asks for the mount with `Connection: close`, reads the redirect to its end, and is gone. All servers are
offered the same version, key exchange and ciphers, and have the same certificate (leaf and intermediate); what they agreed on is
printed. Rounds take turns between the servers, so that a noisy machine is noisy for all; medians are printed, ratios are taken
round by round. Needs: haproxy nginx (Debian: nginx-light) openssl setpriv; builds the release binary and the swarm.
"""
import argparse, contextlib, datetime, json, pathlib, statistics, sys, time

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "proxy"), str(HERE.parent / "swarm")]
sys.dont_write_bytecode = True
from servers import Balancer, haproxy, nginx, versions
from certificates import EC, RSA, Authority
from stage import Crowd, Knocking, StatusPages, cpu_seconds, eventually, memory_bytes, need, raise_file_limit, release_balancer, release_swarm, stage

# Of 1.2 OpenSSL takes an ECDSA certificate only where its curve is offered too (RFC 8422, 5.1).
OLD = {"tls_version": "1.2", "group": "X25519,secp256r1"}
NAMES = {"balancer": "icecast-balancer", "haproxy": "HAProxy", "nginx": "nginx"}
# By row: the certificate, what the load generator offers, and what ours may cost of theirs.
ROWS = {
    "new, TLS 1.3, P-256": ("ec", {}, {"haproxy": 0.7, "nginx": 1.2}),
    "new, TLS 1.3, RSA-2048": ("rsa", {}, {}),
    "new, TLS 1.2, P-256": ("ec", OLD, {}),
    "new, TLS 1.2, RSA-2048": ("rsa", OLD, {}),
    "resumed, TLS 1.3": ("ec", {"resume": True}, {"haproxy": 1.1}),
    "resumed, TLS 1.2": ("ec", OLD | {"resume": True}, {"haproxy": 1.1}),
    "new, TLS 1.3, P-256, AES-128": ("ec", {"suite": "TLS13_AES_128_GCM_SHA256"}, {}),
    "new, TLS 1.3, P-256, ChaCha20": ("ec", {"suite": "TLS13_CHACHA20_POLY1305_SHA256"}, {}),
    "new, TLS 1.3, P-256, key exchange too": ("ec", {"group": "secp256r1"}, {}),
    "new, TLS 1.3, P-256, X25519MLKEM768": ("ec", {"group": "X25519MLKEM768"}, {}),
    "no TLS": (None, {}, {}),
}
# OpenSSL has it from 3.5 on.
OURS_ONLY = {"new, TLS 1.3, P-256, X25519MLKEM768"}

def built(path):
    return pathlib.Path(path).resolve(strict=True)

def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=3000, help="of each row, round and server (default %(default)s)")
    parser.add_argument("--at-once", type=int, default=8, help="(default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default %(default)s)")
    parser.add_argument("--idle", type=int, default=1000, help="idle connections for the memory of one; 0 leaves it out (default %(default)s)")
    parser.add_argument("--only", default="", help="rows with this in their names")
    parser.add_argument("--balancer", type=built, help="a built icecast-balancer, instead of building it")
    parser.add_argument("--swarm", type=built, help="a built swarm, instead of building it")
    parser.add_argument("--json", type=pathlib.Path, help="write the record there too")
    return parser.parse_args()

def servers(stack, folder, flags, relay, pair):
    """All three, ready."""
    maxconn = flags.idle + 500
    started = {
        "balancer": Balancer(flags.balancer, folder, [relay], pair=pair, mode="redirect"),
        "haproxy": haproxy(folder, [relay], maxconn, pair, HERE / "haproxy.cfg"),
        "nginx": nginx(folder, [relay], maxconn, pair=pair, template=HERE / "nginx.conf"),
    }
    return {name: stack.enter_context(server).wait() for name, server in started.items()}

def knock(flags, folder, server, pair, offer):
    """One round of one server: CPU per connection, and what was agreed on."""
    offer = offer | {"ca": pair.root} if pair else {}
    before = cpu_seconds(server.pid)
    with Knocking(flags.swarm, folder, server.address, flags.connections, at_once=flags.at_once, **offer) as knocking:
        report = knocking.next_report(60 + flags.connections / 20)
    # The server has the end of the last connections still to see.
    time.sleep(0.1)
    cpu = cpu_seconds(server.pid) - before
    if report["failures"]:
        sys.exit(f"{server.name}: {report['failures']}")
    expect(server, report["handshakes"], offer.get("resume"))
    return {"microseconds": cpu / flags.connections * 1e6, "report": report}

def expect(server, handshakes, resumed):
    """A row that resumes does so but for the first of those at once; the others never do."""
    total = sum(handshakes.values())
    first = sum(count for terms, count in handshakes.items() if not terms.startswith("Resumed"))
    if first > 0.02 * total if resumed else first < total:
        sys.exit(f"{server.name}: {'resumed' if resumed else 'new'} sessions were expected, found {handshakes}")

def idle_memory(flags, folder, server, pair):
    """RSS of a connection that was answered and is kept alive."""
    empty = memory_bytes(server.pid)["rss"]
    with Crowd(flags.swarm, folder, server.address, "answered", flags.idle, ramp_per_second=500, ca=pair and pair.root) as crowd:
        crowd.next_report(30 + flags.idle / 500)
        eventually("all were answered", 30, lambda: crowd.snapshot()["answered"] == flags.idle)
        if crowd.snapshot()["open"] != flags.idle:
            sys.exit(f"{server.name} keeps no connections alive")
        return (memory_bytes(server.pid)["rss"] - empty) / flags.idle

def terms_of(rounds):
    """What most connections agreed on, but for whether it was new."""
    handshakes = rounds[0]["report"]["handshakes"]
    return max(handshakes, key=handshakes.get).split(" ", 1)[1] if handshakes else "-"

def compared(ours, theirs):
    pairs = [a["microseconds"] / b["microseconds"] for a, b in zip(ours, theirs)]
    return {"median": statistics.median(pairs), "least": min(pairs), "most": max(pairs)}

def row_of(row, results):
    """One line of the table."""
    goals = ROWS[row][2]
    cells = [row, *(f"{statistics.median(r['microseconds'] for r in rounds):.0f}" if rounds else "-" for rounds in results.values())]
    for peer in ("haproxy", "nginx"):
        if not results[peer]:
            cells += ["", ""]
            continue
        found = compared(results["balancer"], results[peer])
        verdict = f"<= {goals[peer]}{'' if found['median'] <= goals[peer] else ', **missed**'}" if peer in goals else ""
        cells += [f"**{found['median']:.2f}** ({found['least']:.2f}, {found['most']:.2f})", verdict]
    agreed = {terms_of(rounds) for rounds in results.values() if rounds}
    return "| " + " | ".join([*cells, " / ".join(sorted(agreed))]) + " |"

def table(results, flags):
    lines = [f"us CPU per connection with one redirect, one worker; medians of {flags.rounds} rounds of {flags.connections} connections, {flags.at_once} at once", "",
             "| | " + " | ".join(NAMES.values()) + " | ours / HAProxy | goal | ours / nginx | goal | agreed on |", "|" + "---|" * 9]
    return "\n".join(lines + [row_of(row, found) for row, found in results.items()])

def endings(results):
    """Who hangs up without saying so, which a client cannot tell from a cut."""
    lines = []
    for name in NAMES:
        reports = [result["report"] for found in results.values() for result in found[name] if result["report"]["handshakes"]]
        cut, all_of_them = sum(report["cut_without_close_notify"] for report in reports), sum(report["answered"] for report in reports)
        lines += [f"{NAMES[name]}: {cut} of {all_of_them} connections ended without close_notify"] if cut else []
    return "\n".join(lines)

def memory_table(idle):
    lines = ["RSS of an idle keep-alive connection that was answered once", "", "| | " + " | ".join(NAMES.values()) + " |", "|" + "---|" * 4]
    for row, found in idle.items():
        lines.append(f"| {row} | " + " | ".join(f"{bytes / 1000:.1f} KB" for bytes in found.values()) + " |")
    return "\n".join(lines)

def measure(flags, doors, pairs, folder):
    results = {row: {name: [] for name in NAMES} for row in ROWS if flags.only in row}
    for number in range(flags.rounds):
        for row, found in results.items():
            kind, offer, _ = ROWS[row]
            for name, server in doors[kind].items():
                if name == "balancer" or row not in OURS_ONLY:
                    found[name].append(knock(flags, folder, server, pairs[kind], offer))
            print(f"round {number + 1}, {row}: " + ", ".join(f"{name} {rounds[-1]['microseconds']:.0f}" for name, rounds in found.items() if rounds), file=sys.stderr)
    return results

def main():
    flags = arguments()
    need("setpriv", "haproxy", "nginx", "openssl")
    raise_file_limit()
    flags.balancer = flags.balancer or release_balancer()
    flags.swarm = flags.swarm or release_swarm()
    with stage() as (stack, folder):
        authority = Authority(folder)
        pairs = {"ec": authority.pair("ec", EC), "rsa": authority.pair("rsa", RSA), None: None}
        relay = stack.enter_context(StatusPages(folder))
        idle = {}
        for kind, label in ((None, "no TLS"), ("ec", "TLS 1.3")) if flags.idle else ():
            # Of fresh servers, which have no freed memory to use again.
            with contextlib.ExitStack() as fresh:
                idle[label] = {name: idle_memory(flags, folder, server, pairs[kind]) for name, server in servers(fresh, folder, flags, relay, pairs[kind]).items()}
        doors = {kind: servers(stack, folder, flags, relay, pair) for kind, pair in pairs.items()}
        results = measure(flags, doors, pairs, folder)
    record = {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "flags": {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in vars(flags).items()},
        "versions": versions(flags.balancer),
        "rounds": results,
        "idle_rss_bytes": idle,
    }
    if flags.json:
        flags.json.write_text(json.dumps(record, indent=1) + "\n")
    print(table(results, flags))
    print(endings(results))
    if idle:
        print("\n" + memory_table(idle))
    print("\n" + json.dumps(record))

main()
