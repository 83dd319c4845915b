//! Hellos that come in pieces, and what is held for who has not said one, or a request's head, to its end.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustls::ClientConnection;

use crate::harness::{
    Authority, Balancer, ConfigText, Fleet, PairFiles, TlsClient, eventually, seconds,
};

const MOUNT: &str = "/live.mp3";
const NAME: &str = "radio.example";

/// As many as are worth more than what a process takes and gives back by itself.
const CROWD: u64 = 400;

/// Two thirds of what a head took before it was waited for in a small task, and a third of what a hello took.
const ENOUGH_BYTES: u64 = 10_000;

/// A balancer with a plain bind and one with TLS.
fn balancer(authority: &Authority, fleet: &Fleet) -> (Balancer, SocketAddr) {
    let files = PairFiles::nowhere_yet();
    files.put(authority, &[NAME], &rcgen::PKCS_ECDSA_P256_SHA256);
    let (config, tls) = ConfigText::of(fleet).and_tls_bind("");
    let balancer = Balancer::with_config(&config.with_section(&files.section()));
    (balancer, tls)
}

fn begun(n: u64, server: SocketAddr, beginning: &[u8]) -> Vec<TcpStream> {
    let connect = |_| {
        let mut socket = TcpStream::connect(server).unwrap();
        socket.write_all(beginning).unwrap();
        socket
    };
    (0..n).map(connect).collect()
}

/// Sends one byte at a time.
struct InBytes(TcpStream);

impl Write for InBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Read for InBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

#[test]
fn a_hello_that_comes_byte_by_byte_is_a_hello() {
    let (authority, fleet) = (Authority::new(), Fleet::of(1).carrying(MOUNT));
    let (_balancer, server) = balancer(&authority, &fleet);
    let (config, name) = TlsClient::asking_for(NAME, &authority).offering(b"http/1.1");
    let mut tls = ClientConnection::new(config, name.try_into().unwrap()).unwrap();
    let socket = TcpStream::connect(server).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(seconds(5))).unwrap();
    let mut socket = InBytes(socket);

    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    write!(stream, "GET /status HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();

    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn who_has_not_said_all_of_a_hello_takes_little_memory() {
    let hello = [&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[7; 200]].concat();
    let (authority, fleet) = (Authority::new(), Fleet::of(1).carrying(MOUNT));
    let (balancer, tls) = balancer(&authority, &fleet);
    take_little_memory(&balancer, tls, &hello);
}

#[test]
fn who_has_not_said_all_of_a_head_takes_little_memory() {
    let head = b"GET /live.mp3 HTTP/1.1\r\nHost: radio.example\r\nUser-";
    let (authority, fleet) = (Authority::new(), Fleet::of(1).carrying(MOUNT));
    let (balancer, _) = balancer(&authority, &fleet);
    take_little_memory(&balancer, balancer.address(), head);
}

fn take_little_memory(balancer: &Balancer, server: SocketAddr, beginning: &[u8]) {
    let are_there = |n: u64| {
        let metrics = balancer.ask_as_operator("/metrics").text();
        metrics.contains(&format!("icecast_balancer_connections {n}\n"))
    };
    // The first ones fill what is kept.
    let _first = begun(20, server, beginning);
    eventually(seconds(5), "the first are there", || are_there(20));
    let before = balancer.resident_bytes();

    let _crowd = begun(CROWD, server, beginning);

    eventually(seconds(8), "all are there", || are_there(20 + CROWD));
    let each_bytes = balancer.resident_bytes().saturating_sub(before) / CROWD;
    assert!(each_bytes < ENOUGH_BYTES, "{each_bytes} bytes for each");
}
