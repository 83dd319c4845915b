//! The heartbeat: a process whose worker threads hang is not ready, whatever its other threads answer.

use std::net::SocketAddr;

use crate::harness::{
    Balancer, ConfigText, Ended, FakeRelay, FrozenThreads, NotifySocket, eventually, open_port,
    seconds,
};

const MOUNT: &str = "/live.mp3";

#[test]
fn process_whose_worker_threads_hang_is_not_ready_until_they_go_on() {
    let relay = FakeRelay::of(MOUNT);
    let manager = NotifySocket::new();
    let config = ConfigText::of_none().and_relay_at(relay.address());
    let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
    let balancer = Balancer::arranged(&config, public, |command| {
        command.env("NOTIFY_SOCKET", manager.path());
        command.env("WATCHDOG_USEC", "2000000");
    });
    let ready = || balancer.ask_as_operator("/ready");
    let healthcheck = || Ended::of(&["healthcheck", "--admin", &balancer.admin().to_string()]);
    eventually(seconds(20), "it is ready", || ready().status == 200);
    assert_eq!(healthcheck().code, Some(0));

    let Some(frozen) = FrozenThreads::of(balancer.process().id(), "front") else {
        return;
    };

    eventually(seconds(60), "it is not ready", || ready().status == 503);
    let said = ready().text();
    assert!(
        said.starts_with("not ready: worker threads do not respond for "),
        "{said}"
    );
    let health = healthcheck();
    assert_eq!(health.code, Some(1), "{}", health.said());
    assert!(
        health.said().contains("worker threads"),
        "{}",
        health.said()
    );
    let fed = || {
        let heard = manager.heard();
        heard.iter().filter(|it| it.contains("WATCHDOG=1")).count()
    };
    let before = fed();
    let line = "threads that serve hang: the watchdog is not fed";
    eventually(seconds(60), "the log says so again", || {
        balancer.count(line) >= 2
    });
    assert_eq!(fed(), before);

    drop(frozen);

    eventually(seconds(20), "it is ready", || ready().status == 200);
    eventually(seconds(20), "the watchdog is fed", || fed() > before);
    assert_eq!(balancer.tune_in(MOUNT).status, 307);
}
