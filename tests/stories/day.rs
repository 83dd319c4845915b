//! A day in the life of the process, with 200 people listening: start, reload, a bad reload, upgrade, a bad upgrade, a relay's
//! death, stop.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use crate::harness::{
    Balancer, ConfigText, Ended, Fleet, Pounding, Relay, eventually, go_on_unbroken, seconds,
    settled,
};

const MOUNT: &str = "/live.mp3";

fn command(balancer: &Balancer, words: &[&str]) -> Ended {
    let file = balancer.config_file();
    let config = ["--config", file.to_str().unwrap()];
    Ended::of(&[words, &config].concat())
}

/// Waits until so many in all are known to be gone: whoever hangs up may only have stopped speaking, until something is sent to
/// him.
#[track_caller]
fn noticed(balancer: &Balancer, listeners: usize) -> Instant {
    eventually(seconds(5), "each is known to be gone", || {
        let log = balancer.log();
        let lines = log.lines().filter(|line| line.contains("left: hung up"));
        lines.count() == listeners
    });
    Instant::now()
}

#[test]
fn nobody_hears_any_of_it() {
    let roomy = || Relay::of_everything().with_clients_limit(400);
    let fleet = Fleet::made_of([roomy(), roomy()]).carrying(MOUNT);
    let config = ConfigText::proxied(&fleet).with_section("[stop]\ndrain_delay = \"1s\"");
    let balancer = Balancer::with_config(&config);
    let early = balancer.radios(100, MOUNT);
    settled(&early);
    let pounding = Pounding::of(balancer.address(), "/status");

    let other = config.clone().with_relay(1, "weight = 50");
    balancer.reload(&other);
    balancer.rewrite(&other.with_section("[limitz]\nconnections = 10"));
    balancer.reload_in_vain();
    balancer.reload(&config);

    let began = Instant::now();
    let upgraded = command(&balancer, &["upgrade"]);
    assert_eq!(upgraded.code, Some(0), "{}", upgraded.said());
    eprintln!("upgraded within {:?}", began.elapsed());
    let late = balancer.radios(100, MOUNT);
    settled(&late);

    let lamp = balancer.binary().with_extension("bad");
    fs::write(&lamp, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&lamp, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&lamp, balancer.binary()).unwrap();
    assert_eq!(command(&balancer, &["upgrade"]).code, Some(1));

    // Those of the old process are on its hands: it carries them from relay to relay as before.
    fleet.relay(1).kill();
    go_on_unbroken(&early, fleet.source(MOUNT), 3);
    go_on_unbroken(&late, fleet.source(MOUNT), 1);
    let beaten = pounding.finish();
    assert!(beaten.answered > 500, "{}", beaten.answered);
    assert_eq!(beaten.failed, 0, "{:?}", beaten.faults);

    drop(early);
    let left = noticed(&balancer, 100);
    eventually(seconds(3), "the old process is gone", || {
        balancer.process().ended().is_some()
    });
    eprintln!(
        "the old one gone {:?} after its last listener",
        left.elapsed()
    );
    assert!(left.elapsed() < seconds(1), "{:?}", left.elapsed());

    let status = balancer.ask_as_operator("/status").json();
    let id = status["pid"].as_u64().unwrap();
    let told = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("kill -s TERM {id}"))
        .status();
    assert!(told.unwrap().success());
    eventually(seconds(3), "nobody is let in", || {
        std::net::TcpStream::connect(balancer.address()).is_err()
    });
    go_on_unbroken(&late, fleet.source(MOUNT), 2);
    drop(late);
    let left = noticed(&balancer, 200);
    eventually(seconds(3), "all is over", || {
        std::net::TcpStream::connect(balancer.admin()).is_err()
    });
    eprintln!("all over {:?} after the last listener", left.elapsed());
    assert!(left.elapsed() < seconds(1), "{:?}", left.elapsed());
}
