"""A crowd of slow connections, each of which comes again when it is closed, while good clients come at a steady rate."""
import sys

from certificates import Authority
from doors import NAMES, door
from stage import Crowd, Knocking, StatusPages, memory_bytes

NEEDS = ()
# What the crowd does, and whether at the TLS bind.
ATTACKS = {
    "slow head": ("slow-head", False),
    "slow TLS hello": ("slow-hello", True),
}
RAMP_PER_SECOND = 1000
GOAL_RATIO = 2
GOAL_RSS_BYTES = 200_000_000
DEADLINE_SECONDS = 11

def flags(group):
    group.add_argument("--slow-connections", type=int, default=10_000, help="(default %(default)s)")
    group.add_argument("--slow-addresses", type=int, default=200, help="from how many addresses they come (default %(default)s)")
    group.add_argument("--good-per-second", type=int, default=200, help="new connections of good clients (default %(default)s)")
    group.add_argument("--slow-seconds", type=int, default=30, help="with, and without, the crowd (default %(default)s)")

def good(flags, folder, server, pair):
    """Good clients for a while: new connections, one request each."""
    count = flags.good_per_second * flags.slow_seconds
    with Knocking(flags.swarm, folder, server.address, count, per_second=flags.good_per_second, ca=pair and pair.root) as knocking:
        return knocking.next_report(flags.slow_seconds + 60)

def attack(name, how, flags, folder, relay, pair):
    posture, is_on_tls = ATTACKS[how]
    pair = pair if is_on_tls else None
    with door(name, flags, folder, relay, pair, flags.slow_connections + 2000).wait() as server:
        before = good(flags, folder, server, pair)
        with Crowd(flags.swarm, folder, server.address, posture, flags.slow_connections, ramp_per_second=RAMP_PER_SECOND,
                   addresses=flags.slow_addresses, again=True, ca=pair and pair.root) as crowd:
            crowd.next_report(60 + flags.slow_connections / RAMP_PER_SECOND)
            during = good(flags, folder, server, pair)
            rss = memory_bytes(server.pid)["rss"]
            crowd = crowd.end_report()
        after = good(flags, folder, server, pair)
    return {"before": before, "during": during, "after": after, "crowd": crowd, "rss_bytes": rss}

def faults(result):
    found = []
    base, hit = (result[when]["answer_seconds"]["p99"] for when in ("before", "during"))
    if result["during"]["failures"]:
        found.append("errors")
    if hit > GOAL_RATIO * base:
        found.append(f"p99 {hit / base:.1f} times its base")
    if (result["crowd"]["open_seconds"]["max"] or 1e9) > DEADLINE_SECONDS:
        found.append("slow ones stay")
    if result["rss_bytes"] > GOAL_RSS_BYTES:
        found.append("memory")
    return found

def row_of(name, how, result):
    before, during, after = (result[when] for when in ("before", "during", "after"))
    p99 = [when["answer_seconds"]["p99"] * 1000 for when in (before, during, after)]
    crowd, closed = result["crowd"], result["crowd"]["open_seconds"]
    seconds = f"{closed['p50']:.1f} / {closed['max']:.1f} s" if closed["max"] else "never"
    refused = sum(crowd["refused"].values())
    return [how, NAMES[name], f"{sum(before['failures'].values())} / {sum(during['failures'].values())} of {during['asked']}",
            f"{p99[0]:.1f} / **{p99[1]:.1f}** / {p99[2]:.1f} ms", f"{p99[1] / p99[0]:.2f}", f"{crowd['open']} of {crowd['opened']}", seconds, refused,
            f"{result['rss_bytes'] / 1e6:.0f} MB", ", ".join(faults(result)) or "-"]

def run(stack, folder, flags):
    pair = Authority(folder).pair("slow")
    relay = stack.enter_context(StatusPages(folder))
    details, rows, missed = {}, [], []
    for how in ATTACKS:
        for name in flags.servers:
            result = details[f"{how}, {name}"] = attack(name, how, flags, folder, relay, pair)
            rows.append(row_of(name, how, result))
            print(f"slow: {rows[-1]}", file=sys.stderr)
            if name == "balancer":
                missed += [f"{how}: {fault}" for fault in faults(result)]
    title = (f"{flags.slow_connections} connections that send a byte every 5 s and come again, {flags.good_per_second} good clients per second; "
             f"goals: no errors, p99 at most {GOAL_RATIO} times its base, closed within {DEADLINE_SECONDS} s, {GOAL_RSS_BYTES // 10**6} MB")
    head = ["crowd", "server", "errors without / with", "p99 before / **with** / after", "ratio", "open in the end", "closed after (p50 / max)", "not let in", "RSS", "missed"]
    return title, head, rows, missed, details
