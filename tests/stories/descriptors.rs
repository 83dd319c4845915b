//! Descriptors: more people than there are file descriptors for.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::harness::{
    Balancer, ConfigText, Fleet, cpu_seconds, eventually, go_on_unbroken, open_port, seconds,
    settled,
};

const MOUNT: &str = "/live.mp3";

/// A balancer that may have 1,024 file descriptors.
fn narrow(config: &ConfigText) -> Balancer {
    let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
    let balancer = Balancer::arranged(config, public, |command| {
        let mut narrow = Command::new("prlimit");
        narrow.arg("--nofile=1024:1024").arg(command.get_program());
        narrow.args(command.get_args());
        *command = narrow;
    });
    eventually(seconds(5), "it is ready", || {
        balancer.ask_as_operator("/ready").status == 200
    });
    balancer
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
