#!/usr/bin/env python3
"""CPU per redirect of icecast-balancer and of HAProxy, side by side, one worker each.

Run: bench/redirect/bench.py [ROUNDS] [SECONDS]   (needs: haproxy wrk python3; builds the release binary)
Rounds alternate between the two, so a noisy machine is noisy for both; medians and their ratio are printed.
"""
import json, os, pathlib, re, statistics, subprocess, sys, time, urllib.request

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
TICK = os.sysconf("SC_CLK_TCK")
RELAYS = ",".join(f"127.0.0.{n}:18000" for n in range(11, 15))
MOUNT = "/live.mp3"

def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK

def wrk(port, fresh):
    command = ["wrk", "-t1", "-c32", f"-d{SECONDS}s"]
    if fresh:
        command += ["-H", "Connection: close"]
    out = subprocess.run(command + [f"http://127.0.0.1:{port}{MOUNT}"], capture_output=True, text=True, check=True).stdout
    if errors := re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out):
        connect, _, write, timeout = map(int, errors.groups())
        assert connect + write + timeout == 0, out
    return int(re.search(r"(\d+) requests in", out).group(1))

def wait_for(url):
    for _ in range(100):
        try:
            return urllib.request.urlopen(url, timeout=1).read()
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} did not come up")

def main():
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    env = dict(os.environ, ICECAST_RELAYS=RELAYS, PORT="18080", BALANCER__THREADS="1", BALANCER__ADMIN__BIND="127.0.0.1:18081", BALANCER__LOG__LEVEL="error")
    relays = subprocess.Popen([sys.executable, HERE.parent / "relays.py", "18000", *(f"127.0.0.{n}" for n in range(11, 15))])
    started = [relays]
    try:
        ours = subprocess.Popen([ROOT / "target/release/icecast-balancer"], env=env)
        started.append(ours)
        haproxy = subprocess.Popen(["haproxy", "-db", "-f", HERE / "haproxy.cfg"])
        started.append(haproxy)
        status = json.loads(wait_for("http://127.0.0.1:18081/status"))
        while not status["mounts"]:
            time.sleep(0.2)
            status = json.loads(wait_for("http://127.0.0.1:18081/status"))
        print(f"{'':16}{'icecast-balancer':>18}{'HAProxy':>12}   us CPU per request; median of {ROUNDS} rounds of {SECONDS} s")
        for name, fresh in [("keep-alive", False), ("new connection", True)]:
            costs = {18080: [], 18090: []}
            for _ in range(ROUNDS):
                for pid, port in [(ours.pid, 18080), (haproxy.pid, 18090)]:
                    before = cpu_seconds(pid)
                    requests = wrk(port, fresh)
                    costs[port].append((cpu_seconds(pid) - before) / requests * 1e6)
            pairs = [a / b for a, b in zip(costs[18080], costs[18090])]
            a, b = statistics.median(costs[18080]), statistics.median(costs[18090])
            print(f"{name:16}{a:18.2f}{b:12.2f}   ratio {statistics.median(pairs):.2f} (min {min(pairs):.2f}, max {max(pairs):.2f})")
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()

main()
