#!/usr/bin/env python3
"""The balancer gives way to a successor, to none that is any good, and at last stops, under listeners whom it carries and new connections
that it redirects: who was lost, what was missing, how long each took. Every byte of every listener is checked.

Needs: icecast2 setpriv; builds the release binary and the swarm.
"""
import argparse, contextlib, http.client, json, pathlib, shutil, statistics, subprocess, sys, threading, time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "proxy"))
sys.dont_write_bytecode = True
from servers import Balancer
from stage import MOUNT, Fleet, Swarm, memory_bytes, need, page, raise_file_limit, release_balancer, release_swarm, stage

DRAIN_DELAY_SECONDS = 5
CONFIG = f'[[rule]]\nuser_agent = "^Redirected"\nmode = "redirect"\n[stop]\ndrain_delay = "{DRAIN_DELAY_SECONDS}s"\n'
KNOCKERS = 4

class Knocker(threading.Thread):
    """Comes on a new connection again and again, and notes when each came, how long it took and whether it was redirected."""

    def __init__(self, address, per_second):
        super().__init__(daemon=True)
        self.address, self.pause, self.came, self.over = address, 1 / per_second, [], False

    def run(self):
        due = time.monotonic()
        while not self.over:
            due += self.pause
            time.sleep(max(0.0, due - time.monotonic()))
            began = time.monotonic()
            link = http.client.HTTPConnection(*self.address, timeout=10)
            try:
                link.request("GET", MOUNT, headers={"User-Agent": "Redirected/1", "Connection": "close"})
                good = link.getresponse().status == 307
            except (OSError, http.client.HTTPException):
                good = False
            link.close()
            self.came.append((began, time.monotonic() - began, good))

def seen(knockers, since, until):
    came = [each for knocker in knockers for each in list(knocker.came) if since <= each[0] < until]
    times = [took for _, took, _ in came]
    return {"asked": len(came), "failed": sum(not good for *_, good in came), "p99_ms": round(statistics.quantiles(times, n=100)[98] * 1e3, 2)}

def whole(swarm):
    listeners = swarm.snapshot()["listeners"]
    return {key: listeners[key] for key in ("asked", "failed", "lost", "missing_bytes", "repeated_bytes", "foreign_bytes")}

def status(server):
    return json.loads(page(server.admin + "/status"))

def lives(pid):
    """Whoever inherited it may leave it unburied for a while."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False

def upgrade(binary, config):
    began = time.monotonic()
    ended = subprocess.run([binary, "upgrade", "--config", config], capture_output=True, text=True, timeout=60)
    return {"exit": ended.returncode, "seconds": round(time.monotonic() - began, 2), "said": (ended.stdout + ended.stderr).strip().splitlines()[-1]}

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=500)
    parser.add_argument("--requests-per-second", type=int, default=400)
    parser.add_argument("--balancer", type=pathlib.Path, help="a built icecast-balancer, instead of building it")
    parser.add_argument("--swarm", type=pathlib.Path, help="a built swarm, instead of building it")
    flags = parser.parse_args()
    need("icecast2", "setpriv")
    raise_file_limit()
    built, swarm_binary = flags.balancer or release_balancer(), flags.swarm or release_swarm()
    record = {}
    with stage() as (stack, folder):
        binary = folder / "icecast-balancer"
        shutil.copy(built, binary)
        fleet = Fleet(stack, folder, swarm_binary, 3)
        server = stack.enter_context(Balancer(binary, folder, fleet.relays, CONFIG)).wait()
        config = folder / f"balancer-{server.address[1]}.toml"
        early = stack.enter_context(Swarm(swarm_binary, folder, server.url, flags.listeners // 2))
        early.ramped(60)
        knockers = [Knocker(server.address, flags.requests_per_second / KNOCKERS) for _ in range(KNOCKERS)]
        [knocker.start() for knocker in knockers]
        start = time.monotonic()
        time.sleep(10)
        record["before"] = seen(knockers, start, time.monotonic())

        start = time.monotonic()
        record["upgrade"] = upgrade(binary, config)
        successor = status(server)["pid"]
        stack.callback(lambda: lives(successor) and subprocess.run(["kill", str(successor)]))
        late = stack.enter_context(Swarm(swarm_binary, folder, server.url, flags.listeners - flags.listeners // 2))
        late.ramped(60)
        record["upgrade"] |= seen(knockers, start, time.monotonic()) | {"took_over": successor != server.process.pid}

        start = time.monotonic()
        command = folder / "command" / binary.name
        command.parent.mkdir()
        binary.rename(command)
        binary.write_text("#!/bin/sh\nexit 3\n")
        binary.chmod(0o755)
        record["bad upgrade"] = upgrade(command, config) | {"old_goes_on": status(server)["pid"] == successor}
        time.sleep(5)
        record["bad upgrade"] |= seen(knockers, start, time.monotonic())
        record["listeners of the old process"], record["listeners of the new one"] = whole(early), whole(late)

        early.end_report()
        start = time.monotonic()
        server.process.wait(timeout=30)
        record["the old process gone after its last listener"] = round(time.monotonic() - start, 2)

        start = time.monotonic()
        subprocess.run(["kill", "-s", "TERM", str(successor)], check=True)
        time.sleep(DRAIN_DELAY_SECONDS + 3)
        came = [each for knocker in knockers for each in knocker.came if each[0] > start]
        refused = min((began for began, _, good in came if not good), default=float("nan")) - start
        for knocker in knockers:
            knocker.over = True
        record["stop"] = {"let_in_for_seconds": round(refused, 2), "resident_bytes": memory_bytes(successor)["rss"], **whole(late)}
        late.end_report()
        start = time.monotonic()
        while lives(successor) and time.monotonic() - start < 30:
            time.sleep(0.01)
        record["stop"]["gone_after_the_last_seconds"] = round(time.monotonic() - start, 2)
    print(json.dumps(record, indent=1))

main()
