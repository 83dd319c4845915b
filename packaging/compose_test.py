#!/usr/bin/env python3
"""What `docker compose up` would do, where no Docker engine is: every service of conf/compose.yaml with its own command, files,
variables and user, each in a network namespace of its own with the others' names, the balancer in a root that has only what its
image has, read-only, without capabilities. Then somebody listens, and a relay is killed. Needs root.

    packaging/compose_test.py [PROGRAM]        default: target/debug/icecast-balancer
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CONF = HERE.parent / "conf"
NETWORK = "10.123.77"
BRIDGE = "balancer-compose"
OUTSIDE = f"{BRIDGE}-outside"
NOBODY = 65534


def run(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, text=True, capture_output=True, **more).stdout


def services():
    """The services as docker-compose understands the file, which checks it against the schema."""
    text = run("docker-compose", "-f", CONF / "compose.yaml", "config")
    # The system's Python has what docker-compose reads YAML with.
    reader = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
    return json.loads(run("/usr/bin/python3", "-c", reader, input=text))["services"]


class Network:
    """A bridge in a namespace of its own; every service, and the listener outside, has an end of it."""

    def __init__(self, names):
        self.addresses = {name: f"{NETWORK}.{number}" for number, name in enumerate(names, start=2)}
        self.made = []

    def __enter__(self):
        self.add(OUTSIDE)
        self.inside(OUTSIDE, "ip", "link", "add", "br0", "type", "bridge")
        self.inside(OUTSIDE, "ip", "address", "add", f"{NETWORK}.1/24", "dev", "br0")
        self.inside(OUTSIDE, "ip", "link", "set", "br0", "up")
        for number, (name, address) in enumerate(self.addresses.items()):
            space = self.space(name)
            self.add(space)
            self.inside(OUTSIDE, "ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
            self.inside(OUTSIDE, "ip", "link", "set", f"v{number}", "master", "br0", "up")
            self.inside(space, "ip", "address", "add", f"{address}/24", "dev", "eth0")
            self.inside(space, "ip", "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_):
        for space in reversed(self.made):
            subprocess.run(["ip", "netns", "delete", space], check=False)

    def add(self, space):
        run("ip", "netns", "add", space)
        self.made.append(space)
        self.inside(space, "ip", "link", "set", "lo", "up")

    @staticmethod
    def space(name):
        return f"{BRIDGE}-{name}"

    @staticmethod
    def inside(space, *words):
        return run("ip", "netns", "exec", space, *words)

    def hosts(self):
        return "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in self.addresses.items())


class Services:
    """The processes, each with its log; a service whose policy is restart is started again when it ends."""

    def __init__(self, folder, network, program):
        self.folder, self.network, self.program = folder, network, program
        self.processes = {}
        (folder / "hosts").write_text(network.hosts())
        run(HERE / "image-root.sh", folder / "image", program)
        (folder / "image/etc/hosts").touch()

    def sandbox(self, name, service):
        """Where it runs: the balancer in its image, the others in this machine's root with the files that are mounted."""
        words = ["ip", "netns", "exec", self.network.space(name), "bwrap", "--unshare-user", "--unshare-ipc", "--unshare-pid",
                 "--unshare-uts", "--die-with-parent", "--cap-drop", "ALL", "--clearenv"]
        if name == "balancer":
            assert service["read_only"] and service["cap_drop"] == ["ALL"]
            words += ["--uid", "65532", "--gid", "65532", "--ro-bind", self.folder / "image", "/"]
            command = ["/usr/local/bin/icecast-balancer"]
        else:
            words += ["--uid", str(NOBODY), "--gid", str(NOBODY), "--ro-bind", "/", "/", "--tmpfs", "/tmp"]
            words += ["--setenv", "PATH", os.environ["PATH"]]
            command = service["command"]
        words += ["--proc", "/proc", "--dev", "/dev", "--ro-bind", self.folder / "hosts", "/etc/hosts"]
        for volume in service.get("volumes", []):
            source, target, _ = volume.split(":")
            words += ["--ro-bind", source, target]
        for key, value in service.get("environment", {}).items():
            words += ["--setenv", key, value]
        return words, command

    def start(self, name, service):
        words, command = self.sandbox(name, service)
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen([str(word) for word in words + command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
        self.processes[name] = process

    def keep_up(self, services):
        for name, process in list(self.processes.items()):
            if process.poll() is not None:
                self.start(name, services[name])

    def end(self, name):
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def healthy(self, services):
        words, command = self.sandbox("balancer", services["balancer"])
        # Docker runs it beside the program: in the same namespaces.
        return subprocess.run([str(word) for word in words + command + ["healthcheck"]], check=False, text=True, capture_output=True)


def eventually(seconds, what, holds):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def story(folder, network, running, services):
    for name, service in services.items():
        running.start(name, service)

    def up():
        running.keep_up(services)
        return running.healthy(services).returncode == 0
    eventually(20, "the balancer is healthy", up)

    url = f"http://{network.addresses['balancer']}:8080"
    ask = lambda path: Network.inside(OUTSIDE, "curl", "-s", "--max-time", "2", url + path)

    def fed():
        running.keep_up(services)
        head = subprocess.run(["ip", "netns", "exec", OUTSIDE, "curl", "-sI", url + "/live.mp3"], text=True, capture_output=True, check=False)
        return " 200 " in head.stdout.split("\n")[0] and len(json.loads(ask("/status") or "{}")) == 2
    eventually(40, "both relays carry /live.mp3", fed)
    print("up: healthy, both relays in /status, /live.mp3 is there")

    heard = folder / "heard.mp3"
    listener = subprocess.Popen(["ip", "netns", "exec", OUTSIDE, "curl", "-s", "--max-time", "60", "-o", heard, url + "/live.mp3"])
    size = lambda: heard.stat().st_size if heard.exists() else 0
    try:
        eventually(15, "the listener hears", lambda: size() > 100_000)
        for victim in ["relay1", "relay2"]:
            before = size()
            running.end(victim)
            eventually(15, f"he goes on without {victim}", lambda: size() > before + 100_000)
            running.start(victim, services[victim])
            eventually(30, f"{victim} is back", lambda: len(json.loads(ask("/status"))) == 2 and " 200 " in
                       Network.inside(OUTSIDE, "curl", "-sI", url + "/live.mp3").split("\n")[0])
            print(f"{victim} was killed and came back: the listener heard {(size() - before) // 1000} KB meanwhile")
        assert listener.poll() is None, "the listener was cut off"
    finally:
        listener.kill()
        listener.wait()
    check = subprocess.run(["ffmpeg", "-v", "error", "-i", heard, "-f", "null", "-"], capture_output=True, text=True, check=False)
    assert check.returncode == 0 and not check.stderr.strip(), check.stderr
    print(f"{size() // 1000} KB, which ffmpeg decodes without a complaint")


def main():
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "target/debug/icecast-balancer").resolve()
    if os.geteuid() != 0:
        print("COMPOSE TEST SKIPPED: it needs root", file=sys.stderr)
        return
    found = services()
    with tempfile.TemporaryDirectory() as folder, Network(found) as network:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        running = Services(folder, network, program)
        try:
            story(folder, network, running, found)
        except BaseException:
            for log in sorted(folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}", file=sys.stderr)
            raise
        finally:
            for name in list(running.processes):
                running.end(name)


if __name__ == "__main__":
    main()
