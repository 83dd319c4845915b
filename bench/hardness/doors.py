"""The servers whose hardness is asked for: one worker each, redirecting everybody, a head's deadline of 10 s, room for all."""
import pathlib

from servers import Balancer, haproxy, nginx

TEMPLATES = pathlib.Path(__file__).parents[1] / "tls"
NAMES = {"balancer": "icecast-balancer", "haproxy": "HAProxy", "nginx": "nginx"}

def door(name, flags, folder, relay, pair, room):
    match name:
        case "balancer":
            # Its own limit goes by the descriptors, of which a carried listener takes two.
            limits = "" if "[limits]" in flags.balancer_config else f"[limits]\nconnections = {room}\n"
            return Balancer(flags.balancer, folder, [relay], flags.balancer_config + limits, pair, "redirect")
        case "haproxy":
            return haproxy(folder, [relay], room, pair, TEMPLATES / "haproxy.cfg")
        case "nginx":
            return nginx(folder, [relay], room, pair=pair, template=TEMPLATES / "nginx.conf")
