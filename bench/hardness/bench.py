#!/usr/bin/env python3
"""How the front door bears those who mean it harm, or nothing at all: a table for each kind, and what was missed.

slow      10,000 connections that send a byte every 5 s, while good clients come: their errors and times, with and without
holds     silent connections, half TLS hellos, TLS without a request, idle ones: after how long each is closed
swap      the certificate is exchanged again and again under handshakes and streams: nobody may notice
abuse     what one connection of HTTP/2 can do: resets, floods, bombs; idle, after how long it is closed
scanners  sslyze against Mozilla's intermediate profile; testssl.sh, all findings above LOW

Needs: setpriv openssl; icecast2 for swap; haproxy nginx (Debian: nginx-light) for peers; sslyze (pip) and testssl.sh for scanners.
Builds the release binary and the swarm. Loopback only; the hard limit of open files must be 20,000.
"""
import argparse, datetime, json, pathlib, sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "proxy"), str(HERE.parent / "swarm")]
sys.dont_write_bytecode = True
import abuse, holds, scanners, slow, swap
from servers import versions
from stage import need, raise_file_limit, release_balancer, release_swarm, stage

KINDS = {"slow": slow, "holds": holds, "swap": swap, "abuse": abuse, "scanners": scanners}

def built(path):
    return pathlib.Path(path).resolve(strict=True)

def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND", help="which (default: all)")
    parser.add_argument("--servers", default="balancer,haproxy,nginx", help="whom slow and holds are done to (default %(default)s)")
    parser.add_argument("--balancer", type=built, help="a built icecast-balancer, instead of building it")
    parser.add_argument("--swarm", type=built, help="a built swarm, instead of building it")
    parser.add_argument("--balancer-config", default="", help="further lines of TOML for the balancer, whole tables only")
    parser.add_argument("--json", type=pathlib.Path, help="write the record there too")
    for kind in KINDS.values():
        kind.flags(parser.add_argument_group(kind.__name__))
    flags = parser.parse_args()
    flags.servers = flags.servers.split(",")
    if unknown := set(flags.kinds) - set(KINDS) | set(flags.servers) - {"balancer", "haproxy", "nginx"}:
        parser.error(f"unknown: {', '.join(unknown)}")
    return flags

def table(title, head, rows):
    lines = [f"{title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])

def main():
    flags = arguments()
    need("setpriv", "openssl", *(set(flags.servers) - {"balancer"}), *(program for kind in flags.kinds for program in KINDS[kind].NEEDS))
    raise_file_limit()
    flags.balancer = flags.balancer or release_balancer()
    flags.swarm = flags.swarm or release_swarm()
    record = {"when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "flags": {key: str(value) for key, value in vars(flags).items()}}
    missed = []
    for kind in flags.kinds:
        with stage() as (stack, folder):
            title, head, rows, misses, details = KINDS[kind].run(stack, folder, flags)
        print(table(title, head, rows), end="\n\n", flush=True)
        missed += misses
        record[kind] = details
    record |= {"missed": missed, "versions": versions(flags.balancer)}
    if flags.json:
        flags.json.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record))
    if missed:
        sys.exit("missed: " + "; ".join(missed))

main()
