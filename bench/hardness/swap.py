"""The certificate is exchanged again and again, once for a pair that does not fit, under handshakes and carried streams."""
import socket, ssl, sys, time

from certificates import NAME, Authority, exchange
from servers import Balancer
from stage import Fleet, Knocking, Swarm, eventually

NEEDS = ("icecast2",)

def flags(group):
    group.add_argument("--swap-every", type=float, default=10, help="seconds (default %(default)s)")
    group.add_argument("--swaps", type=int, default=6, help="(default %(default)s)")
    group.add_argument("--swap-streams", type=int, default=200, help="(default %(default)s)")
    group.add_argument("--swap-handshakes-per-second", type=int, default=50, help="(default %(default)s)")

def served(server, pair):
    """The certificate that a new connection gets."""
    context = ssl.create_default_context(cafile=pair.root)
    with socket.create_connection(server.address, timeout=5) as connection:
        with context.wrap_socket(connection, server_hostname=NAME) as secured:
            return secured.getpeercert(binary_form=True)

def expected(pair):
    return ssl.PEM_cert_to_DER_cert(pair.chain.read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n")

def swap(number, flags, server, authority, pair):
    """One exchange; the seconds until it is served, or None for the pair that must not be."""
    began = time.monotonic()
    if number == flags.swaps // 2:
        before = served(server, pair)
        stranger = authority.pair("stranger")
        exchange(pair.key, stranger.key.read_text())
        while time.monotonic() < began + flags.swap_every:
            if served(server, pair) != before:
                sys.exit("a certificate is served whose key does not fit")
            time.sleep(0.5)
        return None
    authority.pair(None, into=pair)
    wanted = expected(pair)
    eventually("the new certificate is served", flags.swap_every, lambda: served(server, pair) == wanted)
    took = time.monotonic() - began
    time.sleep(max(0, flags.swap_every - took))
    return took

def run(stack, folder, flags):
    authority = Authority(folder)
    pair = authority.pair("swapped")
    fleet = Fleet(stack, folder, flags.swarm, 2)
    server = stack.enter_context(Balancer(flags.balancer, folder, fleet.relays, flags.balancer_config, pair)).wait()
    swarm = stack.enter_context(Swarm(flags.swarm, folder, server.url, flags.swap_streams, ca=pair.root))
    swarm.ramped(60)
    seconds = flags.swaps * flags.swap_every
    count = int(flags.swap_handshakes_per_second * seconds)
    knocking = stack.enter_context(Knocking(flags.swarm, folder, server.address, count, per_second=flags.swap_handshakes_per_second, path="/status", status=200, ca=pair.root))
    took = [swap(number, flags, server, authority, pair) for number in range(flags.swaps)]
    knocked, listeners = knocking.next_report(seconds + 60), swarm.snapshot()["listeners"]
    seen = [seconds for seconds in took if seconds is not None]
    failed = sum(knocked["failures"].values())
    faults = ("breaks", "missing_bytes", "repeated_bytes", "foreign_bytes", "never_placed", "failed", "lost")
    dropped = flags.swap_streams - listeners["playing"] + sum(listeners[fault] for fault in faults)
    row = [f"{len(seen)} of {len(seen)}", f"{max(seen):.1f} s", "refused", f"{failed} of {count}", f"{knocked['answer_seconds']['p99'] * 1000:.1f} ms", f"{dropped} of {flags.swap_streams}"]
    missed = [f"swap: {failed} handshakes failed: {knocked['failures']}"] if failed else []
    missed += [f"swap: streams: {listeners}"] if dropped else []
    title = f"The certificate exchanged every {flags.swap_every:g} s, {flags.swap_handshakes_per_second} new connections per second, {flags.swap_streams} streams"
    head = ["exchanges served", "served after, at most", "a pair that does not fit", "connections failed", "their p99", "streams lost or with a wrong byte"]
    return title, head, [row], missed, {"took": took, "knocked": knocked, "listeners": listeners}
