"""Connections that hold a place for nothing: how long each kind may. All kinds come at once."""
import contextlib, socket, sys, time

from certificates import Authority
from doors import NAMES, door
from stage import Crowd, StatusPages

NEEDS = ()
# What is held: whether at the TLS bind, the posture, what else is offered, and the seconds after which it must be over.
HOLDS = {
    "TCP, silent": (False, "silent", {}, 11),
    "head, a byte every 5 s": (False, "slow-head", {}, 11),
    "answered, then idle": (False, "answered", {}, 61),
    "TLS bind, silent": (True, "silent", {}, 11),
    "half a TLS hello": (True, "half-hello", {}, 11),
    "TLS hello, a byte every 5 s": (True, "slow-hello", {}, 11),
    "TLS, no request": (True, "secured", {}, 11),
    "TLS, ALPN h2, no preface": (True, "secured", {"alpn": "h2"}, 11),
    "TLS, head, a byte every 5 s": (True, "slow-head", {}, 11),
    "TLS, answered, then idle": (True, "answered", {}, 61),
}

def flags(group):
    group.add_argument("--hold-connections", type=int, default=500, help="of each kind (default %(default)s)")
    group.add_argument("--hold-seconds", type=float, default=75, help="how long they are watched (default %(default)s)")

def old_request(server):
    """The seconds until the smallest request there is was answered."""
    began = time.monotonic()
    with socket.create_connection(server.address, timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            if connection.recv(100).startswith(b"HTTP/1."):
                return time.monotonic() - began
    return None

def held(name, flags, folder, relay, pair):
    room = len(HOLDS) * flags.hold_connections + 500
    with contextlib.ExitStack() as stack:
        doors = {is_on_tls: stack.enter_context(door(name, flags, folder, relay, pair if is_on_tls else None, room)).wait() for is_on_tls in (False, True)}
        crowds = {}
        for number, (kind, (is_on_tls, posture, offer, _)) in enumerate(HOLDS.items()):
            crowds[kind] = stack.enter_context(Crowd(flags.swarm, folder, doors[is_on_tls].address, posture, flags.hold_connections,
                                                     addresses=20, ramp_per_second=200, ca=pair.root, **offer) if is_on_tls else
                                               Crowd(flags.swarm, folder, doors[is_on_tls].address, posture, flags.hold_connections, addresses=20, ramp_per_second=200))
        for crowd in crowds.values():
            crowd.next_report(60)
        answered = old_request(doors[False])
        deadline = time.monotonic() + flags.hold_seconds
        while time.monotonic() < deadline and any(crowd.snapshot()["open"] for crowd in crowds.values()):
            time.sleep(1)
        return {kind: crowd.end_report() for kind, crowd in crowds.items()}, answered

def cell(report):
    seconds = report["open_seconds"]
    how = ", ".join(f"{count} {end}" for end, count in report["ends"].items() if end != "closed")
    closed = f"{seconds['p50']:.1f} / {seconds['max']:.1f} s" if report["closed"] else "-"
    return closed + (f" ({how})" if how else "") + (f", **{report['open']} still open**" if report["open"] else "")

def fault(report, seconds, connections):
    if report["open"]:
        return f"{report['open']} still open"
    if report["opened"] < connections:
        return f"{connections - report['opened']} not let in"
    if report["open_seconds"]["max"] > seconds:
        return f"{report['open_seconds']['max']:.1f} s"
    return None

def run(stack, folder, flags):
    pair = Authority(folder).pair("holds")
    relay = stack.enter_context(StatusPages(folder))
    found = {}
    for name in flags.servers:
        found[name] = held(name, flags, folder, relay, pair)
        print(f"holds: {name}: " + "; ".join(f"{kind}: {cell(report)}" for kind, report in found[name][0].items()), file=sys.stderr)
    rows = [[kind, f"{hold[3]} s", *(cell(reports[kind]) for reports, _ in found.values())] for kind, hold in HOLDS.items()]
    rows.append(["`GET / HTTP/1.0` of 18 bytes, amid them", "answered", *(f"{answered * 1000:.0f} ms" if answered else "**no**" for _, answered in found.values())])
    missed = []
    if "balancer" in found:
        reports, answered = found["balancer"]
        faults = {kind: fault(reports[kind], hold[3], flags.hold_connections) for kind, hold in HOLDS.items()}
        missed = [f"{kind}: {what}" for kind, what in faults.items() if what] + ([] if answered else ["HTTP/1.0 without an answer"])
    title = f"{flags.hold_connections} connections of each kind at once: after how long they were closed (p50 / max)"
    return title, ["", "at most", *(NAMES[name] for name in found)], rows, missed, {name: reports for name, (reports, _) in found.items()}
