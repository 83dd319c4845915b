//! Activation: a service manager keeps the listening sockets, so that nobody is refused while the balancer is not there.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::Instant;

use crate::harness::{
    Balancer, ConfigText, FakeRelay, Fleet, Folder, Pounding, eventually, hand_over, millis,
    open_port, seconds,
};

const MOUNT: &str = "/live.mp3";

/// Starts a balancer with this socket handed over.
fn activated(config: &ConfigText, public: SocketAddr, socket: &TcpListener) -> Balancer {
    Balancer::arranged(config, public, |command| {
        let sockets = vec![socket.try_clone().unwrap().into()];
        *command = hand_over(command, sockets);
    })
}

#[track_caller]
fn is_ready(balancer: &Balancer) {
    eventually(seconds(5), "it is ready", || {
        balancer.ask_as_operator("/ready").status == 200
    });
}

#[test]
fn killed_and_started_again_it_refuses_nobody() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let config = ConfigText::of(&fleet);
    let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
    let socket = TcpListener::bind(public).unwrap();
    let first = activated(&config, public, &socket);
    is_ready(&first);
    let pounding = Pounding::of(public, MOUNT);
    eventually(seconds(5), "it answers", || {
        first.tune_in(MOUNT).status == 307
    });
    first.process().kill();
    let killed = Instant::now();

    let restarted = Instant::now();
    let second = activated(&config, public, &socket);
    is_ready(&second);

    let beaten = pounding.finish();
    // Whoever was let in at the moment of the kill is cut off; whoever comes later waits and is answered.
    let late = |(at, _): &&(Instant, String)| at.duration_since(killed) > millis(100);
    let late: Vec<_> = beaten.faults.iter().filter(late).collect();
    assert!(late.is_empty(), "{late:?}");
    let refused = |(_, fault): &(Instant, String)| fault.contains("ConnectionRefused");
    assert!(!beaten.faults.iter().any(refused), "{:?}", beaten.faults);
    let first_answer = beaten.answers.iter().find(|at| **at > killed).unwrap();
    let first_answer = first_answer.saturating_duration_since(restarted);
    assert!(
        first_answer < millis(300),
        "{first_answer:?} until the first answer"
    );
    eprintln!("the first answer {first_answer:?} after the restart");
}

#[test]
fn what_is_handed_over_and_what_is_configured_need_not_be_the_same() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let (config, other) = ConfigText::of(&fleet).and_plain_bind("");
    let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
    let nobodys = SocketAddr::from(([127, 0, 0, 1], open_port()));
    let sockets = [public, nobodys].map(|address| TcpListener::bind(address).unwrap());
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let balancer = Balancer::arranged(&config, public, |command: &mut Command| {
        let [public, nobodys] = sockets.each_ref().map(|s| s.try_clone().unwrap());
        let sockets = vec![
            nobodys.into(),
            datagrams.try_clone().unwrap().into(),
            public.into(),
        ];
        *command = hand_over(command, sockets);
    });

    is_ready(&balancer);
    assert_eq!(balancer.tune_in("/status").status, 200);
    let elsewhere = crate::harness::Question::get("/status").ask(other).unwrap();
    assert_eq!(elsewhere.status, 200);
    for words in [
        format!("{other} was not handed to us: it is opened"),
        format!("a socket at {nobodys} was handed to us, but no bind has this address"),
        "socket 2 that was handed to us is neither".to_owned(),
    ] {
        assert!(
            balancer.log_line_with(&words).is_some(),
            "{words}: {}",
            balancer.said()
        );
    }
    assert!(
        balancer
            .log_line_with(&format!("{public} was not"))
            .is_none()
    );
}

#[test]
fn stopped_it_leaves_the_sockets_to_the_manager() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = ConfigText::of(&fleet).with_section("[stop]\ndrain_delay = \"0s\"");
    let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
    let socket = TcpListener::bind(public).unwrap();
    let first = activated(&config, public, &socket);
    is_ready(&first);
    let pounding = Pounding::of(public, MOUNT);
    eventually(seconds(5), "it answers", || {
        first.tune_in(MOUNT).status == 307
    });

    first.process().signal("TERM");
    eventually(seconds(3), "it ends", || first.process().ended().is_some());
    let _second = activated(&config, public, &socket);

    let again = crate::harness::Question::get(MOUNT).ask(public).unwrap();
    assert_eq!(again.status, 307);
    let beaten = pounding.finish();
    assert_eq!(beaten.failed, 0, "{beaten:?}");
}

#[test]
fn unix_socket_that_is_handed_over_keeps_its_mode() {
    let (relay, folder) = (FakeRelay::of(MOUNT), Folder::new("sockets"));
    let [handed, own] = ["handed", "own"].map(|name| folder.path().join(name));
    let socket = UnixListener::bind(&handed).unwrap();
    fs::set_permissions(&handed, Permissions::from_mode(0o660)).unwrap();
    let bind = |path: &std::path::Path| {
        let path = path.display();
        format!("[[bind]]\naddress = \"unix:{path}\"")
    };
    let config = ConfigText::of_none()
        .and_relay_at(relay.address())
        .with_section(&bind(&handed))
        .with_section(&bind(&own));
    let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
    let balancer = Balancer::arranged(&config, public, |command| {
        let sockets = vec![socket.try_clone().unwrap().into()];
        *command = hand_over(command, sockets);
    });
    is_ready(&balancer);

    for (path, expected) in [(&handed, 0o660), (&own, 0o666)] {
        let mut listener = UnixStream::connect(path).unwrap();
        listener.set_read_timeout(Some(seconds(8))).unwrap();
        let request = format!("GET {MOUNT} HTTP/1.0\r\n\r\n");
        listener.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        listener.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 307 "), "{answer}");
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, expected, "{}", path.display());
    }
}
