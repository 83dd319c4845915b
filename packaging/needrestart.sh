#!/bin/sh
# needrestart calls this instead of systemctl restart, when a library or a certificate store was replaced under the service: a restart
# would let nobody in until the last stream has ended.
exec icecast-balancer upgrade --config /etc/icecast-balancer/icecast-balancer.toml
