#!/usr/bin/env python3
"""The package's whole life on a fresh Debian with a real systemd, which debootstrap makes and boot.sh boots in namespaces: installed,
configured, started, reloaded, upgraded under a listener, restarted behind its socket, stopped, removed, purged. The relays are real
icecast2 servers of this machine in the booted one's network. Needs root.

    packaging/boot_test.py [PACKAGE.deb]        default: the one in target/package
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
SERVICE = "icecast-balancer.service"
SOCKET = "icecast-balancer.socket"
CONFIG = "/etc/icecast-balancer/icecast-balancer.toml"
STREAM = "http://127.0.0.1:8080/live.mp3"
NOBODY = "65534"
RELAYS = {"relay1": 9001, "relay2": 9002}
BYTES_PER_SECOND = 16_000


def run(*words, check=True, **more):
    ended = subprocess.run([str(word) for word in words], check=False, text=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if check and ended.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}: {ended.returncode}\n{ended.stdout}")
    return ended


def eventually(seconds, what, holds):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds} s: {what}")
        time.sleep(0.1)


class Machine:
    """The booted Debian."""

    def __init__(self, root):
        self.root = root
        self.boot = subprocess.Popen([HERE / "boot.sh", root], stdin=subprocess.DEVNULL, start_new_session=True)
        self.init = None
        eventually(20, "the machine runs", self.is_up)

    def is_up(self):
        children = pathlib.Path(f"/proc/{self.boot.pid}/task/{self.boot.pid}/children").read_text().split()
        if not children or "systemd" not in os.readlink(f"/proc/{children[0]}/exe"):
            return False
        self.init = children[0]
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def run(self, *words, check=True):
        return run("nsenter", "-t", self.init, "-m", "-p", "-u", "-i", "-n", "-C", *words, check=check)

    def in_network(self, *words):
        """As a command line: this machine's program in the booted one's network."""
        return ["nsenter", "-t", self.init, "-n", *map(str, words)]

    def file(self, path):
        return self.root / str(path).lstrip("/")

    def property(self, name):
        return self.run("systemctl", "show", "--value", "-p", name, SERVICE).stdout.strip()

    def journal(self):
        return self.run("journalctl", "--no-pager", "-u", SERVICE).stdout

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.boot.pid, signal.SIGKILL)
        self.boot.wait()


class Radio:
    """A source, a master and two relays, with the configurations of conf/compose."""

    def __init__(self, machine, folder):
        self.processes = []
        conf = HERE.parent / "conf/compose"
        on = lambda text, port: text.replace("<port>8000<", f"<bind-address>127.0.0.1</bind-address><port>{port}<")
        relay = (conf / "relay.xml").read_text().replace("<master-server>master<", "<master-server>127.0.0.1<")
        relay = relay.replace("<master-server-port>8000<", "<master-server-port>9000<")
        texts = {"master": on((conf / "master.xml").read_text(), 9000)}
        texts |= {name: on(relay, port) for name, port in RELAYS.items()}
        for name, text in texts.items():
            (folder / f"{name}.xml").write_text(text)
            self.start(machine, "setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "icecast2", "-c", folder / f"{name}.xml")
        # Whoever comes first is refused: the master may not listen yet.
        to = "icecast://source:hackme-source@127.0.0.1:9000/live.mp3"
        tone = ["-re", "-f", "lavfi", "-i", "sine=frequency=440", "-c:a", "libmp3lame", "-b:a", "128k", "-content_type", "audio/mpeg"]
        eventually(10, "the master listens", lambda: run(*machine.in_network("curl", "-s", "127.0.0.1:9000/"), check=False).returncode == 0)
        self.start(machine, "ffmpeg", "-v", "quiet", *tone, "-f", "mp3", to)

    def start(self, machine, *words):
        process = subprocess.Popen(machine.in_network(*words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.processes.append(process)

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Listener:
    """curl, for as long as it is let."""

    def __init__(self, machine, folder):
        self.heard = folder / f"heard-{time.monotonic_ns()}"
        self.curl = subprocess.Popen(machine.in_network("curl", "-s", "-o", self.heard, STREAM), stdin=subprocess.DEVNULL)

    def size(self):
        return self.heard.stat().st_size if self.heard.exists() else 0

    def hears_more(self, seconds=2):
        before = self.size()
        eventually(seconds + 10, "the listener hears more", lambda: self.size() >= before + seconds * BYTES_PER_SECOND)
        assert self.curl.poll() is None, "the listener was cut off"

    def end(self):
        self.curl.kill()
        self.curl.wait()


class Crowd(threading.Thread):
    """Asks for /status on new connections until it is told to stop."""

    def __init__(self, machine):
        super().__init__()
        self.machine, self.over, self.good, self.bad = machine, threading.Event(), 0, 0

    def run(self):
        while not self.over.is_set():
            words = self.machine.in_network("curl", "-s", "-o", "/dev/null", "--max-time", "10", "http://127.0.0.1:8080/status")
            good = subprocess.run(words, check=False, stdin=subprocess.DEVNULL).returncode == 0
            self.good, self.bad = self.good + good, self.bad + (not good)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def counted(self):
        self.__exit__()
        assert self.good > 10, self.good
        return f"{self.bad} of {self.good + self.bad} requests failed"


def installed(machine, package):
    said = machine.run("sh", "-c", f"cp /root/{package.name} /tmp/ && apt-get install -y -qq /tmp/{package.name}").stdout
    assert "name your relays" in said, said
    assert machine.run("systemctl", "is-enabled", SERVICE).stdout.strip() == "enabled"
    assert machine.run("systemctl", "is-enabled", SOCKET, check=False).stdout.strip() == "disabled"
    assert machine.property("ActiveState") == "inactive"
    machine.run("icecast-balancer", "--version")
    print("installed: enabled, waits for relays to be named")


def configured(machine):
    config = machine.file(CONFIG)
    text = config.read_text().replace('#mode = "redirect"', 'mode = "proxy"', 1)
    text = text.replace('#token_file = ""', 'token_file = "/run/credentials/icecast-balancer.service/admin-token"', 1)
    for name, port in RELAYS.items():
        text += f'\n[[relay]]\nname = "{name}"\nurl = "http://127.0.0.1:{port}"\n'
    config.write_text(text)
    store = machine.file("/etc/credstore")
    store.mkdir(mode=0o700, exist_ok=True)
    token = store / "icecast-balancer.admin-token"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    token.chmod(0o600)


def started(machine):
    machine.run("systemctl", "start", SERVICE)
    machine.run("icecast-balancer", "healthcheck", "--config", CONFIG)
    process = machine.property("MainPID")
    status = machine.run("cat", f"/proc/{process}/status").stdout
    field = lambda name: re.search(rf"^{name}:\s+(.*)$", status, re.MULTILINE).group(1)
    uid = int(field("Uid").split()[0])
    assert 61184 <= uid <= 65519, f"{uid} is no dynamic user"
    assert field("CapEff") == field("CapBnd") == f"{1 << 10:016x}", "more than CAP_NET_BIND_SERVICE"
    assert (field("NoNewPrivs"), field("Seccomp")) == ("1", "2")
    for order in ("drain", "ready"):
        assert f"relay1: {order}" in machine.run("icecast-balancer", order, "relay1", "--config", CONFIG).stdout
    print(f"started: ready, as user {uid}, with one capability, behind a filter of system calls; the token is believed")


def reloaded(machine, listener):
    machine.run("systemctl", "reload", SERVICE)
    config = machine.file(CONFIG)
    good = config.read_text()
    config.write_text(good + "\nnonsense = true\n")
    assert machine.run("systemctl", "reload", SERVICE, check=False).returncode != 0, "a broken configuration was taken"
    config.write_text(good)
    assert machine.property("ActiveState") == "active"
    assert "nonsense" in machine.journal()
    listener.hears_more()
    print("reloaded: a good configuration is taken, a broken one refused, the listener hears on")


def next_version(package, folder):
    """The same package, a version further."""
    tree = folder / "next"
    run("dpkg-deb", "--raw-extract", package, tree)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1.1", control.read_text()))
    return run("dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", tree, folder / "next.deb") and folder / "next.deb"


def upgraded(machine, package, listener):
    before = machine.property("MainPID")
    with Crowd(machine) as crowd:
        said = machine.run("dpkg", "--install", f"/root/{package.name}").stdout
        eventually(10, "systemd follows the new process", lambda: machine.property("MainPID") not in (before, "0"))
        assert "goes on serving" not in said, said
        listener.hears_more(3)
        machine.run("icecast-balancer", "healthcheck", "--config", CONFIG)
    print(f"upgraded by dpkg: process {before} gave way to {machine.property('MainPID')}, the listener hears on, {crowd.counted()}")
    assert crowd.bad == 0
    assert "not our child" not in machine.journal(), "systemd would not notice the end of the new process, nor wait for it at a stop"


def stopped(machine, listener):
    began = time.monotonic()
    machine.run("systemctl", "stop", "--no-block", SERVICE)
    listener.hears_more()
    # He is the predecessor's, whom systemd tells to stop once more when the process that it follows is gone.
    eventually(15, "the new process is gone", lambda: machine.property("MainPID") == "0")
    listener.hears_more()
    assert machine.property("ActiveState") == "deactivating"
    listener.end()
    eventually(20, "the service is over after its last listener", lambda: machine.property("ActiveState") == "inactive")
    assert machine.property("Result") == "success", machine.property("Result")
    print(f"stopped: the stream was kept until its listener left, over {time.monotonic() - began:.1f} s after the order")


def behind_its_socket(machine):
    machine.run("systemctl", "start", SOCKET)
    with Crowd(machine) as crowd:
        eventually(10, "the first request starts the service", lambda: machine.property("ActiveState") == "active")
        machine.run("systemctl", "restart", SERVICE)
        eventually(10, "the crowd asks on", lambda: crowd.good > 20)
    print(f"behind its socket: started by a request, restarted: {crowd.counted()}")
    assert crowd.bad == 0
    with Crowd(machine) as crowd:
        process = machine.property("MainPID")
        machine.run("systemctl", "kill", "--signal=KILL", SERVICE)
        eventually(15, "systemd starts it again", lambda: machine.property("MainPID") not in (process, "0"))
        eventually(10, "it is ready again", lambda: machine.property("ActiveState") == "active")
        eventually(10, "the crowd asks on", lambda: crowd.good > 20)
    print(f"killed behind its socket: {crowd.counted()}")
    assert crowd.bad <= 1, "they ask one after the other: more than the one who was let in at that moment"


def upgraded_while_nobody_listens(machine):
    before = machine.property("NRestarts")
    for _ in range(8):
        machine.run("icecast-balancer", "upgrade", "--config", CONFIG)
        assert machine.property("ActiveState") == "active", "systemd took the service for over"
    assert machine.property("NRestarts") == before, "systemd started the service anew"
    print("upgraded eight times while nobody listens: systemd follows each time")


def renewed_by_needrestart(machine):
    process = machine.property("MainPID")
    with Crowd(machine) as crowd:
        eventually(10, "the crowd asks", lambda: crowd.good > 10)
        machine.run(f"/etc/needrestart/restart.d/{SERVICE}")
        eventually(10, "systemd follows the new process", lambda: machine.property("MainPID") not in (process, "0"))
    print(f"renewed as needrestart does it: {crowd.counted()}")
    assert crowd.bad == 0


def killed_after_an_upgrade(machine, folder):
    listener = Listener(machine, folder)
    try:
        listener.hears_more()
        machine.run("icecast-balancer", "upgrade", "--config", CONFIG)
        process = machine.property("MainPID")
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", SERVICE)
        eventually(15, "systemd starts it again, whoever the old process still carries", lambda: machine.property("MainPID") not in (process, "0"))
        eventually(10, "it is ready again", lambda: machine.property("ActiveState") == "active")
    finally:
        listener.end()
    print("killed after an upgrade: the old process does not stand in the way of a new start")


def back_again(machine, package):
    machine.run("dpkg", "--remove", "icecast-balancer")
    machine.run("dpkg", "--install", f"/root/{package.name}")
    assert machine.property("ActiveState") == "active", "it was removed and installed again, and does not serve"
    machine.run("icecast-balancer", "healthcheck", "--config", CONFIG)
    for unit in (SERVICE, SOCKET):
        machine.run("systemctl", "stop", unit)
    machine.run("systemctl", "disable", SERVICE)
    machine.run("dpkg", "--install", f"/root/{package.name}")
    assert machine.property("ActiveState") == "inactive", "it was stopped, and was started by an upgrade"
    assert machine.run("systemctl", "is-enabled", SERVICE, check=False).stdout.strip() == "disabled"
    machine.run("systemctl", "enable", "--now", SERVICE)
    print("removed and installed again: it serves; stopped and disabled: it stays so")


def removed(machine):
    machine.run("dpkg", "--remove", "icecast-balancer")
    assert machine.run("systemctl", "is-active", SERVICE, SOCKET, check=False).stdout.split() == ["inactive", "inactive"]
    assert not machine.file("/usr/bin/icecast-balancer").exists() and machine.file(CONFIG).exists()
    assert machine.file("/var/lib/private/icecast-balancer").exists()
    machine.run("dpkg", "--purge", "icecast-balancer")
    left = machine.run("find", "/etc", "/usr", "/var/lib", "-name", "*icecast-balancer*").stdout.split()
    left = [path for path in left if "/credstore/" not in path]
    assert not left, left
    print("removed: stopped, configuration and state kept; purged: nothing left")


def story(machine, folder, package):
    for deb in (package, next_version(package, folder)):
        machine.file(f"/root/{deb.name}").write_bytes(deb.read_bytes())
    installed(machine, package)
    configured(machine)
    started(machine)
    listener = Listener(machine, folder)
    try:
        listener.hears_more()
        reloaded(machine, listener)
        upgraded(machine, folder / "next.deb", listener)
        stopped(machine, listener)
    finally:
        listener.end()
    behind_its_socket(machine)
    upgraded_while_nobody_listens(machine)
    renewed_by_needrestart(machine)
    killed_after_an_upgrade(machine, folder)
    back_again(machine, package)
    removed(machine)


def main():
    if os.geteuid() != 0:
        print("PACKAGE TEST SKIPPED: it needs root", file=sys.stderr)
        return
    named = [pathlib.Path(word).resolve() for word in sys.argv[1:]]
    package = (named or sorted((HERE.parent / "target/package").glob("*.deb")))[-1]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        run(HERE / "fresh_root.sh", folder / "root", "systemd", "systemd-sysv", "dbus")
        machine = Machine(folder / "root")
        radio = None
        try:
            radio = Radio(machine, folder)
            story(machine, folder, package)
        except BaseException:
            print(machine.journal()[-6000:], file=sys.stderr)
            raise
        finally:
            if radio:
                radio.end()
            machine.end()


if __name__ == "__main__":
    main()
