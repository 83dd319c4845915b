//! Upgrades that come to nothing: a successor that is no good, a process that ends in the middle. Whoever serves goes on.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::harness::{
    Balancer, ConfigText, Ended, Fleet, Impostor, Pounding, eventually, go_on_unbroken, seconds,
    settled,
};

use crate::upgrade::{begin_with, metric, outcome, pid, replace};

const MOUNT: &str = "/live.mp3";

#[test]
fn the_command_signals_nobody_else() {
    let elsewhere = Ended::of(&["upgrade", "--admin", "192.0.2.1:8081"]);
    assert_eq!(elsewhere.code, Some(1));
    assert!(
        elsewhere.errors.contains("not on this machine"),
        "{}",
        elsewhere.errors
    );

    let bystander = std::process::Command::new("sleep").arg("60").spawn();
    let mut bystander = bystander.unwrap();
    let json = format!(
        r#"{{"ready":true,"version":"1","pid":{},"phase":"serving","upgrade":null,"relays":[]}}"#,
        bystander.id()
    );
    let impostor = Impostor::saying(&json);
    let other = Ended::of(&["upgrade", "--admin", &impostor.address().to_string()]);
    assert_eq!(other.code, Some(1));
    assert!(other.errors.contains("in a container"), "{}", other.errors);
    assert!(bystander.try_wait().unwrap().is_none(), "he lives");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn a_bad_one_does_not_and_the_old_one_goes_on() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);
    let pounding = Pounding::of(balancer.address(), "/status");
    let old = pid(&balancer);
    let bad: [(&[u8], &str); 4] = [
        (
            b"#!/bin/sh
echo cannot find my lamp >&2
exit 3
",
            "(exit status: 3)",
        ),
        (b"no program at all", "cannot be started"),
        (
            b"#!/nowhere/sh
",
            "cannot be started",
        ),
        (
            b"#!/bin/sh
kill -s SEGV $$
",
            "(signal: 11",
        ),
    ];

    for (program, why) in bad {
        replace(&balancer.binary(), program);
        balancer.process().signal("USR2");
        eventually(seconds(5), why, || {
            let (outcome, reason) = outcome(&balancer);
            outcome == "failed" && reason.contains(why)
        });
        let told = balancer.log_line_with(why);
        assert!(
            told.is_some_and(|line| line.contains("no upgrade")),
            "{}",
            balancer.said()
        );
    }

    assert!(balancer.log().contains("cannot find my lamp"));
    assert!(metric(&balancer, "last_upgrade_success 0"));
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    let beaten = pounding.finish();
    assert_eq!(beaten.failed, 0, "{beaten:?}");
    assert_eq!(
        (pid(&balancer), balancer.ask_as_operator("/ready").status),
        (old, 200)
    );
}

#[test]
fn one_that_hangs_is_ended() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(2, MOUNT);
    let script = "#!/bin/sh\necho I am $$ >&2\nexec sleep 1000\n";
    replace(&balancer.binary(), script.as_bytes());

    balancer.process().signal("USR2");
    eventually(seconds(3), "it began", || {
        outcome(&balancer).0 == "under way"
    });
    eventually(seconds(35), "it is given up", || {
        outcome(&balancer).0 == "failed"
    });

    assert!(outcome(&balancer).1.contains("not ready within 30 s"));
    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
    let line = balancer.log_line_with("I am ").unwrap();
    let id = line.trim_start_matches("I am ").trim().to_owned();
    eventually(seconds(2), "it is gone", || {
        !Path::new(&format!("/proc/{id}")).exists()
    });
}

#[test]
fn when_the_old_one_dies_in_the_middle_the_new_one_goes_on_alone() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::of(&fleet));
    begin_with(&balancer, "echo coming >&2\nsleep 1");
    let pounding = Pounding::of(balancer.address(), MOUNT);
    let old = pid(&balancer);

    balancer.process().signal("USR2");
    eventually(seconds(3), "it began", || {
        balancer.log_line_with("coming").is_some()
    });
    balancer.process().kill();

    eventually(seconds(8), "the new one answers", || pid(&balancer) != old);
    let beaten = pounding.finish();
    let refused = |(_, fault): &(Instant, String)| fault.contains("ConnectionRefused");
    assert!(!beaten.faults.iter().any(refused), "{:?}", beaten.faults);
    assert!(beaten.failed <= 4, "those who were let in: {beaten:?}");
    assert_eq!(balancer.tune_in(MOUNT).status, 307);
    let parent = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid(&balancer))).unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        rest.split(' ').nth(1).unwrap().to_owned()
    };
    eventually(seconds(3), "nobody stays between", || {
        let program = fs::read_link(format!("/proc/{}/exe", parent()));
        program.map_or(true, |program| {
            !program.starts_with(balancer.binary().parent().unwrap())
        })
    });
}

#[test]
fn told_to_stop_in_the_middle_it_stops() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = ConfigText::of(&fleet).with_section("[stop]\ndrain_delay = \"0s\"");
    let balancer = Balancer::with_config(&config);
    replace(&balancer.binary(), b"#!/bin/sh\nexec sleep 1000\n");

    balancer.process().signal("USR2");
    eventually(seconds(3), "it began", || {
        outcome(&balancer).0 == "under way"
    });
    balancer.process().signal("TERM");

    eventually(seconds(2), "it ends", || {
        balancer.process().ended().is_some()
    });
}
