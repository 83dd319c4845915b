//! The operator's address: how long a connection to it lasts.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::harness::{Balancer, ConfigText, Fleet, seconds};

#[test]
fn who_watches_us_keeps_the_connection() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::with_config(&ConfigText::of(&fleet));
    let mut socket = TcpStream::connect(balancer.admin()).unwrap();
    let began = Instant::now();
    // Half a minute is what the first request may take.
    while began.elapsed() < seconds(33) {
        socket.set_read_timeout(Some(seconds(5))).unwrap();
        socket
            .write_all(b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
        socket.set_read_timeout(Some(seconds(2))).unwrap();
        let more = socket.read(&mut [0; 4096]);
        let waits = more.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        assert!(waits, "hung up on after {:?}", began.elapsed());
    }
}
