"""The servers that are compared, each with one worker in front of the same relays."""
import json, os, pathlib, socket, subprocess, sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "swarm"))
from stage import MOUNT, Process, eventually, own_address, page

BALANCER = """mode = "{mode}"
threads = 1
[[bind]]
address = "{address}"
{tls}
[admin]
bind = "{admin}"
[poll]
interval = "2s"
timeout = "1s"
"""

class Server(Process):
    """A proxy at work, on TLS where it has a pair; `url` is where the mount is heard."""

    def __init__(self, command, folder, address, pair=None):
        self.address = address
        self.url = f"{'https' if pair else 'http'}://{address[0]}:{address[1]}{MOUNT}"
        super().__init__(command, folder)

    def wait(self):
        eventually(f"{self.name} is ready", 20, self.is_ready)
        return self

    def is_ready(self):
        self.check()
        with socket.socket() as probe:
            return probe.connect_ex(self.address) == 0

class Balancer(Server):
    def __init__(self, binary, folder, relays, extra="", pair=None, mode="proxy", bind_keys=""):
        address, admin = own_address(), own_address()
        self.admin = f"http://{admin[0]}:{admin[1]}"
        tls = f'tls = true\n{bind_keys}\n[[tls.certificate]]\ncert = "{pair.chain}"\nkey = "{pair.key}"' if pair else ""
        text = BALANCER.format(mode=mode, address="%s:%d" % address, admin="%s:%d" % admin, tls=tls) + extra
        text += "".join(f'[[relay]]\nname = "{relay.label}"\nurl = "{relay.url}"\n{public_of(relay, pair)}' for relay in relays)
        file = folder / f"balancer-{address[1]}.toml"
        file.write_text(text)
        super().__init__([binary, "run", "--config", file], folder, address, pair)

    def is_ready(self):
        self.check()
        status = page(self.admin + "/status")
        return status and all(relay["health"] == "up" for relay in json.loads(status)["relays"])

def public_of(relay, pair):
    """A listener on https is redirected to https only."""
    return f'public_url = "{relay.url.replace("http:", "https:")}"\n' if pair else ""

def filled(template, **places):
    text = template.read_text()
    for place, value in places.items():
        text = text.replace(f"@{place}@", str(value))
    return text

def haproxy(folder, relays, maxconn, pair=None, template=HERE / "haproxy.cfg"):
    address = own_address()
    lines = "\n".join(f"    server {relay.label} {relay.ip}:{relay.port}" for relay in relays)
    text = filled(template, ADDRESS="%s:%d" % address, TLS=f"ssl crt {pair.both}" if pair else "", RELAYS=lines, RELAY=relays[0].url, MAXCONN=maxconn)
    file = folder / f"haproxy-{address[1]}.cfg"
    file.write_text(text)
    return Server(["haproxy", "-db", "-f", file], folder, address, pair)

# Its default before 1.23.4 lacks 1.3.
NGINX_TLS = "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {pair.chain}; ssl_certificate_key {pair.key};"

def nginx(folder, relays, maxconn, buffering="on", pair=None, template=HERE / "nginx.conf"):
    address = own_address()
    lines = "\n".join(f"        server {relay.ip}:{relay.port};" for relay in relays)
    user = "user nobody nogroup;" if os.getuid() == 0 else ""
    text = filled(template, ADDRESS="%s:%d" % address, SSL="ssl" if pair else "", TLS=NGINX_TLS.format(pair=pair) if pair else "", RELAYS=lines,
                  RELAY=relays[0].url, MAXCONN=2 * maxconn, BUFFERING=buffering, FOLDER=folder, USER=user)
    file = folder / f"nginx-{address[1]}.conf"
    file.write_text(text)
    return Server(["nginx", "-p", folder, "-e", "stderr", "-c", file], folder, address, pair)

def first_line(*command):
    out = subprocess.run(command, capture_output=True, text=True)
    return (out.stdout + out.stderr).splitlines()[0]

def versions(balancer):
    return {
        "icecast-balancer": first_line(balancer, "--version") if balancer else None,
        "haproxy": first_line("haproxy", "-v"),
        "nginx": first_line("nginx", "-v"),
        "openssl": first_line("openssl", "version"),
        "icecast2": first_line("icecast2", "-v"),
        "kernel": os.uname().release,
        "processors": os.cpu_count(),
    }
