//! Pending listeners: those that were redirected and that no relay reports yet.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::{Balancer, ConfigText, Fleet, seconds};

const MOUNT: &str = "/live.mp3";

/// Requests redirects on one connection and follows none.
fn follow_nothing(balancer: &Balancer, client: &str, times: usize) {
    let mut socket = TcpStream::connect(balancer.address()).unwrap();
    socket.set_read_timeout(Some(seconds(10))).unwrap();
    let request = format!("GET {MOUNT} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\n\r\n");
    for _ in 0..times {
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = vec![0; 2_048];
        let length = socket.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 307"), "{answer}");
    }
}

#[test]
fn a_client_that_follows_no_redirect_makes_no_relay_full() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let config = ConfigText::of(&fleet)
        .with_relay(1, "capacity = 20")
        .with_relay(2, "capacity = 20")
        .polled("interval = \"10m\"\ntimeout = \"2s\"\nstale_after = \"30m\"");
    let balancer = Balancer::with_config(&config);
    balancer.wait_for_the_interval();

    follow_nothing(&balancer, "198.51.100.7", 200);
    // All of a network of 64 bits are one client.
    for host in 1..=50 {
        follow_nothing(&balancer, &format!("2001:db8::{host}"), 1);
    }
    let from = |number: usize| {
        let address = format!("203.0.113.{number}");
        balancer
            .tune_in_with(("X-Forwarded-For", &address), MOUNT)
            .status
    };
    let statuses: Vec<_> = (0..30).map(from).collect();

    // 4 of each of the two clients on each relay, and every other client in full.
    assert_eq!(statuses[..24], [307; 24]);
    assert_eq!(statuses[24..], [503; 6]);
}

#[test]
fn clients_of_networks_that_are_exempt_by_name_count_in_full() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = ConfigText::of(&fleet)
        .with_relay(1, "capacity = 20")
        .with_section("[limits]\nexempt = [\"127.0.0.0/8\"]")
        .polled("interval = \"10m\"\ntimeout = \"2s\"\nstale_after = \"30m\"");
    let balancer = Balancer::with_config(&config);
    balancer.wait_for_the_interval();
    let statuses: Vec<_> = (0..25).map(|_| balancer.tune_in(MOUNT).status).collect();
    assert_eq!(statuses, [[307; 20].as_slice(), &[503; 5]].concat());
}
