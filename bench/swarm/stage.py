"""The stage of the benchmarks of carried streams: a master, its relays, the source, the swarm; all real, all on loopback.

Needs icecast2 and setpriv (util-linux). Every server has an address of its own (127.a.b.c) and a port below 32768, and
ends with the benchmark, however that ends.
"""
import contextlib, json, os, pathlib, resource, selectors, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

ROOT = pathlib.Path(__file__).parents[2]
MOUNT = "/live.mp3"
BYTES_PER_SECOND = 16_000
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
NOBODY = 65534

# Debian keeps servers where only root looks.
os.environ["PATH"] += ":/usr/sbin"

def raise_file_limit():
    """Each listener takes two sockets of a proxy and one of a relay; the servers started later inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard

def need(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        sys.exit(f"missing: {' '.join(missing)} (Debian: apt-get install icecast2 haproxy nginx-light util-linux)")

def cargo(*arguments):
    """Builds something, and says where it is."""
    command = ["cargo", *arguments, "--locked", "--quiet", "--message-format=json"]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    built = [message for message in map(json.loads, out.splitlines()) if message.get("executable")]
    # A benchmark has the program built beside it, in any order.
    name = arguments[-1]
    return pathlib.Path(next(message["executable"] for message in built if message["target"]["name"] == name))

def release_balancer():
    return cargo("build", "--release", "--bin", "icecast-balancer")

def release_swarm():
    return cargo("bench", "--no-run", "--bench", "swarm")

def own_ip(number):
    run = os.getpid() % 62_500
    return f"127.{1 + run // 250}.{1 + run % 250}.{1 + number % 250}"

handed_out = 0

def own_address():
    """A free address that nobody else of this run has."""
    global handed_out
    while True:
        handed_out += 1
        address = own_ip(handed_out), 10_000 + (os.getpid() * 331 + handed_out) % 22_000
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(address)
                return address

def eventually(what, seconds, condition, every=0.1):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(every)
    return found

def page(url, seconds=2):
    try:
        return urllib.request.urlopen(url, timeout=seconds).read()
    except (OSError, urllib.error.URLError):
        return None

class Process:
    """A program that dies with the benchmark; as `nobody` where that is asked for and possible."""

    def __init__(self, command, folder, unprivileged=False, **kwargs):
        self.name = pathlib.Path(command[0]).name
        mortal = ["setpriv", "--pdeathsig", "KILL"]
        if unprivileged and os.getuid() == 0:
            mortal += ["--clear-groups", "--reuid", str(NOBODY), "--regid", str(NOBODY)]
        self.output = open(pathlib.Path(folder) / f"{self.name}.output", "ab")
        kwargs = {"stdin": subprocess.DEVNULL, "stdout": self.output, "stderr": self.output} | kwargs
        # An interrupt of the terminal is ours to handle: the programs are ended in order.
        self.process = subprocess.Popen([*mortal, *map(str, command)], start_new_session=True, **kwargs)
        self.pid = self.process.pid

    def send(self, number):
        self.process.send_signal(number)

    def check(self):
        if self.process.poll() is not None:
            sys.exit(f"{self.name} ended with {self.process.returncode}: {pathlib.Path(self.output.name).read_text()[-2000:]}")

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.output.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

def all_of(pid):
    """The process and its children, which may have changed since the last question."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += all_of(int(child))
    return found

def cpu_seconds(pid):
    """User and system time of a server, all its threads and processes."""
    total = 0
    for one in all_of(pid):
        fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK

def memory_bytes(pid):
    """Resident memory of a server, all its processes: as counted (rss), shared pages divided (pss), own pages (private)."""
    total = {"rss": 0, "pss": 0, "private": 0}
    for one in all_of(pid):
        for line in pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split(":")
            key = {"Rss": "rss", "Pss": "pss", "Private_Clean": "private", "Private_Dirty": "private"}.get(name)
            if key:
                total[key] += int(value.split()[0]) * 1024
    return total

ICECAST = """<icecast>
  <hostname>{ip}</hostname><location>Loopback</location><admin>bench@localhost</admin>
  <limits>
    <clients>20000</clients><sources>20</sources><queue-size>1048576</queue-size><burst-size>65535</burst-size>
    <client-timeout>30</client-timeout><header-timeout>15</header-timeout><source-timeout>10</source-timeout>
  </limits>
  <authentication>
    <source-password>hackme</source-password><relay-password>hackme</relay-password>
    <admin-user>admin</admin-user><admin-password>hackme</admin-password>
  </authentication>
  <listen-socket><port>{port}</port><bind-address>{ip}</bind-address></listen-socket>
  {elements}
  <fileserve>1</fileserve>
  <paths>
    <basedir>{share}</basedir><webroot>{share}/web</webroot><adminroot>{share}/admin</adminroot><logdir>{folder}</logdir>
  </paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>2</loglevel></logging>
  <security><chroot>0</chroot></security>
</icecast>
"""

# Listeners see by a header of its own, which passes every proxy as the other icy ones do, from which relay they hear.
PULLED = """<relay><server>{ip}</server><port>{port}</port><mount>{mount}</mount><local-mount>{mount}</local-mount></relay>
  <http-headers><header name="icy-relay" value="{name}"/></http-headers>"""

class Icecast(Process):
    """A real icecast2: a master, or a relay of one."""

    def __init__(self, name, folder, master=None):
        self.label = name
        self.ip, self.port = own_address()
        self.url = f"http://{self.ip}:{self.port}"
        home = pathlib.Path(folder) / name
        home.mkdir(mode=0o777)
        home.chmod(0o777)
        elements = PULLED.format(ip=master.ip, port=master.port, mount=MOUNT, name=name) if master else ""
        share = next(place for place in ("/usr/share/icecast2", "/usr/share/icecast", "/usr/local/share/icecast") if pathlib.Path(place).exists())
        (home / "icecast.xml").write_text(ICECAST.format(ip=self.ip, port=self.port, elements=elements, share=share, folder=home))
        super().__init__(["icecast2", "-c", home / "icecast.xml"], home, unprivileged=True)
        # 2.4.4 dies when it is asked for its status before its own stats thread has begun.
        time.sleep(0.5)
        self.check()

    def mount(self):
        status = page(self.url + "/status-json.xsl")
        with contextlib.suppress(TypeError, ValueError, KeyError):
            source = json.loads(status)["icestats"]["source"]
            return source if "stream_start" in source else None

    def listeners(self):
        return (self.mount() or {}).get("listeners", 0)

class Fleet:
    """A master with its source, and relays that carry its mount."""

    def __init__(self, stack, folder, swarm, relays):
        self.stack, self.folder, self.made = stack, folder, 0
        self.master = stack.enter_context(Icecast("master", folder))
        feed = [swarm, "feed", "--master", f"{self.master.ip}:{self.master.port}", "--mount", MOUNT]
        self.source = stack.enter_context(Process(feed, folder))
        eventually("the master has its source", 10, lambda: self.source.check() or self.master.mount())
        self.relays = [self.relay() for _ in range(relays)]

    def relay(self):
        """A further relay, which carries the mount with a full burst."""
        self.made += 1
        relay = self.stack.enter_context(Icecast(f"relay{self.made}", self.folder, self.master))
        eventually("the relay carries the mount", 20, relay.mount)
        # A relay that joined late has its master's burst at once, so that there is nothing further to wait for.
        return relay

def options(flags):
    """Flags of the swarm; True is one without a value, False and None are none."""
    given = {name.replace("_", "-"): value for name, value in flags.items() if value is not None and value is not False}
    return [f"--{name}" if value is True else f"--{name}={value}" for name, value in given.items()]

class Reporter(Process):
    """A program that prints a line of JSON in the beginning, at each order, and in the end."""

    def __init__(self, command, folder):
        super().__init__(command, folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)

    def next_report(self, seconds):
        if not self.selector.select(seconds):
            sys.exit(f"{self.name} said nothing for {seconds} s")
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.check()
        return json.loads(line)

    def order(self, word):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()
        return self.next_report(30)

    def ramped(self, seconds):
        return self.next_report(seconds)

    def snapshot(self):
        """What all listeners got so far; their longest gaps since the last report."""
        return self.order("snapshot")

    def end_report(self):
        return self.order("stop")

class Swarm(Reporter):
    """The listeners."""

    def __init__(self, binary, folder, url, listeners, ramp_per_second=200, seconds=3600, **flags):
        flags |= {"url": url, "listeners": listeners, "ramp-per-second": ramp_per_second, "label-header": "icy-relay", "seconds": seconds}
        super().__init__([binary, *options(flags)], folder)

class Crowd(Reporter):
    """Who hold connections open to no use."""

    def __init__(self, binary, folder, address, posture, connections, **flags):
        flags |= {"server": "%s:%d" % address, "posture": posture, "connections": connections}
        super().__init__([binary, "hold", *options(flags)], folder)

class Knocking(Reporter):
    """New connections with one request each."""

    def __init__(self, binary, folder, address, connections, **flags):
        flags |= {"server": "%s:%d" % address, "connections": connections}
        super().__init__([binary, "knock", *options(flags)], folder)

class StatusPages(Process):
    """A relay of which there is nothing but the status page: enough to be redirected to."""

    def __init__(self, folder):
        self.label = "pages"
        self.ip, self.port = own_address()
        self.url = f"http://{self.ip}:{self.port}"
        super().__init__([sys.executable, ROOT / "bench/relays.py", str(self.port), self.ip], folder)
        eventually("the relay has its page", 10, lambda: self.check() or page(self.url + "/status-json.xsl"))

@contextlib.contextmanager
def stage(kept=None):
    """A stack for whatever is started, and a folder for what it writes, which is copied to `kept` in the end."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="icecast-balancer-bench-"))
        os.chmod(folder, 0o755)
        # SIGTERM must unwind the stack as an interrupt does.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
        stack.callback(lambda: kept and shutil.copytree(folder, kept, dirs_exist_ok=True))
        yield stack, pathlib.Path(folder)
