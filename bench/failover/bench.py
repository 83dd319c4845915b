#!/usr/bin/env python3
"""A relay dies under the listeners whom a proxy carries: who is lost, which bytes are missing, how long the silence is.

Listeners are spread over real icecast2 relays of one master while new ones go on tuning in and leaving; then one relay is
killed (kill -9), or frozen (SIGSTOP). The swarm checks every byte. Each round has fresh relays and a fresh proxy. Needs:
icecast2 setpriv (and haproxy, nginx for --server); builds the release binary and the swarm.
"""
import argparse, datetime, json, pathlib, signal, sys, time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "proxy"))
sys.dont_write_bytecode = True
from servers import Balancer, haproxy, nginx, versions
from stage import BYTES_PER_SECOND, Fleet, Swarm, need, raise_file_limit, release_balancer, release_swarm, stage

BURST_BYTES = 64_400
DEATHS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
BEFORE_SECONDS = 5

def built(path):
    return pathlib.Path(path).resolve(strict=True)

def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=500, help="who stay to the end (default %(default)s)")
    parser.add_argument("--relays", type=int, default=2, help="(default %(default)s)")
    parser.add_argument("--arrivals-per-second", type=int, default=200, help="further tune-ins (default %(default)s)")
    parser.add_argument("--stay", default="1s", help="how long each of those stays (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=15, help="watched after the death (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each death (default %(default)s)")
    parser.add_argument("--deaths", default="kill,stop", help="(default %(default)s)")
    parser.add_argument("--stall-timeout", type=float, default=BURST_BYTES / BYTES_PER_SECOND / 2,
                        help="the balancer's, in seconds, for the goal of stop (default: its default here, half a burst, %(default).2f)")
    parser.add_argument("--server", default="balancer", choices=["balancer", "haproxy", "nginx"], help="(default %(default)s)")
    parser.add_argument("--balancer", type=built, help="a built icecast-balancer, instead of building it")
    parser.add_argument("--swarm", type=built, help="a built swarm, instead of building it")
    parser.add_argument("--balancer-config", default="", help="further lines of TOML for the balancer, whole tables only")
    parser.add_argument("--logs", type=pathlib.Path, help="keep there what the servers write")
    parser.add_argument("--json", type=pathlib.Path, help="write the record there too")
    flags = parser.parse_args()
    flags.deaths = flags.deaths.split(",")
    if unknown := set(flags.deaths) - set(DEATHS):
        parser.error(f"--deaths: expected kill,stop, found {', '.join(unknown)}")
    return flags

def start(flags, folder, relays):
    maxconn = flags.listeners + 4 * flags.arrivals_per_second + 500
    match flags.server:
        case "balancer":
            return Balancer(flags.balancer, folder, relays, flags.balancer_config)
        case "haproxy":
            return haproxy(folder, relays, maxconn)
        case "nginx":
            return nginx(folder, relays, maxconn, "on")

def death(how, number, flags):
    """One round."""
    with stage(flags.logs and flags.logs / f"{how}-{number}") as (stack, folder):
        fleet = Fleet(stack, folder, flags.swarm, flags.relays)
        server = stack.enter_context(start(flags, folder, fleet.relays)).wait()
        swarm = stack.enter_context(Swarm(flags.swarm, folder, server.url, flags.listeners,
                                          arrivals_per_second=flags.arrivals_per_second, stay=flags.stay))
        swarm.ramped(30 + flags.listeners / 200)
        time.sleep(BEFORE_SECONDS)
        victim = fleet.relays[0]
        before = swarm.snapshot()
        victim.send(DEATHS[how])
        time.sleep(flags.seconds)
        after = swarm.snapshot()
        if flags.logs:
            # The proxy shall write down the end of everybody before its own.
            swarm.end()
            time.sleep(2)
    if victim.label not in after["listeners_by_label"]:
        sys.exit(f"nobody heard from {victim.label}: {json.dumps(after)}")
    return judged(victim.label, before, after)

def judged(victim, before, after):
    bystanders = [group for label, group in after["listeners_by_label"].items() if label != victim]
    return {
        "moved": after["listeners_by_label"][victim],
        "bystanders": bystanders,
        "listeners": after["listeners"],
        "arrivals": after["arrivals"],
        "before": {"listeners": before["listeners"], "arrivals": before["arrivals"]},
    }

FAULTS = ("lost", "missing_bytes", "repeated_bytes", "foreign_bytes")

def row(how, number, found):
    moved, arrivals = found["moved"], found["arrivals"]
    gaps, others = moved["gap_seconds"], max(group["gap_seconds"]["max"] or 0 for group in found["bystanders"])
    cells = [f"{how} {number}", moved["asked"], *(found["listeners"][fault] for fault in FAULTS[:3]),
             *("none" if gaps[at] is None else f"{gaps[at]:.2f} s" for at in ("p50", "p99", "max")), f"{others:.2f} s",
             arrivals["asked"], arrivals["failed"], *(arrivals[fault] for fault in FAULTS[:3]), f"{arrivals['first_audio_seconds']['p99']:.2f} s"]
    return "| " + " | ".join(map(str, cells)) + " |"

HEAD = ("| round | victim's listeners | lost | missing bytes | repeated bytes | gap p50 | p99 | max | longest gap of the others | tune-ins | failed | lost | missing bytes | repeated bytes | first audio p99 |\n"
        + "|" + "---|" * 15)

def failures(how, found, flags):
    """The goals that were not reached."""
    limit = 1.0 if how == "kill" else flags.stall_timeout + 1.0
    gap = found["moved"]["gap_seconds"]["p99" if how == "kill" else "max"]
    missed = [f"listeners' {fault}: {found['listeners'][fault]}" for fault in (*FAULTS, "failed", "never_placed") if found["listeners"][fault]]
    missed += [f"tune-ins' {fault}: {found['arrivals'][fault]}" for fault in (*FAULTS, "failed", "never_placed") if found["arrivals"][fault]]
    if gap is not None and gap > limit:
        missed.append(f"gap {gap:.2f} s, goal {limit:.2f} s")
    return missed

def main():
    flags = arguments()
    need("icecast2", "setpriv", *([flags.server] if flags.server != "balancer" else []))
    raise_file_limit()
    if flags.server == "balancer":
        flags.balancer = flags.balancer or release_balancer()
    flags.swarm = flags.swarm or release_swarm()
    print(f"{flags.server}: {flags.listeners} listeners on {flags.relays} relays, {flags.arrivals_per_second} further tune-ins per second\n")
    print(HEAD, flush=True)
    rounds, missed = [], []
    for number in range(1, flags.rounds + 1):
        for how in flags.deaths:
            found = death(how, number, flags)
            rounds.append({"death": how} | found)
            missed += [f"{how} {number}: {what}" for what in failures(how, found, flags)]
            print(row(how, number, found), flush=True)
    record = {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "flags": {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in vars(flags).items()},
        "versions": versions(flags.balancer),
        "goals_missed": missed,
        "rounds": rounds,
    }
    if flags.json:
        flags.json.write_text(json.dumps(record, indent=1) + "\n")
    print()
    print(json.dumps(record))
    if missed:
        sys.exit("goals missed:\n" + "\n".join(missed))

main()
