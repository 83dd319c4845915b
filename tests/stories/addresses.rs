//! Addresses: a relay whose name has several, of which some are dead.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{
    Balancer, ConfigText, Fleet, Folder, Wire, eventually, go_on_unbroken, open_port, seconds,
    settled, skipped,
};

const MOUNT: &str = "/live.mp3";

/// A balancer for which `twin` has these addresses, in their order; the machine's own table of hosts stays as it is.
struct Resolving {
    balancer: Balancer,
    _hosts: Folder,
}

/// Whether a program can have a table of hosts of its own here; says so when the story is skipped.
fn can_have_own_hosts() -> bool {
    let mut unshare = Command::new("unshare");
    let tried = unshare
        .args(["--map-root-user", "--mount", "true"])
        .status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        skipped("addresses: no mount namespace can be made here (unshare --map-root-user --mount)");
    }
    can
}

impl Resolving {
    fn twin_to(addresses: &[IpAddr], config: &ConfigText) -> Self {
        let hosts = Folder::new("hosts");
        let lines: Vec<_> = addresses.iter().map(|ip| format!("{ip} twin\n")).collect();
        let file = hosts.write("hosts", &lines.concat());
        let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
        let balancer = Balancer::arranged(config, public, |command| {
            let mut inside = Command::new("unshare");
            inside.args(["--map-root-user", "--mount", "sh", "-c"]);
            inside.arg("mount --bind \"$0\" /etc/hosts && exec \"$@\"");
            inside.arg(&file).arg(command.get_program());
            inside.args(command.get_args());
            *command = inside;
        });
        eventually(seconds(10), "it is ready", || {
            balancer.ask_as_operator("/ready").status == 200
        });
        Self {
            balancer,
            _hosts: hosts,
        }
    }

    /// What `/status` says of the only relay.
    fn relay(&self) -> Value {
        let status = self.balancer.ask_as_operator("/status").json();
        status["relays"][0].clone()
    }

    /// Whether each address answered last.
    fn oks(&self) -> Value {
        let relay = self.relay();
        let addresses = relay["addresses"].as_array().unwrap();
        addresses.iter().map(|it| it["ok"].clone()).collect()
    }
}

#[test]
fn relay_with_a_dead_address_serves_by_the_other() {
    if !can_have_own_hosts() {
        return;
    }
    let fleet = Fleet::of(1).carrying(MOUNT);
    let relay = fleet.relay(1).address();
    // Nothing listens there, and the resolver (RFC 6724) puts it first: it is the nearest to 127.0.0.1.
    let dead = "127.0.0.254".parse().unwrap();
    let config = ConfigText::of_none().with("mode = \"proxy\"");
    let config = config.and_relay_named("twin", relay.port());
    let resolving = Resolving::twin_to(&[dead, relay.ip()], &config);

    assert_eq!(resolving.relay()["health"], "up");
    let radios = resolving.balancer.radios(5, MOUNT);
    settled(&radios);
    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
    assert_eq!(resolving.oks(), json!([false, true]));
    let line = resolving.balancer.log_line_with("address failed");
    assert!(line.unwrap().contains("host=twin address=127.0.0.254"));
}

#[test]
fn listener_goes_on_by_the_other_address_when_its_own_dies() {
    if !can_have_own_hosts() {
        return;
    }
    let fleet = Fleet::of(1).carrying(MOUNT);
    let first = Wire::to(fleet.relay(1).address());
    let second = first.beside();
    let config = ConfigText::of_none().with("mode = \"proxy\"");
    let config = config.and_relay_named("twin", first.address().port());
    let addresses = [first.address().ip(), second.address().ip()];
    let resolving = Resolving::twin_to(&addresses, &config);
    let radios = resolving.balancer.radios(5, MOUNT);
    settled(&radios);

    drop(first);

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    assert_eq!(resolving.balancer.seams("exact"), 5);
    eventually(seconds(5), "the polls go on by the other too", || {
        resolving.oks() == json!([false, true]) && resolving.relay()["reason"].is_null()
    });
}
