//! Handing over: what an operator, a listener and a service manager meet in the moments between two processes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use crate::harness::{
    Answer, Balancer, ConfigText, Ended, Fleet, Folder, Guarded, NotifySocket, Question, TOKEN,
    eventually, go_on_unbroken, own_address, seconds, settled, signal,
};
use crate::upgrade::{begin_with, outcome, pid, replace};

const MOUNT: &str = "/live.mp3";

/// A balancer whose operator is known, and who keeps what he sets there.
fn remembering(fleet: &Fleet, folder: &Folder) -> Guarded {
    let file = folder.path().join("relays.json");
    let key = format!("state_file = \"{}\"", file.display());
    Guarded::with_config(ConfigText::proxied(fleet).with_admin(&key))
}

/// Has a new process take over.
pub fn upgrade(balancer: &Balancer) {
    let old = pid(balancer);
    balancer.process().signal("USR2");
    eventually(seconds(30), "a new process answers", || {
        Question::get("/live").ask(balancer.admin()).is_ok() && pid(balancer) != old
    });
}

fn drain(relay: &str) -> String {
    format!(
        "POST /relays/{relay}/drain HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    )
}

#[test]
fn an_operator_who_keeps_his_connection_is_not_left_with_the_old_process() {
    let (fleet, folder) = (Fleet::of(1).carrying(MOUNT), Folder::new("states"));
    let guarded = remembering(&fleet, &folder);
    let balancer = &guarded.balancer;
    let radios = balancer.radios(1, MOUNT);
    settled(&radios);
    let mut kept = TcpStream::connect(balancer.admin()).unwrap();
    kept.set_read_timeout(Some(seconds(5))).unwrap();
    kept.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let answer = Answer::read_head(&mut kept).unwrap();
    assert_eq!(answer.header("connection"), Some("keep-alive"));
    let length = answer.header("content-length").unwrap().parse().unwrap();
    kept.read_exact(&mut vec![0; length]).unwrap();

    upgrade(balancer);

    let closed = kept.read(&mut [0]);
    assert_eq!(closed.unwrap(), 0, "he asks on another connection");
    assert!(balancer.process().ended().is_none(), "{}", balancer.said());
    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
}

#[test]
fn one_who_has_handed_over_takes_no_orders() {
    let (fleet, folder) = (Fleet::of(1).carrying(MOUNT), Folder::new("states"));
    let guarded = remembering(&fleet, &folder);
    let balancer = &guarded.balancer;
    let radios = balancer.radios(1, MOUNT);
    settled(&radios);
    let relay = fleet.relay(1).name();
    // He was let in by the old process, and says what he wants when that has handed over.
    let mut early = TcpStream::connect(balancer.admin()).unwrap();
    early.set_read_timeout(Some(seconds(5))).unwrap();
    // Who comes later is answered: so he is in.
    assert_eq!(balancer.ask_as_operator("/live").status, 200);

    upgrade(balancer);
    early.write_all(drain(&relay).as_bytes()).unwrap();

    let answer = Answer::read_head(&mut early).unwrap();
    assert_eq!(answer.status, 503, "{}", answer.status_line);
    let state = balancer.admin_status().of(fleet.relay(1)).admin_state();
    assert_eq!(state, "ready");
    let kept = fs::read_to_string(folder.path().join("relays.json"));
    assert!(!kept.is_ok_and(|kept| kept.contains(&relay)));
    guarded.order("drain", fleet.relay(1));
}

/// Has a new process started, and puts the old one to sleep: the moment in which both let in lasts until that wakes up.
fn new_one_while_the_old_one_sleeps(balancer: &Balancer) -> u32 {
    let asleep = balancer.binary().with_extension("asleep");
    let wait = format!("until test -e {}; do sleep 0.05; done", asleep.display());
    begin_with(balancer, &format!("echo I am $$ >&2\n{wait}"));
    balancer.process().signal("USR2");
    eventually(seconds(5), "a new one is started", || {
        balancer.log_line_with("I am ").is_some()
    });
    let line = balancer.log_line_with("I am ").unwrap();
    let new: u32 = line.trim_start_matches("I am ").trim().parse().unwrap();
    balancer.process().signal("STOP");
    fs::write(asleep, "").unwrap();
    eventually(seconds(10), "the new one lets in", || {
        balancer.count("taking over from process") == 1
    });
    new
}

#[test]
fn told_to_stop_as_it_takes_over_the_new_one_cuts_nobody_off() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let new = new_one_while_the_old_one_sleeps(&balancer);
    let radios = balancer.radios(2, MOUNT);
    settled(&radios);

    signal("TERM", new);
    eventually(seconds(5), "the new one has heard", || {
        balancer.count("SIGTERM: stopping") == 1
    });
    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
    balancer.process().signal("CONT");
    eventually(seconds(10), "it stops as ever", || {
        balancer.count("2 listeners left") == 1
    });
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);

    signal("INT", new);
    eventually(seconds(5), "each has his line", || {
        balancer.count("left: the balancer stopped") == 2
    });
}

#[test]
fn an_admin_address_that_moves_is_followed() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::of(&fleet));
    let (old, to) = (pid(&balancer), own_address().to_string());
    let text = fs::read_to_string(balancer.config_file()).unwrap();
    let from = balancer.admin().to_string();
    assert_eq!(text.matches(&from).count(), 1);
    fs::write(balancer.config_file(), text.replace(&from, &to)).unwrap();
    let file = balancer.config_file();
    let config = ["--config", file.to_str().unwrap()];

    let asked = Ended::of(&[&["upgrade"][..], &config].concat());
    assert_eq!(asked.code, Some(1), "{}", asked.said());
    assert!(asked.errors.contains("--admin"), "{}", asked.errors);
    let began = std::time::Instant::now();
    let done = Ended::of(&[&["upgrade", "--admin", &from][..], &config].concat());

    assert_eq!(done.code, Some(0), "{}", done.said());
    let told = format!("has taken over from {old}, version ");
    assert!(done.output.contains(&told), "{}", done.output);
    assert!(began.elapsed() < seconds(20), "{:?}", began.elapsed());
    assert_eq!(
        Question::get("/ready")
            .ask(to.parse().unwrap())
            .unwrap()
            .status,
        200
    );
}

/// A service manager that sees the process end that it follows, and does not know of another one yet, stops the service.
#[test]
fn the_old_one_is_there_until_the_manager_knows_the_new_one() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let manager = NotifySocket::new();
    let balancer = Balancer::arranged(&ConfigText::of(&fleet), own_address(), |command| {
        command.env("NOTIFY_SOCKET", manager.path());
    });
    manager.hear("MAINPID=");
    let old = u64::from(balancer.process().id());

    manager.hears_nothing_more();
    balancer.process().signal("USR2");
    eventually(seconds(10), "the new one has all", || {
        balancer.count("the configuration is in force") == 1
    });
    let until = std::time::Instant::now() + seconds(1);
    while std::time::Instant::now() < until {
        assert!(balancer.process().ended().is_none(), "{}", balancer.said());
        std::thread::yield_now();
    }

    manager.heard();
    eventually(seconds(5), "the old one ends", || {
        manager.heard();
        balancer.process().ended().is_some()
    });
    let new = pid(&balancer);
    assert_ne!(new, old);
    manager.hear(&format!("MAINPID={new}"));
}

#[test]
fn one_that_dies_when_it_is_ready_takes_nothing_with_it() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(2, MOUNT);
    settled(&radios);
    let old = pid(&balancer);
    let new = new_one_while_the_old_one_sleeps(&balancer);

    signal("KILL", new);
    eventually(seconds(5), "it is gone", || {
        !Path::new(&format!("/proc/{new}")).exists()
    });
    balancer.process().signal("CONT");
    eventually(seconds(10), "the old one knows", || {
        outcome(&balancer).0 == "failed"
    });

    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
    assert_eq!(pid(&balancer), old);
    assert_eq!(balancer.tune_in("/status").status, 200);
}

#[test]
fn after_two_upgrades_the_first_one_s_listeners_have_their_time_at_a_stop() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(2, MOUNT);
    settled(&radios);
    upgrade(&balancer);
    let second: u32 = pid(&balancer).try_into().unwrap();
    signal("USR2", second);
    eventually(seconds(10), "a third one answers", || {
        Question::get("/live").ask(balancer.admin()).is_ok() && pid(&balancer) != u64::from(second)
    });
    let third = pid(&balancer).try_into().unwrap();
    eventually(seconds(10), "the second one is gone", || {
        !Path::new(&format!("/proc/{second}")).exists()
    });

    balancer.process().signal("TERM");
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    assert!(balancer.process().ended().is_none(), "{}", balancer.said());

    signal("KILL", third);
    drop(radios);
}

#[test]
fn the_command_does_not_wait_for_who_is_gone() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::of(&fleet));
    let (file, id) = (balancer.config_file(), balancer.process().id());
    replace(
        &balancer.binary(),
        b"#!/bin/sh\necho coming >&2\nexec sleep 1000\n",
    );
    let config = ["upgrade", "--config", file.to_str().unwrap()];

    // Waited for no longer than ten seconds.
    let done = std::thread::scope(|scope| {
        let asked = scope.spawn(|| Ended::of(&config));
        eventually(seconds(5), "a new one is started", || {
            balancer.count("coming") == 1
        });
        balancer.process().signal("INT");
        eventually(seconds(5), "it is gone", || {
            balancer.process().ended().is_some()
        });
        asked.join().unwrap()
    });

    assert_eq!(done.code, Some(1), "{}", done.said());
    let told = format!("process {id} is gone");
    assert!(done.errors.contains(&told), "{}", done.errors);
}
