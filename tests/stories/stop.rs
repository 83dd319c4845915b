//! Stop: what listeners, operators and the service manager notice of it.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{
    Balancer, ConfigText, End, Fleet, NotifySocket, Question, answers_to_bytes, eventually,
    go_on_unbroken, millis, seconds, settled,
};

const MOUNT: &str = "/live.mp3";

fn stopping(fleet: &Fleet, times: &str) -> ConfigText {
    ConfigText::proxied(fleet).with_section(&format!("[stop]\n{times}"))
}

fn is_refused(balancer: &Balancer) -> bool {
    let connected = TcpStream::connect(balancer.address());
    connected.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// Waits until the process has ended well; returns how long that took.
#[track_caller]
fn ended_within(balancer: &Balancer, limit: Duration) -> Duration {
    let began = Instant::now();
    eventually(limit, "the balancer ends", || {
        balancer.process().ended().is_some()
    });
    let code = balancer.process().ended().unwrap().code();
    assert_eq!(code, Some(0), "{}", balancer.said());
    began.elapsed()
}

fn lines_with(balancer: &Balancer, words: &str) -> usize {
    let log = balancer.log();
    log.lines().filter(|line| line.contains(words)).count()
}

#[test]
fn who_listens_hears_his_programme_to_his_own_end() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&stopping(&fleet, "drain_delay = \"2s\""));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let stopped = Instant::now();
    balancer.process().signal("TERM");
    eventually(seconds(1), "it is not ready any more", || {
        balancer.ask_as_operator("/ready").status == 503
    });
    let status = balancer.ask_as_operator("/status").json();
    assert_eq!(
        (&status["phase"], &status["ready"]),
        (&"stopping".into(), &false.into())
    );
    let late = balancer.radio(MOUNT);
    eventually(seconds(5), "nobody is let in", || is_refused(&balancer));
    let closed = stopped.elapsed();
    assert!((seconds(2)..millis(2_700)).contains(&closed), "{closed:?}");

    let radios = [radios, vec![late]].concat_all();
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    assert_eq!(balancer.ask_as_operator("/live").status, 200);
    assert!(balancer.process().ended().is_none());
    drop(radios);
    // Whoever hangs up may only have stopped speaking, until something is sent to him.
    eventually(seconds(3), "each is known to be gone", || {
        lines_with(&balancer, "left: hung up") == 5
    });
    let gone = ended_within(&balancer, seconds(3));
    assert!(gone < seconds(1), "{gone:?} after the last listener");
    assert_eq!(
        lines_with(&balancer, "left: hung up"),
        5,
        "{}",
        balancer.said()
    );
    assert!(lines_with(&balancer, "stopping: 5 listeners left, until ") >= 1);
}

trait ConcatAll {
    type All;
    fn concat_all(self) -> Self::All;
}

impl<T> ConcatAll for [Vec<T>; 2] {
    type All = Vec<T>;
    fn concat_all(self) -> Vec<T> {
        self.into_iter().flatten().collect()
    }
}

#[test]
fn told_to_stop_twice_it_ends_now_and_leaves_a_line_for_each_listener() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    for second in ["TERM", "INT"] {
        let balancer = Balancer::with_config(&stopping(&fleet, "drain_delay = \"1m\""));
        let radios = balancer.radios(3, MOUNT);
        settled(&radios);

        balancer.process().signal("TERM");
        eventually(seconds(1), "it heard the first", || {
            balancer.ask_as_operator("/ready").status == 503
        });
        balancer.process().signal(second);

        let gone = ended_within(&balancer, seconds(3));
        assert!(gone < seconds(1), "{second}: {gone:?}");
        for radio in &radios {
            assert_ne!(radio.hear_the_end(seconds(1)), End::Complete);
        }
        let told = lines_with(&balancer, "left: the balancer stopped");
        assert_eq!(told, 3, "{second}: {}", balancer.said());
    }
}

#[test]
fn when_the_time_is_over_the_rest_is_sent_away() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let times = "drain_delay = \"0s\"\ndrain_timeout = \"2s\"";
    let balancer = Balancer::with_config(&stopping(&fleet, times));
    let radios = balancer.radios(2, MOUNT);
    settled(&radios);

    balancer.process().signal("TERM");
    let gone = ended_within(&balancer, seconds(5));

    assert!((millis(1_900)..millis(3_000)).contains(&gone), "{gone:?}");
    assert_eq!(lines_with(&balancer, "left: the balancer stopped"), 2);
}

#[test]
fn who_carries_nothing_is_gone_at_once() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let section = "[stop]\ndrain_delay = \"0s\"";
    for signal in ["TERM", "INT"] {
        let balancer = Balancer::with_config(&ConfigText::of(&fleet).with_section(section));
        assert_eq!(balancer.tune_in(MOUNT).status, 307);

        balancer.process().signal(signal);

        let gone = ended_within(&balancer, seconds(3));
        assert!(gone < millis(500), "{signal}: {gone:?}");
    }
}

#[test]
fn connections_that_are_kept_are_told_to_come_again() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let section = "[stop]\ndrain_delay = \"1m\"";
    let balancer = Balancer::with_config(&ConfigText::of(&fleet).with_section(section));
    let request =
        b"GET /live.mp3 HTTP/1.1\r\nHost: a\r\n\r\nGET /status HTTP/1.1\r\nHost: a\r\n\r\n";
    let count = |text: &str, words: &str| text.matches(words).count();
    let before = answers_to_bytes(balancer.address(), request);
    assert_eq!(count(&before, "HTTP/1.1 "), 2, "{before}");

    balancer.process().signal("TERM");
    eventually(seconds(1), "it stops", || {
        balancer.ask_as_operator("/ready").status == 503
    });

    let express = answers_to_bytes(balancer.address(), request);
    assert_eq!(count(&express, "HTTP/1.1 307"), 1, "{express}");
    assert_eq!(count(&express, "Connection: close"), 1, "{express}");
    assert_eq!(count(&express, "HTTP/1.1 "), 1, "{express}");
    let by_the_door = Question::new("HEAD", MOUNT)
        .ask(balancer.address())
        .unwrap();
    assert_eq!(by_the_door.header("connection"), Some("close"));
}

#[test]
fn the_service_manager_is_told_how_it_is() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let manager = NotifySocket::new();
    let config = stopping(&fleet, "drain_delay = \"0s\"");
    let public = std::net::SocketAddr::from(([127, 0, 0, 1], crate::harness::open_port()));
    let balancer = Balancer::arranged(&config, public, |command| {
        command.env("NOTIFY_SOCKET", manager.path());
        command.env("WATCHDOG_USEC", "2000000");
    });

    manager.hear("READY=1");
    assert_eq!(
        balancer.ask_as_operator("/ready").status,
        200,
        "ready is ready"
    );
    let id = format!("MAINPID={}", balancer.process().id());
    manager.hear(&id);
    let _radio = balancer.radio(MOUNT);
    manager.hear("STATUS=serving: 1 listeners carried, 1 connections, 1 of 1 relays up");
    let fed = || {
        manager
            .heard()
            .iter()
            .filter(|m| m.contains("WATCHDOG=1"))
            .count()
    };
    let before = fed();
    eventually(seconds(3), "the watchdog is fed", || fed() >= before + 3);
    assert!(
        !manager
            .heard()
            .iter()
            .any(|message| message.contains("STOPPING"))
    );

    balancer.process().signal("TERM");
    manager.hear("STOPPING=1");
    balancer.process().signal("TERM");
    ended_within(&balancer, seconds(2));
}

#[test]
fn the_service_manager_waits_for_the_first_polls() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = ConfigText::of_none().and_relay_at(silent.local_addr().unwrap());
    let config = config.polled("interval = \"2s\"\ntimeout = \"2s\"");
    let manager = NotifySocket::new();
    let public = std::net::SocketAddr::from(([127, 0, 0, 1], crate::harness::open_port()));
    let began = Instant::now();
    let _balancer = Balancer::arranged(&config, public, |command| {
        command.env("NOTIFY_SOCKET", manager.path());
    });

    manager.hear("READY=1");

    let waited = began.elapsed();
    assert!((millis(1_900)..seconds(6)).contains(&waited), "{waited:?}");
}

#[test]
fn before_the_first_polls_are_over_it_stops_as_ever() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = stopping(&fleet, "drain_delay = \"0s\"");
    let config = config.and_relay_at(silent.local_addr().unwrap());
    let config = config.polled("interval = \"4s\"\ntimeout = \"4s\"");
    let balancer = Balancer::starting_with(&config);
    let radios = vec![balancer.radio(MOUNT)];

    balancer.process().signal("TERM");

    eventually(seconds(2), "nobody is let in", || is_refused(&balancer));
    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
    drop(radios);
    ended_within(&balancer, seconds(2));
}
