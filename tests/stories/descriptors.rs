//! Descriptors: more people than there are file descriptors for.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::harness::{
    Balancer, ConfigText, Fleet, cpu_seconds, eventually, go_on_unbroken, open_descriptors,
    open_port, seconds, settled,
};

const MOUNT: &str = "/live.mp3";

/// A balancer that may have 1,024 file descriptors, and has polled every relay.
fn narrow(config: &ConfigText) -> Balancer {
    let balancer = narrow_at_first(config);
    eventually(seconds(5), "it is ready", || {
        balancer.ask_as_operator("/ready").status == 200
    });
    balancer
}

/// The same, as soon as it takes connections.
fn narrow_at_first(config: &ConfigText) -> Balancer {
    let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
    Balancer::arranged(config, public, |command| {
        let mut narrow = Command::new("prlimit");
        narrow.arg("--nofile=1024:1024").arg(command.get_program());
        narrow.args(command.get_args());
        *command = narrow;
    })
}

/// Connections that ask nothing, as many as the system gives us.
fn crowd(n: usize, server: SocketAddr) -> Vec<TcpStream> {
    let some = move || {
        let connections = (0..n / 10).map(|_| TcpStream::connect(server));
        connections.filter_map(Result::ok).collect::<Vec<_>>()
    };
    let threads: Vec<_> = (0..10).map(|_| thread::spawn(some)).collect();
    let connections = threads.into_iter().map(|thread| thread.join().unwrap());
    connections.flatten().collect()
}

#[test]
fn a_crowd_beyond_them_harms_nobody_who_listens() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = narrow(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(20, MOUNT);
    settled(&radios);

    let crowd = crowd(1_500, balancer.address());
    assert_eq!(crowd.len(), 1_500);

    assert_eq!(balancer.ask_as_operator("/ready").status, 200);
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    drop(crowd);
    eventually(seconds(5), "others are served again", || {
        balancer.tune_in("/status").status == 200
    });
}

#[test]
fn when_all_are_gone_it_neither_ends_nor_spins() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let limits = "[limits]\nconnections = 100000\nconnections_per_address = 100000";
    let balancer = narrow(&ConfigText::proxied(&fleet).with_section(limits));
    let radios = balancer.radios(20, MOUNT);
    settled(&radios);

    let crowd = crowd(1_500, balancer.address());
    eventually(seconds(5), "there is none left", || {
        balancer.log_line_with("os error 24").is_some()
    });
    let (began, before) = (Instant::now(), cpu_seconds(balancer.process().id()));
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    let share = (cpu_seconds(balancer.process().id()) - before) / began.elapsed().as_secs_f64();

    assert!(share < 0.5, "{share} of a processor");
    assert!(balancer.process().ended().is_none());
    drop(crowd);
    eventually(seconds(15), "others are served again", || {
        crate::harness::Question::get("/status")
            .ask(balancer.address())
            .is_ok_and(|answer| answer.status == 200)
    });
    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
}

#[test]
fn relays_that_never_answer_leave_descriptors_for_listeners() {
    const SILENT: usize = 500;
    let fleet = Fleet::of(1).carrying(MOUNT);
    // The system takes connections until the backlog is full; nothing ever answers one.
    let silent = TcpListener::bind(("0.0.0.0", open_port())).unwrap();
    let port = silent.local_addr().unwrap().port();
    let silent_relays =
        (0..SILENT).map(|n| ([127, 254, (n / 250) as u8, (n % 250 + 1) as u8], port));
    let config = silent_relays.fold(ConfigText::proxied(&fleet), |config, address| {
        config.and_relay_at(address.into())
    });
    let polls = "interval = \"1s\"\ntimeout = \"1s\"";
    let balancer = narrow_at_first(&config.polled(polls));

    eventually(seconds(10), "the good relay is found", || {
        balancer.tune_in("/status").status == 200
    });
    let radios = balancer.radios(20, MOUNT);
    settled(&radios);
    let mut most = 0;
    eventually(seconds(60), "each silent relay was polled twice", || {
        most = most.max(open_descriptors(balancer.process().id()));
        let status = balancer.ask_as_operator("/status").json();
        let relays = status["relays"].as_array().unwrap();
        assert_eq!(relays.len(), SILENT + 1);
        assert_eq!(relays[0]["health"], "up");
        relays
            .iter()
            .all(|relay| relay["polls"].as_u64() >= Some(2))
    });

    assert!(most > 100 && most < 300, "{most} descriptors");
    assert!(balancer.log_line_with("poll: queued:").is_some());
    assert!(balancer.log_line_with("os error 24").is_none());
    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
}
