#!/usr/bin/env python3
"""The balancer gets another configuration again and again, under listeners whom it carries and requests that it redirects.

Every reload changes weights, the policy, limits and a mount, takes a relay away, whose listeners move, and brings another back. The swarm checks every byte; redirects are asked for over kept connections at a fixed rate. Needs: icecast2
setpriv; builds the release binary and the swarm.
"""
import argparse, http.client, json, pathlib, signal, statistics, sys, threading, time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "proxy"))
sys.dont_write_bytecode = True
from servers import Balancer
from stage import MOUNT, Fleet, Swarm, eventually, memory_bytes, need, page, raise_file_limit, release_balancer, release_swarm, stage

CONNECTIONS = 4
CARRIED = '[stream]\ndrain_time = "1s"\n'
REDIRECTED = '[[rule]]\nuser_agent = "^Redirected"\nmode = "redirect"\n'

class Knocker(threading.Thread):
    """Asks for redirects over one connection at a fixed rate, and notes how long each takes."""

    def __init__(self, address, per_second):
        super().__init__(daemon=True)
        self.address, self.pause = address, 1 / per_second
        self.times, self.failed, self.over = [], 0, False

    def run(self):
        link = http.client.HTTPConnection(*self.address, timeout=10)
        due = time.monotonic()
        while not self.over:
            due += self.pause
            time.sleep(max(0.0, due - time.monotonic()))
            began = time.monotonic()
            try:
                link.request("GET", MOUNT, headers={"User-Agent": "Redirected/1"})
                answer = link.getresponse()
                answer.read()
                self.failed += answer.status not in (302, 307)
            except (OSError, http.client.HTTPException):
                self.failed += 1
                link.close()
            self.times.append(time.monotonic() - began)

def configuration(text, relays, number):
    """The balancer's first configuration, changed."""
    used = [relay for place, relay in enumerate(relays) if place != number % len(relays)]
    policy = ("least-listeners", "power-of-two")[number % 2]
    text += f'[select]\npolicy = "{policy}"\n[redirect]\nstatus = {(302, 307)[number % 2]}\n[limits]\nlisteners_per_address = {10_000 + number}\n'
    text += f'[[mount]]\npath = "/hidden{number}"\nhidden = true\n'
    return text + "".join(f'[[relay]]\nname = "{relay.label}"\nurl = "{relay.url}"\nweight = {100 + number}\n' for relay in used)

def p99(times):
    return statistics.quantiles(times, n=100)[98] if len(times) > 1 else float("nan")

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=500)
    parser.add_argument("--requests-per-second", type=int, default=1000)
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--balancer", type=pathlib.Path, help="a built icecast-balancer, instead of building it")
    parser.add_argument("--swarm", type=pathlib.Path, help="a built swarm, instead of building it")
    flags = parser.parse_args()
    need("icecast2", "setpriv")
    raise_file_limit()
    flags.balancer, flags.swarm = flags.balancer or release_balancer(), flags.swarm or release_swarm()
    with stage() as (stack, folder):
        fleet = Fleet(stack, folder, flags.swarm, 3)
        server = stack.enter_context(Balancer(flags.balancer, folder, fleet.relays, CARRIED + REDIRECTED)).wait()
        file = folder / f"balancer-{server.address[1]}.toml"
        text = file.read_text().split("[[relay]]")[0]
        swarm = stack.enter_context(Swarm(flags.swarm, folder, server.url, flags.listeners))
        swarm.ramped(30 + flags.listeners / 200)
        knockers = [Knocker(server.address, flags.requests_per_second / CONNECTIONS) for _ in range(CONNECTIONS)]
        [knocker.start() for knocker in knockers]

        def heard():
            times = sum((knocker.times for knocker in knockers), [])
            [knocker.times.clear() for knocker in knockers]
            return times

        def reload(number):
            file.write_text(configuration(text, fleet.relays, number))
            server.send(signal.SIGHUP)

        def settled():
            eventually("nobody is on his way", 10, lambda: all(relay["streams"] or relay["admin_state"] == "ready"
                       for relay in json.loads(page(server.admin + "/status"))["relays"]))
            time.sleep(3)

        # The first ones fill what is kept.
        for number in (1, 2, 3):
            reload(number)
            time.sleep(3)
        settled()
        heard()
        time.sleep(10)
        base, before = heard(), memory_bytes(server.process.pid)["rss"]
        for number in range(4, 4 + flags.reloads):
            reload(number)
            time.sleep(flags.seconds / flags.reloads)
        during = heard()
        settled()
        after, record = memory_bytes(server.process.pid)["rss"], swarm.snapshot()
        for knocker in knockers:
            knocker.over = True
        listeners = record["listeners"]
        metrics = page(server.admin + "/metrics").decode().splitlines()
        counted = {line.split()[0]: line.split()[1] for line in metrics if line.startswith(("icecast_balancer_seams", "icecast_balancer_streams_lost"))}
        result = {
            "reloads": flags.reloads, "listeners": listeners["asked"], **{key: listeners[key] for key in ("failed", "lost", "missing_bytes", "repeated_bytes", "foreign_bytes")},
            "redirects": len(during), "redirects_failed": sum(knocker.failed for knocker in knockers),
            "p99_ms_before": round(p99(base) * 1e3, 2), "p99_ms_during": round(p99(during) * 1e3, 2),
            "grown_bytes": after - before, "resident_bytes": after, "seams": counted,
        }
        print(json.dumps(result, indent=1))

main()
