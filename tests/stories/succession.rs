//! Upgrade, at its edges: orders that come too early or too late, and who may be ended by what.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use crate::handing_over::upgrade;
use crate::harness::{
    Balancer, ConfigText, Fleet, Folder, Pounding, Question, Radio, eventually, go_on_unbroken,
    own_listener, seconds, settled, signal,
};
use crate::upgrade::{begin_with, outcome, pid};

const MOUNT: &str = "/live.mp3";

/// Until then signals end it.
fn signals_are_heard(id: u32) {
    const USR2: u64 = 1 << 11;
    eventually(seconds(5), "its signals are heard", || {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        u64::from_str_radix(caught.unwrap().trim(), 16).unwrap() & USR2 != 0
    });
}

#[test]
fn an_order_that_comes_before_the_first_polls_are_over_is_carried_out_then() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let silent = own_listener();
    let config = ConfigText::of(&fleet)
        .and_relay_at(silent.local_addr().unwrap())
        .polled("interval = \"3s\"\ntimeout = \"3s\"");
    let balancer = Balancer::starting_with(&config);
    let old = pid(&balancer);
    signals_are_heard(old.try_into().unwrap());

    balancer.process().signal("USR2");
    eventually(seconds(20), "a new process answers", || {
        Question::get("/live").ask(balancer.admin()).is_ok() && pid(&balancer) != old
    });
}

#[test]
fn a_bad_one_leaves_the_unix_socket_where_it_is() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let folder = Folder::new("sockets");
    let path = folder.path().join("live.sock");
    let bind = format!("[[bind]]\naddress = \"unix:{}\"\n", path.display());
    let config = ConfigText::of(&fleet).with_section(&bind);
    let balancer = Balancer::with_config(&config);
    let taken = own_listener();
    let more = format!("[[bind]]\naddress = \"{}\"\n", taken.local_addr().unwrap());
    balancer.rewrite(&config.with_section(&more));

    balancer.process().signal("USR2");
    eventually(seconds(10), "it failed", || {
        outcome(&balancer).0 == "failed"
    });

    assert!(balancer.log().contains("cannot listen on"));
    assert!(
        UnixStream::connect(&path).is_ok(),
        "the old one is reached there still"
    );
}

#[test]
fn a_new_one_that_is_told_to_stop_leaves_all_to_the_old_one() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let folder = Folder::new("sockets");
    let silent = own_listener();
    let path = folder.path().join("live.sock");
    let bind = format!("[[bind]]\naddress = \"unix:{}\"\n", path.display());
    let config = ConfigText::of(&fleet)
        .and_relay_at(silent.local_addr().unwrap())
        .polled("interval = \"3s\"\ntimeout = \"3s\"")
        .with_section(&bind);
    let balancer = Balancer::with_config(&config);
    begin_with(&balancer, "echo I am $$ >&2");

    balancer.process().signal("USR2");
    eventually(seconds(5), "the new one is on its way", || {
        balancer.log().matches("admin on http").count() == 2
    });
    let line = balancer.log_line_with("I am ").unwrap();
    let id = line.trim_start_matches("I am ").trim().parse().unwrap();
    signals_are_heard(id);
    let pounding = Pounding::of(balancer.admin(), "/live");
    signal("TERM", id);
    eventually(seconds(10), "it failed", || {
        balancer.log().contains("no upgrade")
    });
    let beaten = pounding.finish();

    assert_eq!(outcome(&balancer).0, "failed");
    assert_eq!(beaten.failed, 0, "{:?}", beaten.faults);
    assert!(
        UnixStream::connect(&path).is_ok(),
        "the old one is reached there still"
    );
}

/// A balancer that has handed over and carries a stream still, and the process that took over.
fn handed_over(fleet: &Fleet) -> (Balancer, Vec<Radio>, u32) {
    let config = ConfigText::proxied(fleet).with_section("[stop]\ndrain_delay = \"1s\"");
    let balancer = Balancer::with_config(&config);
    let radios = balancer.radios(1, MOUNT);
    settled(&radios);
    upgrade(&balancer);
    let new = pid(&balancer).try_into().unwrap();
    (balancer, radios, new)
}

#[test]
fn a_service_manager_stops_a_predecessor_twice_and_its_listeners_have_their_time() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let (balancer, radios, new) = handed_over(&fleet);

    balancer.process().signal("TERM");
    signal("TERM", new);
    eventually(seconds(5), "the new one is gone", || {
        TcpStream::connect(balancer.admin()).is_err()
    });
    balancer.process().signal("TERM");
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    assert!(balancer.process().ended().is_none(), "{}", balancer.said());

    balancer.process().signal("TERM");
    eventually(seconds(2), "it is gone now", || {
        balancer.process().ended().is_some()
    });
}

#[test]
fn a_predecessor_does_not_keep_a_service_manager_from_starting_anew() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let (balancer, _radios, new) = handed_over(&fleet);

    signal("KILL", new);
    eventually(seconds(5), "the new one is dead", || {
        TcpStream::connect(balancer.admin()).is_err()
    });
    balancer.process().signal("TERM");

    eventually(seconds(2), "the old one is gone", || {
        balancer.process().ended().is_some()
    });
}
