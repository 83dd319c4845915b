//! Names of the operator's address: `[admin] hosts`, against web pages that lead their own name to
//! it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use crate::harness::{
    ConfigText, Ended, FakeRelay, Guarded, Secured, TOKEN, answers_to_bytes, eventually, open_port,
    seconds, text,
};

const MOUNT: &str = "/live.mp3";

fn asked(admin: SocketAddr, page: &str, host: &str) -> String {
    let request = format!("GET {page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    answers_to_bytes(admin, request.as_bytes())
}

#[test]
fn other_names_are_refused_until_they_are_listed_and_probes_are_not() {
    let relay = FakeRelay::of(MOUNT);
    let config = ConfigText::of_none().and_relay_at(relay.address());
    let guarded = Guarded::with_config(config);
    let admin = guarded.balancer.admin();
    let name = format!("balancer.example:{}", admin.port());

    for page in ["/status", "/metrics", "/"] {
        let answer = asked(admin, page, &name);
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        assert!(answer.contains("hosts of [admin]"), "{answer}");
    }
    let order = format!(
        "POST /relays/{}/drain HTTP/1.1\r\nHost: {name}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
        relay.address()
    );
    let answer = answers_to_bytes(admin, order.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    let state = guarded.balancer.admin_status();
    let state = state.named(&relay.address().to_string());
    assert_eq!(state.admin_state(), "ready");
    for page in ["/live", "/ready"] {
        let answer = asked(admin, page, &name);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let addressed = asked(admin, "/status", &format!("[::1]:{}", admin.port()));
    assert!(addressed.starts_with("HTTP/1.1 200 "), "{addressed}");
    let nameless = answers_to_bytes(admin, b"GET /status HTTP/1.0\r\n\r\n");
    assert!(nameless.starts_with("HTTP/1.1 200 "), "{nameless}");
    let log = guarded.balancer.log();
    let line = format!("request refused: name not in [admin] hosts: name=\"{name}\"");
    assert_eq!(log.matches(&line).count(), 1, "throttled: {log}");

    let file = guarded.balancer.config_file();
    let text = fs::read_to_string(&file).unwrap();
    let listed = text.replace("[admin]\n", "[admin]\nhosts = [\"Balancer.Example\"]\n");
    fs::write(&file, listed).unwrap();
    guarded.balancer.hang_up();
    eventually(seconds(10), "the name is listed", || {
        asked(admin, "/status", &name).starts_with("HTTP/1.1 200 ")
    });
    let answer = asked(admin, "/status", "evil.example");
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
}

/// A name with a dot that this machine's hosts file gives to 127.0.0.1.
fn name_of_loopback() -> Option<String> {
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let lines = hosts
        .lines()
        .filter_map(|line| line.strip_prefix("127.0.0.1"));
    let mut names = lines.flat_map(str::split_whitespace);
    let found = names.find(|name| name.contains('.') && !name.starts_with('#'));
    if found.is_none() {
        crate::harness::skipped("admin_hosts: /etc/hosts has no name with a dot for 127.0.0.1");
    }
    found.map(str::to_owned)
}

#[test]
fn commands_ask_by_a_listed_name_and_say_what_to_list() {
    let Some(name) = name_of_loopback() else {
        return;
    };
    let listed = format!("hosts = [\"{name}\"]");
    for (keys, code) in [("", 1), (listed.as_str(), 0)] {
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, open_port()));
        let secured = Secured::showing_a_certificate_for(&name, admin, keys);
        let address = format!("https://{name}:{}", admin.port());
        let ca = text(&secured.authority.file());
        let by_name = ["--admin", address.as_str(), "--ca-file", ca.as_str()];
        let status = Ended::of(&[&["status"][..], &by_name].concat());
        assert_eq!(status.code, Some(code), "{status:?}");
        let healthy = Ended::of(&[&["healthcheck"][..], &by_name].concat());
        assert_eq!(healthy.code, Some(0), "{healthy:?}");
        let relay = secured.relay.address().to_string();
        let token = ["--token-file", secured.token.path()];
        let drain = Ended::of(&[&["drain", &relay][..], &by_name, &token].concat());
        assert_eq!(drain.code, Some(code), "{drain:?}");
        if code == 1 {
            for ended in [status, drain] {
                assert!(
                    ended.errors.contains("add it to hosts of [admin]"),
                    "{ended:?}"
                );
                assert_eq!(ended.errors.trim_end().lines().count(), 1, "{ended:?}");
            }
        }
    }
}
