//! The first moments of a process: what it is told before it serves ends nothing, and is not lost.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;

use nix::libc::O_NONBLOCK;
use nix::sys::stat::Mode;

use crate::harness::{
    Authority, Balancer, ConfigText, FakeRelay, Folder, NotifySocket, eventually, open_port,
    seconds,
};
use crate::upgrade::{outcome, pid};

const MOUNT: &str = "/live.mp3";

/// A balancer that stands in the middle of its start: its sockets are open, and the certificates of the system, which it reads
/// next, are in a pipe that nothing comes out of.
struct Held {
    balancer: Balancer,
    folder: Folder,
}

impl Held {
    fn with(config: &ConfigText) -> Self {
        let folder = Folder::new("held");
        let pipe = folder.path().join("certificates");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
        let balancer = Balancer::arranged(config, public, |command| {
            command.env("SSL_CERT_FILE", &pipe);
        });
        Self { balancer, folder }
    }

    /// Gives it the certificates.
    #[track_caller]
    fn go_on(&self) -> &Balancer {
        let Self { balancer, folder } = self;
        let pipe = folder.path().join("certificates");
        let pem = fs::read(Authority::new().file()).unwrap();
        let mut open = OpenOptions::new();
        open.write(true).custom_flags(O_NONBLOCK);
        eventually(seconds(20), "it reads certificates", || {
            let Ok(mut certificates) = open.open(&pipe) else {
                return false;
            };
            // Whatever reads them once more, such as a process that takes over, finds a file.
            let file = folder.write("file", &String::from_utf8_lossy(&pem));
            fs::rename(file, &pipe).unwrap();
            certificates.write_all(&pem).unwrap();
            true
        });
        eventually(seconds(8), "it is ready", || {
            let ended = balancer.process().ended();
            assert!(ended.is_none(), "it ended: {ended:?}");
            balancer.ask_as_operator("/ready").status == 200
        });
        balancer
    }
}

#[test]
fn a_reload_that_is_told_in_the_middle_of_the_start_is_carried_out() {
    let relays = [FakeRelay::of(MOUNT), FakeRelay::of(MOUNT)];
    let one = ConfigText::of_none().and_relay_at(relays[0].address());
    let held = Held::with(&one);
    held.balancer
        .rewrite(&one.and_relay_at(relays[1].address()));
    held.balancer.hang_up();

    let balancer = held.go_on();

    eventually(seconds(5), "both relays are there", || {
        balancer.status().len() == 2
    });
    assert_eq!(balancer.count("SIGHUP: reading"), 1, "{}", balancer.said());
}

#[test]
fn a_reload_before_the_first_polls_are_over_does_not_tell_the_service_manager_that_they_are() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = ConfigText::of_none().and_relay_at(silent.local_addr().unwrap());
    let manager = NotifySocket::new();
    let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
    let config = config.polled("interval = \"5s\"\ntimeout = \"5s\"");
    let balancer = Balancer::arranged(&config, public, |command| {
        command.env("NOTIFY_SOCKET", manager.path());
    });

    balancer.reload(&config);

    let heard = manager.heard();
    let ready = balancer.ask_as_operator("/ready").status;
    assert!(!heard.iter().any(|it| it.contains("READY=1")), "{heard:?}");
    assert_eq!(ready, 503, "it was early enough");
    manager.hear("MAINPID=");
}

#[test]
fn an_upgrade_that_is_told_in_the_middle_of_the_start_is_carried_out() {
    let relay = FakeRelay::of(MOUNT);
    let held = Held::with(&ConfigText::of_none().and_relay_at(relay.address()));
    let first = u64::from(held.balancer.process().id());
    held.balancer.process().signal("USR2");
    held.balancer.process().signal("HUP");

    let balancer = held.go_on();

    eventually(seconds(20), "a new process serves", || {
        pid(balancer) != first && outcome(balancer).0 == "done"
    });
    eventually(seconds(8), "the first one is gone", || {
        balancer.process().ended().is_some()
    });
    assert!(balancer.process().ended().unwrap().success());
    assert_eq!(balancer.ask_as_operator("/ready").status, 200);
}

#[test]
fn a_stop_in_the_middle_of_the_start_stops_it_there() {
    let relay = FakeRelay::of(MOUNT);
    let held = Held::with(&ConfigText::of_none().and_relay_at(relay.address()));

    held.balancer.process().signal("TERM");

    eventually(seconds(5), "it ends", || {
        held.balancer.process().ended().is_some()
    });
}
