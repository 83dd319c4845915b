#!/usr/bin/env python3
"""How evenly arrivals between two polls are spread, and how soon a dead relay gets nobody.

Run: bench/balance/bench.py   (needs python3; builds the release binary; takes a minute)
"""
import collections, contextlib, http.client, json, os, pathlib, signal, statistics, subprocess, sys, threading, time, urllib.request

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
ADDRESSES = [f"127.0.0.{n}" for n in range(11, 15)]
PORT, PUBLIC, ADMIN = 18000, 18080, 18081
MOUNT = "/live.mp3"

@contextlib.contextmanager
def running(*command, **kwargs):
    process = subprocess.Popen(command, **kwargs)
    try:
        assert process.poll() is None, "the balancer ended"
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()

def relay(*addresses):
    return running(sys.executable, HERE.parent / "relays.py", str(PORT), *addresses)

@contextlib.contextmanager
def balancer(interval, timeout):
    relays = ",".join(f"{address}:{PORT}" for address in ADDRESSES)
    env = dict(os.environ, ICECAST_RELAYS=relays, PORT=str(PUBLIC), BALANCER__ADMIN__BIND=f"127.0.0.1:{ADMIN}",
               BALANCER__POLL__INTERVAL=interval, BALANCER__POLL__TIMEOUT=timeout, BALANCER__LOG__LEVEL="error")
    with running(ROOT / "target/release/icecast-balancer", env=env) as process:
        for _ in range(150):
            try:
                status = json.load(urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/status", timeout=1))
                if all(relay["health"] == "up" for relay in status["relays"]):
                    break
            except OSError:
                pass
            time.sleep(0.1)
        else:
            sys.exit("the relays did not come up")
        assert process.poll() is None, "the balancer ended"
        yield process

def tune_in(connection):
    connection.request("GET", MOUNT)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 307, answer.status
    return answer.getheader("Location").removeprefix("http://").split(":")[0]

def arrive(n, found):
    connection = http.client.HTTPConnection("127.0.0.1", PUBLIC)
    found.update(tune_in(connection) for _ in range(n))

def herd(threads, arrivals=1000):
    with relay(*ADDRESSES), balancer("60s", "2s"):
        parts = [collections.Counter() for _ in range(threads)]
        tasks = [threading.Thread(target=arrive, args=(arrivals // threads, part)) for part in parts]
        for task in tasks:
            task.start()
        for task in tasks:
            task.join()
        counts = [sum(part[address] for part in parts) for address in ADDRESSES]
        print(f"{sum(counts)} arrivals between two polls, {threads} client threads: {counts}, fullest minus emptiest {max(counts) - min(counts)}")

def death(how, name, interval=2.0, timeout=1.0, rounds=5):
    took = []
    for _ in range(rounds):
        with relay(ADDRESSES[0]) as victim, relay(*ADDRESSES[1:]), balancer(f"{interval}s", f"{timeout}s"):
            connection = http.client.HTTPConnection("127.0.0.1", PUBLIC)
            victim.send_signal(how)
            died = last = time.monotonic()
            while time.monotonic() - died < 2 * (interval + timeout):
                if tune_in(connection) == ADDRESSES[0]:
                    last = time.monotonic()
                time.sleep(0.005)
            took.append(last - died)
    print(f"{name}: the last listener was sent to it after {statistics.median(took):.2f} s (worst {max(took):.2f} s of {rounds}; interval {interval} s + timeout {timeout} s)")

subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
herd(1)
herd(8)
death(signal.SIGKILL, "relay killed, connections refused")
death(signal.SIGSTOP, "relay frozen, connections open")
