//! Addresses on loopback: every server its own 127.a.b.c, every port proved free by binding it.
//!
//! Ports stay below 32768, where the kernel takes no ephemeral ones: a port that is free stays free until its server
//! has started.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST_PORT: u32 = 10_000;
const PORTS: u32 = 22_000;

/// Counts what this run of the stories has handed out; the only thing that stories share.
static HANDED_OUT: AtomicU32 = AtomicU32::new(0);

/// An address of its own for one server: no other server of this run has the IP or the port.
pub fn own_address() -> SocketAddr {
    eventually_free(own_ip)
}

/// The same, listened at by the story itself. It is not let go in between: a process that another story starts in that moment
/// would have it until it is another program.
pub fn own_listener() -> TcpListener {
    eventually_bound(own_ip)
}

/// One more port for the server that has this IP.
pub fn another_port_of(ip: IpAddr) -> SocketAddr {
    eventually_free(|_| ip)
}

/// A port that is free on every address of the machine, asked for on 127.0.0.1.
pub fn open_port() -> u16 {
    eventually_free(|_| Ipv4Addr::UNSPECIFIED).port()
}

fn eventually_free<Ip: Into<IpAddr>>(ip: impl Fn(u32) -> Ip) -> SocketAddr {
    eventually_bound(ip).local_addr().unwrap()
}

fn eventually_bound<Ip: Into<IpAddr>>(ip: impl Fn(u32) -> Ip) -> TcpListener {
    for _ in 0..PORTS {
        let n = HANDED_OUT.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::new(ip(n).into(), nth_port(n));
        if let Ok(listener) = TcpListener::bind(address) {
            return listener;
        }
    }
    panic!(
        "no free port between {FIRST_PORT} and {}",
        FIRST_PORT + PORTS
    );
}

/// Runs at the same time begin at different ports: the process's id says where.
fn nth_port(n: u32) -> u16 {
    let offset = std::process::id().wrapping_mul(331).wrapping_add(n) % PORTS;
    u16::try_from(FIRST_PORT + offset).unwrap()
}

fn own_ip(n: u32) -> Ipv4Addr {
    let run = std::process::id() % 62_500;
    let octet = |value: u32| u8::try_from(1 + value % 250).unwrap();
    Ipv4Addr::new(127, octet(run / 250), octet(run), octet(n))
}
