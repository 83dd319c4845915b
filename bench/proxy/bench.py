#!/usr/bin/env python3
"""CPU per GB and memory per listener of carried streams: icecast-balancer, HAProxy and nginx, side by side, one worker each.

All stand in front of the same real icecast2 relays (two of one master, 128 kbit/s). A swarm of listeners checks every
byte. Rounds take turns between the servers, each freshly started, so that a noisy machine is noisy for all; medians
are printed. Needs: icecast2 haproxy nginx (Debian: nginx-light) setpriv; builds the release binary and the swarm.

`--tls` puts TLS 1.3 between the servers and the listeners.
"""
import argparse, datetime, json, os, pathlib, statistics, sys, time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True
from servers import Balancer, haproxy, nginx, versions
from certificates import Authority
from stage import BYTES_PER_SECOND, Fleet, Swarm, cpu_seconds, memory_bytes, need, raise_file_limit, release_balancer, release_swarm, stage

NAMES = {
    "balancer": "icecast-balancer",
    "haproxy": "HAProxy",
    "nginx-buffered": "nginx, proxy_buffering on",
    "nginx-unbuffered": "nginx, proxy_buffering off",
}
# CPU of ours over theirs, at most.
GOALS = {"haproxy": 0.6, "nginx-buffered": 0.8}
MEMORY_GOAL_BYTES = 40_000

def built(path):
    return pathlib.Path(path).resolve(strict=True)

def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=1000, help="listeners of each server (default %(default)s)")
    parser.add_argument("--ramp-per-second", type=int, default=200, help="how many arrive in a second (default %(default)s)")
    parser.add_argument("--settle", type=float, default=5, help="seconds between the last arrival and the measuring (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="length of the measuring (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default %(default)s)")
    parser.add_argument("--relays", type=int, default=2, help="(default %(default)s)")
    parser.add_argument("--tls", action="store_true", help="listeners come by https")
    parser.add_argument("--servers", default=",".join(NAMES), help="which, in which order (default %(default)s)")
    parser.add_argument("--balancer", type=built, help="a built icecast-balancer, instead of building it")
    parser.add_argument("--swarm", type=built, help="a built swarm, instead of building it")
    parser.add_argument("--balancer-config", default="", help="further lines of TOML for the balancer, whole tables only")
    parser.add_argument("--json", type=pathlib.Path, help="write the record there too")
    flags = parser.parse_args()
    flags.servers = flags.servers.split(",")
    if unknown := set(flags.servers) - set(NAMES):
        parser.error(f"--servers: expected {', '.join(NAMES)}, found {', '.join(unknown)}")
    return flags

def start(name, flags, folder, relays, pair):
    maxconn = flags.listeners + 500
    match name:
        case "balancer":
            return Balancer(flags.balancer, folder, relays, flags.balancer_config, pair)
        case "haproxy":
            return haproxy(folder, relays, maxconn, pair)
        case "nginx-buffered":
            return nginx(folder, relays, maxconn, "on", pair)
        case "nginx-unbuffered":
            return nginx(folder, relays, maxconn, "off", pair)

def measure(name, flags, folder, relays, pair):
    """One round of one server."""
    with start(name, flags, folder, relays, pair).wait() as server:
        empty = memory_bytes(server.pid)
        with Swarm(flags.swarm, folder, server.url, flags.listeners, flags.ramp_per_second, ca=pair and pair.root) as swarm:
            swarm.ramped(30 + flags.listeners / flags.ramp_per_second)
            time.sleep(flags.settle)
            cpu, began, swarm_cpu = cpu_seconds(server.pid), swarm.snapshot(), cpu_seconds(swarm.pid)
            time.sleep(flags.seconds)
            cpu, ended, swarm_cpu = cpu_seconds(server.pid) - cpu, swarm.snapshot(), cpu_seconds(swarm.pid) - swarm_cpu
            full = memory_bytes(server.pid)
    return judged(flags, cpu, swarm_cpu, began, ended, empty, full)

def judged(flags, cpu, swarm_cpu, began, ended, empty, full):
    seconds = ended["seconds"] - began["seconds"]
    before, after = began["listeners"], ended["listeners"]
    sent = after["bytes"] - before["bytes"]
    per_listener = {key: (full[key] - empty[key]) / flags.listeners for key in full}
    return {
        "cpu_seconds": cpu,
        "gigabytes": sent / 1e9,
        "cpu_seconds_per_gigabyte": cpu / (sent / 1e9),
        "cores": cpu / seconds,
        "delivered_of_due": sent / (flags.listeners * seconds * BYTES_PER_SECOND),
        "reads_per_listener_and_second": (after["reads"] - before["reads"]) / flags.listeners / seconds,
        "memory_per_listener_bytes": per_listener,
        "memory_bytes": {"empty": empty, "full": full},
        "swarm_cores": swarm_cpu / seconds,
        "listeners": after,
        "clean": is_clean(flags, after),
    }

def is_clean(flags, listeners):
    faults = ("breaks", "missing_bytes", "repeated_bytes", "foreign_bytes", "never_placed", "failed", "lost")
    return listeners["playing"] == flags.listeners and not any(listeners[fault] for fault in faults)

def middle(rounds, *keys):
    def of(result):
        for key in keys:
            result = result[key]
        return result
    return statistics.median(map(of, rounds))

def ratios(results, peer):
    """Ours over theirs, round by round: the median, the least, the most."""
    key = "cpu_seconds_per_gigabyte"
    pairs = [ours[key] / theirs[key] for ours, theirs in zip(results["balancer"], results[peer])]
    return {"median": statistics.median(pairs), "least": min(pairs), "most": max(pairs), "goal": GOALS.get(peer)}

def summary(results):
    compared = {}
    if "balancer" in results:
        compared = {peer: ratios(results, peer) for peer in results if peer != "balancer"}
    return {"ratios_of_cpu": compared, "memory_goal_bytes": MEMORY_GOAL_BYTES}

def table(results, compared, flags):
    spread = f"{flags.listeners} listeners of 128 kbit/s, {'TLS 1.3' if flags.tls else 'plain HTTP'}, one worker; medians of {flags.rounds} rounds of {flags.seconds:g} s"
    lines = [spread, "", "| | CPU s per GB | cores | RSS per listener | PSS | private | reads per listener and s | delivered | ours / theirs (least, most) | goal |", "|" + "---|" * 10]
    for name, rounds in results.items():
        memory = [middle(rounds, "memory_per_listener_bytes", kind) / 1000 for kind in ("rss", "pss", "private")]
        ratio, goal = "", f"<= {MEMORY_GOAL_BYTES / 1000:g} KB" if name == "balancer" else ""
        if found := compared.get(name):
            ratio = f"**{found['median']:.2f}** ({found['least']:.2f}, {found['most']:.2f})"
            goal = f"<= {found['goal']}" if found["goal"] else ""
        cells = [NAMES[name], f"{middle(rounds, 'cpu_seconds_per_gigabyte'):.2f}", f"{middle(rounds, 'cores'):.3f}", *(f"{kb:.1f} KB" for kb in memory),
                 f"{middle(rounds, 'reads_per_listener_and_second'):.1f}", f"{middle(rounds, 'delivered_of_due'):.1%}", ratio, goal]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)

def main():
    flags = arguments()
    need("icecast2", "setpriv", "haproxy", "nginx")
    raise_file_limit()
    if "balancer" in flags.servers:
        flags.balancer = flags.balancer or release_balancer()
    flags.swarm = flags.swarm or release_swarm()
    results = {name: [] for name in flags.servers}
    with stage() as (stack, folder):
        fleet = Fleet(stack, folder, flags.swarm, flags.relays)
        pair = Authority(folder).pair("listeners") if flags.tls else None
        for number in range(flags.rounds):
            for name in flags.servers:
                result = measure(name, flags, folder, fleet.relays, pair)
                results[name].append(result)
                clean = "" if result["clean"] else f"; NOT CLEAN: {json.dumps(result['listeners'])}"
                print(f"round {number + 1} {name}: {result['cpu_seconds_per_gigabyte']:.2f} s/GB{clean}", file=sys.stderr)
    found = summary(results)
    record = {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "flags": {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in vars(flags).items()},
        "versions": versions(flags.balancer),
        "rounds": results,
    } | found
    if flags.json:
        flags.json.write_text(json.dumps(record, indent=1) + "\n")
    print(table(results, found["ratios_of_cpu"], flags))
    print()
    print(json.dumps(record))
    if not all(result["clean"] for rounds in results.values() for result in rounds):
        sys.exit("some listener was lost, or did not get every byte once")

main()
