//! Upgrade: a new process takes over while listeners listen and ask; a bad one does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use crate::harness::{
    Balancer, ConfigText, Ended, Fleet, Pounding, eventually, go_on_unbroken, seconds, settled,
    signal,
};

const MOUNT: &str = "/live.mp3";

/// Puts another file in the place of the program's, as a package does.
pub fn replace(binary: &Path, with: &[u8]) {
    let new = binary.with_extension("new");
    fs::write(&new, with).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&new, binary).unwrap();
}

/// From its next start on the program does these lines of a shell's first.
pub fn begin_with(balancer: &Balancer, lines: &str) {
    let real = balancer.binary().with_extension("real");
    fs::copy(balancer.binary(), &real).unwrap();
    let script = format!("#!/bin/sh\n{lines}\nexec {} \"$@\"\n", real.display());
    replace(&balancer.binary(), script.as_bytes());
}

pub fn pid(balancer: &Balancer) -> u64 {
    let status = balancer.ask_as_operator("/status").json();
    status["pid"].as_u64().unwrap()
}

pub fn outcome(balancer: &Balancer) -> (String, String) {
    let status = balancer.ask_as_operator("/status").json();
    let word = |key: &str| {
        status["upgrade"][key]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (word("outcome"), word("reason"))
}

pub(crate) fn metric(balancer: &Balancer, line: &str) -> bool {
    let metrics = balancer.ask_as_operator("/metrics").text();
    metrics.contains(&format!("icecast_balancer_{line}\n"))
}

#[test]
fn a_new_process_takes_over_and_nobody_notices() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let config = ConfigText::proxied(&fleet);
    let balancer = Balancer::with_config(&config);
    let radios = balancer.radios(6, MOUNT);
    settled(&radios);
    let pounding = Pounding::of(balancer.address(), "/status");
    let old = pid(&balancer);

    balancer.process().signal("USR2");
    eventually(seconds(30), "a new process answers", || {
        pid(&balancer) != old
    });
    let later = balancer.radios(2, MOUNT);
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    go_on_unbroken(&later, fleet.source(MOUNT), 1);

    let beaten = pounding.finish();
    assert!(beaten.answered > 200, "{beaten:?}");
    assert_eq!(beaten.failed, 0, "{beaten:?}");
    assert_eq!(outcome(&balancer).0, "done");
    assert!(metric(&balancer, "last_upgrade_success 1"));
    // The counts are the new one's alone.
    let streams: u64 = fleet
        .relays()
        .iter()
        .map(|relay| balancer.admin_status().of(relay).streams())
        .sum();
    assert_eq!(streams, 2);
    assert!(
        balancer.process().ended().is_none(),
        "the old one carries on"
    );
    drop(radios);
    let last = Instant::now();
    eventually(seconds(3), "the old one ends", || {
        balancer.process().ended().is_some()
    });
    assert!(last.elapsed() < seconds(1), "{:?}", last.elapsed());
    assert_eq!(balancer.process().ended().unwrap().code(), Some(0));
    go_on_unbroken(&later, fleet.source(MOUNT), 1);
    assert_eq!(balancer.tune_in("/status").status, 200);
}

/// A service manager stops a service by telling each of its processes.
#[test]
fn at_a_stop_the_old_one_s_listeners_have_their_time_too() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(2, MOUNT);
    settled(&radios);
    let old = pid(&balancer);
    balancer.process().signal("USR2");
    eventually(seconds(30), "a new process answers", || {
        pid(&balancer) != old
    });

    balancer.process().signal("TERM");
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    balancer.process().signal("INT");

    eventually(seconds(3), "the old one ends", || {
        balancer.process().ended().is_some()
    });
    let told = balancer.log().matches("left: the balancer stopped").count();
    assert_eq!(told, 2, "{}", balancer.said());
    assert_eq!(balancer.tune_in("/status").status, 200);
}

#[test]
fn one_command_does_it_and_says_what_came_of_it() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::of(&fleet));
    let old = pid(&balancer);
    let upgrade = || {
        let file = balancer.config_file();
        Ended::of(&["upgrade", "--config", file.to_str().unwrap()])
    };

    let good = upgrade();
    assert_eq!(good.code, Some(0), "{}", good.said());
    let new = pid(&balancer);
    assert_ne!(new, old);
    let told = format!("process {new} has taken over from {old}, version ");
    assert!(good.output.contains(&told), "{}", good.output);

    replace(&balancer.binary(), b"#!/bin/sh\nexit 5\n");
    for _ in 0..2 {
        let bad = upgrade();
        assert_eq!(bad.code, Some(1), "{}", bad.said());
        let why = bad.errors.trim();
        assert_eq!(why.lines().count(), 1, "{why}");
        assert!(
            why.contains("exit status: 5") && why.contains("goes on"),
            "{why}"
        );
    }
    assert_eq!(pid(&balancer), new);
}

#[test]
fn again_and_again() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::of(&fleet));
    let pounding = Pounding::of(balancer.address(), MOUNT);
    let mut now = balancer.process().id();
    for _ in 0..3 {
        signal("USR2", now);
        eventually(seconds(30), "a new process answers", || {
            pid(&balancer) != u64::from(now)
        });
        let old = now;
        now = pid(&balancer).try_into().unwrap();
        eventually(seconds(7), "the old one is gone", || {
            let state = fs::read_to_string(format!("/proc/{old}/stat"));
            state.is_err() || old == balancer.process().id() && balancer.process().ended().is_some()
        });
    }
    let beaten = pounding.finish();
    assert!(beaten.answered > 100, "{beaten:?}");
    assert_eq!(beaten.failed, 0, "{beaten:?}");
}

#[test]
fn told_before_the_first_polls_are_over_it_upgrades_when_they_are() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = ConfigText::of(&fleet).and_relay_at(silent.local_addr().unwrap());
    let config = config.polled("interval = \"2s\"\ntimeout = \"2s\"");
    let balancer = Balancer::starting_with(&config);
    let old = pid(&balancer);

    balancer.process().signal("USR2");

    eventually(seconds(30), "a new process answers", || {
        pid(&balancer) != old
    });
}

#[test]
fn a_new_configuration_is_the_new_ones() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::of(&fleet));
    let folder = balancer.binary().parent().unwrap().to_owned();
    let file = fs::read_to_string(balancer.config_file()).unwrap();
    let path = folder.join("live.sock");
    let bind = format!("[[bind]]\naddress = \"unix:{}\"\n", path.display());
    fs::write(balancer.config_file(), format!("{file}\n{bind}")).unwrap();
    let old = pid(&balancer);

    balancer.process().signal("USR2");
    eventually(seconds(30), "a new process answers", || {
        pid(&balancer) != old
    });
    let ask = || std::os::unix::net::UnixStream::connect(&path);
    assert!(ask().is_ok(), "{}", balancer.said());
    let second = pid(&balancer);
    eventually(seconds(7), "the first is gone", || {
        balancer.process().ended().is_some()
    });
    let signal = |id: u64, name: &str| {
        let script = format!("kill -s {name} {id}");
        assert!(
            std::process::Command::new("sh")
                .arg("-c")
                .arg(script)
                .status()
                .unwrap()
                .success()
        );
    };
    signal(second, "USR2");
    eventually(seconds(10), "a third answers", || pid(&balancer) != second);
    eventually(seconds(7), "the second is gone", || {
        !Path::new(&format!("/proc/{second}")).exists()
    });
    assert!(ask().is_ok(), "the old one took nothing with it");
    let broken = format!("{file}\nnonsense = 1\n");
    fs::write(balancer.config_file(), broken).unwrap();
    let third = pid(&balancer);
    signal(third, "USR2");
    eventually(seconds(5), "a broken one is refused", || {
        outcome(&balancer).1.contains("exit status: 64")
    });
    assert!(balancer.log().contains("nonsense"));

    signal(third, "INT");
    eventually(seconds(3), "the last one takes the path away", || {
        !path.exists()
    });
}
