"""The servers that are compared, each with one worker in front of the same relays."""
import json, os, pathlib, socket, subprocess, sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "swarm"))
from stage import MOUNT, Process, eventually, own_address, page

BALANCER = """mode = "proxy"
threads = 1
[[bind]]
address = "{address}"
[admin]
bind = "{admin}"
[poll]
interval = "2s"
timeout = "1s"
"""

class Server(Process):
    """A proxy at work; `url` is where the mount is heard."""

    def __init__(self, command, folder, address):
        self.address = address
        self.url = f"http://{address[0]}:{address[1]}{MOUNT}"
        super().__init__(command, folder)

    def wait(self):
        eventually(f"{self.name} is ready", 20, self.is_ready)
        return self

    def is_ready(self):
        self.check()
        with socket.socket() as probe:
            return probe.connect_ex(self.address) == 0

class Balancer(Server):
    def __init__(self, binary, folder, relays, extra=""):
        address, admin = own_address(), own_address()
        self.admin = f"http://{admin[0]}:{admin[1]}"
        text = BALANCER.format(address="%s:%d" % address, admin="%s:%d" % admin) + extra
        text += "".join(f'[[relay]]\nname = "{relay.label}"\nurl = "{relay.url}"\n' for relay in relays)
        (folder / "balancer.toml").write_text(text)
        super().__init__([binary, "run", "--config", folder / "balancer.toml"], folder, address)

    def is_ready(self):
        self.check()
        status = page(self.admin + "/status")
        return status and all(relay["health"] == "up" for relay in json.loads(status)["relays"])

def filled(name, **places):
    text = (HERE / name).read_text()
    for place, value in places.items():
        text = text.replace(f"@{place}@", str(value))
    return text

def haproxy(folder, relays, maxconn):
    address = own_address()
    lines = "\n".join(f"    server {relay.label} {relay.ip}:{relay.port}" for relay in relays)
    text = filled("haproxy.cfg", ADDRESS="%s:%d" % address, RELAYS=lines, MAXCONN=maxconn)
    (folder / "haproxy.cfg").write_text(text)
    return Server(["haproxy", "-db", "-f", folder / "haproxy.cfg"], folder, address)

def nginx(folder, relays, maxconn, buffering):
    address = own_address()
    lines = "\n".join(f"        server {relay.ip}:{relay.port};" for relay in relays)
    user = "user nobody nogroup;" if os.getuid() == 0 else ""
    text = filled("nginx.conf", ADDRESS="%s:%d" % address, RELAYS=lines, MAXCONN=2 * maxconn, BUFFERING=buffering, FOLDER=folder, USER=user)
    (folder / "nginx.conf").write_text(text)
    return Server(["nginx", "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"], folder, address)

def first_line(*command):
    out = subprocess.run(command, capture_output=True, text=True)
    return (out.stdout + out.stderr).splitlines()[0]

def versions(balancer):
    return {
        "icecast-balancer": first_line(balancer, "--version") if balancer else None,
        "haproxy": first_line("haproxy", "-v"),
        "nginx": first_line("nginx", "-v"),
        "icecast2": first_line("icecast2", "-v"),
        "kernel": os.uname().release,
        "processors": os.cpu_count(),
    }
