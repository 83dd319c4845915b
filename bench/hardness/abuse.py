"""What can be done with one connection of HTTP/2, each for a while, while good clients come at a steady rate over HTTP/1.1."""
import contextlib, socket, ssl, struct, sys, threading, time

from certificates import Authority
from servers import Balancer
from stage import Knocking, StatusPages, memory_bytes

NEEDS = ()
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
GOAL_RATIO = 2
GOAL_GROWTH_BYTES = 32_000_000
ROOM = 12_000

def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

def literal(name, value):
    """A field that enters no table (RFC 7541 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value

def request(path, method=b"GET"):
    pairs = ((b":method", method), (b":scheme", b"https"), (b":authority", b"radio.example"), (b":path", path))
    return b"".join(literal(name, value) for name, value in pairs)

def integer(value, bits):
    """RFC 7541 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return [value]
    out, value = [most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return out + [value]

def resets(mount):
    for number in range(10_000):
        stream = 2 * number + 1
        yield frame(HEADERS, END_STREAM | END_HEADERS, stream, request(mount)) + frame(RESET, 0, stream, struct.pack(">I", 8))

def continuations(mount):
    yield frame(HEADERS, END_STREAM, 1, request(mount))
    for _ in range(20_000):
        yield frame(CONTINUATION, 0, 1, literal(b"x-more", b"a" * 100) * 100)

def bombs(mount):
    """A field of 4,000 bytes enters the table once, and each byte after it stands for it again."""
    value = b"a" * 3_900
    entry = bytes([0x40, 6]) + b"x-bomb" + bytes(integer(len(value), 7)) + value
    yield frame(HEADERS, END_STREAM | END_HEADERS, 1, request(mount) + entry)
    for number in range(1, 1_000):
        yield frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, request(mount) + b"\xbe" * 16_000)

def empty_data(mount):
    yield frame(HEADERS, END_HEADERS, 1, request(mount, b"POST"))
    for _ in range(2_000):
        yield frame(DATA, 0, 1) * 100

def settings(_):
    for _ in range(2_000):
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535)) * 10

def pings(_):
    for _ in range(2_000):
        yield frame(PING, 0, 0, b"12345678") * 100

def closed_windows(mount):
    """Answers that have nowhere to go."""
    yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    for number in range(100):
        yield frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, request(mount))

# What is sent, whether the answers are read, and whether the connection must be over in the end.
ABUSES = {
    "rapid reset, 10,000": (resets, True, True),
    "CONTINUATION without end": (continuations, True, True),
    "HPACK bomb": (bombs, True, True),
    "empty DATA, 200,000": (empty_data, True, False),
    "SETTINGS, 20,000, unread": (settings, False, False),
    "PING, 200,000, unread": (pings, False, False),
    "100 answers, window 0": (closed_windows, True, False),
    "idle": (lambda _: (), True, True),
}

def flags(group):
    group.add_argument("--abuse-good-per-second", type=int, default=200, help="new connections of good clients (default %(default)s)")
    group.add_argument("--abuse-seconds", type=int, default=15, help="for each kind (default %(default)s)")
    group.add_argument("--abuse-idle-seconds", type=int, default=75, help="how long an idle connection is watched (default %(default)s)")

class Abuser(threading.Thread):
    """One connection; afterwards `frames_sent`, and `over_after` in seconds, or None."""
    def __init__(self, server, mount, how, reads, seconds):
        super().__init__(daemon=True)
        self.server, self.mount, self.how, self.reads, self.seconds = server, mount, how, reads, seconds
        self.pieces_sent, self.over_after, self.goaway = 0, None, False

    def run(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        began = time.monotonic()
        with socket.create_connection(self.server.address, timeout=10) as raw, context.wrap_socket(raw, server_hostname="radio.example") as connection:
            assert connection.selected_alpn_protocol() == "h2", "h2 is off"
            try:
                connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
                connection.settimeout(0.001)
                for piece in self.how(self.mount):
                    self.send(connection, piece, began)
                    self.pieces_sent += 1
                while time.monotonic() - began < self.seconds:
                    self.hear(connection, 0.2)
            except (OSError, EOFError):
                self.over_after = time.monotonic() - began

    def send(self, connection, piece, began):
        while piece:
            if time.monotonic() - began > self.seconds:
                raise TimeoutError
            with contextlib.suppress(ssl.SSLWantWriteError, TimeoutError):
                piece = piece[connection.send(piece):]
            if self.reads:
                self.hear(connection, 0.0001)

    def hear(self, connection, seconds):
        connection.settimeout(seconds)
        with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
            said = connection.recv(65_536)
            if not said:
                raise EOFError

def good(flags, folder, server, root, seconds):
    count = flags.abuse_good_per_second * seconds
    with Knocking(flags.swarm, folder, server.address, count, per_second=flags.abuse_good_per_second, ca=root) as knocking:
        return knocking.next_report(seconds + 60)

def abuse(name, flags, folder, server, root):
    how, reads, must_end = ABUSES[name]
    is_idle = name == "idle"
    rss = memory_bytes(server.pid)["rss"]
    abuser = Abuser(server, b"/live.mp3", how, reads, flags.abuse_idle_seconds if is_idle else flags.abuse_seconds)
    abuser.start()
    most, during = [rss], {}
    if not is_idle:
        watch = threading.Thread(target=lambda: during.update(good(flags, folder, server, root, flags.abuse_seconds)))
        watch.start()
        while watch.is_alive():
            most.append(memory_bytes(server.pid)["rss"])
            time.sleep(0.05)
    abuser.join()
    return {"during": during, "growth_bytes": max(most) - rss, "pieces": abuser.pieces_sent, "over_after": abuser.over_after, "must_end": must_end}

def faults(result, base):
    found = []
    if result["during"].get("failures"):
        found.append("errors")
    if result["during"] and result["during"]["answer_seconds"]["p99"] > GOAL_RATIO * base:
        found.append("p99")
    if result["growth_bytes"] > GOAL_GROWTH_BYTES:
        found.append("memory")
    if result["must_end"] and result["over_after"] is None:
        found.append("goes on")
    return found

def run(stack, folder, flags):
    pair = Authority(folder).pair("abuse")
    relay = stack.enter_context(StatusPages(folder))
    config = flags.balancer_config + f"[limits]\nconnections = {ROOM}\n"
    server = stack.enter_context(Balancer(flags.balancer, folder, [relay], config, pair, "redirect", bind_keys="h2 = true")).wait()
    good(flags, folder, server, pair.root, 5)
    base = good(flags, folder, server, pair.root, flags.abuse_seconds)
    p99 = base["answer_seconds"]["p99"]
    details, rows, missed = {"base": base}, [], []
    for name in ABUSES:
        result = details[name] = abuse(name, flags, folder, server, pair.root)
        found = faults(result, p99)
        hit = result["during"].get("answer_seconds", {}).get("p99")
        over = f"{result['over_after']:.1f} s" if result["over_after"] is not None else "-"
        rows.append([name, result["pieces"], over, sum(result["during"].get("failures", {}).values()), f"{hit / p99:.2f}" if hit else "-",
                     f"{result['growth_bytes'] / 1e6:.1f} MB", ", ".join(found) or "-"])
        print(f"abuse: {rows[-1]}", file=sys.stderr)
        missed += [f"{name}: {fault}" for fault in found]
    title = (f"one connection of HTTP/2, {flags.abuse_good_per_second} good clients per second beside it; goals: no errors, p99 at most {GOAL_RATIO} times its base "
             f"({p99 * 1000:.1f} ms), memory + {GOAL_GROWTH_BYTES // 10**6} MB")
    return title, ["what", "pieces sent", "hung up on after", "errors of good ones", "p99 / base", "memory", "missed"], rows, missed, details
