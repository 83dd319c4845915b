//! Trust in relays and source clients: which secrets they get, and what their mount names, types and headers can do.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use crate::harness::{
    Answer, BURST_BYTES, Balancer, ConfigText, FakeRelay, Folder, Format, Icecast, Server, Source,
    TokenFile, TuneIn, eventually, seconds,
};

const MOUNT: &str = "/live.mp3";
const PRIVATE: &str = "/private.mp3";

/// `hackme`, the password of every icecast2 of the stories, in a file for the balancer.
fn admin_credentials() -> (TokenFile, String) {
    let file = TokenFile::of("hackme");
    let keys = format!("username = \"admin\"\npassword_file = \"{}\"", file.path());
    (file, keys)
}

/// A source client of an icecast2 that chooses its mount and type, and sends a little of anything.
fn source_client(icecast: SocketAddr, mount: &str, content_type: &str) -> TcpStream {
    let mut socket = TcpStream::connect(icecast).unwrap();
    let head = format!(
        "SOURCE {mount} HTTP/1.0\r\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\r\nContent-Type: {content_type}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.set_read_timeout(Some(seconds(5))).unwrap();
    let answer = Answer::read_head(&mut socket).unwrap();
    assert_eq!(answer.status, 200, "{mount}");
    socket
        .write_all(&b"<script>alert(1)</script>".repeat(4_000))
        .unwrap();
    socket
}

#[test]
fn listeners_reach_no_administration_page_of_a_relay() {
    let relay = Icecast::start("relay", &Server::default());
    relay.wait_until_up();
    let _live = Source::feeding_in(Format::Mp3, relay.address(), MOUNT);
    let names = [
        ("/admin/killsource", "audio/mpeg", "admin-page"),
        ("/admin/stats", "audio/mpeg", "admin-page"),
        ("/status-json.xsl", "audio/mpeg", "stylesheet"),
        ("/status", "audio/mpeg", "own-page"),
        ("/page", "text/html", "not-a-stream"),
        ("/live.mp3.m3u", "audio/x-mpegurl", "not-a-stream"),
    ];
    let _hostile: Vec<_> = names
        .iter()
        .map(|(name, kind, _)| source_client(relay.address(), name, kind))
        .collect();
    for mode in ["proxy", "redirect"] {
        for page in ["admin-stats", "status-json"] {
            let (_file, keys) = admin_credentials();
            let config = ConfigText::of_none()
                .and_relay_at(relay.address())
                .with_relay(1, &keys)
                .with_relay(1, &format!("stats = \"{page}\""))
                .with(&format!("mode = \"{mode}\""));
            let balancer = Balancer::with_config(&config);
            let name = relay.address().to_string();

            let rejected = || balancer.admin_status().named(&name).rejected_mounts();
            eventually(seconds(10), "all of them are rejected", || {
                rejected()["count"] == names.len()
            });
            for (name, _, reason) in names {
                let shown = json!({ "name": name, "reason": reason });
                let listed = rejected();
                assert!(
                    listed["mounts"].as_array().unwrap().contains(&shown),
                    "{listed}"
                );
            }
            let by_https = ("X-Forwarded-Proto", "https");
            for target in [
                "/admin/killsource?mount=/live.mp3",
                "/admin/stats",
                "/%61dmin/stats",
                "/status-json.xsl",
                "/page",
            ] {
                assert_eq!(
                    balancer.tune_in(target).status,
                    404,
                    "{mode} {page} {target}"
                );
                assert_eq!(
                    balancer.tune_in_with(by_https, target).status,
                    404,
                    "{target}"
                );
            }
            assert!(balancer.tune_in("/status").json().is_object());
            let playlist = balancer.tune_in("/live.mp3.m3u");
            assert!(
                playlist.text().contains(&balancer.url(MOUNT)),
                "{}",
                playlist.text()
            );
            let metric = format!("relay_rejected_mounts{{relay=\"{name}\"}} {}", names.len());
            let metrics = balancer.ask_as_operator("/metrics").text();
            assert!(metrics.contains(&metric), "{metrics}");
            let alive = relay.listed_mounts().unwrap();
            assert!(
                alive
                    .iter()
                    .any(|mount| mount.path == MOUNT && mount.running)
            );
        }
    }
}

#[test]
fn credentials_of_the_status_page_open_no_stream() {
    let folder = Folder::new("passwords");
    // `listener` and the MD5 of `music`.
    let users = folder.write("users", "listener:18d6769919266cd0bd6cd78aa405d5d0\n");
    let elements = format!(
        "<mount><mount-name>{PRIVATE}</mount-name><authentication type=\"htpasswd\">\
         <option name=\"filename\" value=\"{}\"/></authentication></mount>",
        users.display()
    );
    let server = Server {
        elements,
        ..Server::default()
    };
    let relay = Icecast::start("relay", &server);
    relay.wait_until_up();
    let _source = Source::feeding_in(Format::Mp3, relay.address(), PRIVATE);
    let (_file, keys) = admin_credentials();
    let config = ConfigText::of_none()
        .and_relay_at(relay.address())
        .with_relay(1, &keys)
        .with_relay(1, "stats = \"admin-stats\"")
        .with("mode = \"proxy\"");
    let balancer = Balancer::with_config(&config);
    eventually(seconds(10), "the mount is known", || {
        balancer.tune_in(PRIVATE).status == 401
    });

    let password = TokenFile::of("music");
    let open = config.with_relay(
        1,
        &format!(
            "stream_username = \"listener\"\nstream_password_file = \"{}\"",
            password.path()
        ),
    );
    let balancer = Balancer::with_config(&open);
    let radio = balancer.radio(PRIVATE);
    radio.hear_up_to(BURST_BYTES / 2, seconds(10));
}

#[test]
fn a_relay_gets_only_credentials_that_are_for_streams() {
    let relay = FakeRelay::of(MOUNT);
    let (_file, keys) = admin_credentials();
    let config = ConfigText::of_none()
        .and_relay_at(relay.address())
        .with_relay(1, &keys)
        .with_relay(1, "stats = \"status-json\"")
        .with("mode = \"proxy\"");
    let sent = |config: &ConfigText, tune_in: &TuneIn| {
        let balancer = Balancer::with_config(config);
        let radio = balancer.radio_that(tune_in);
        assert_eq!(radio.head().status, 200);
        let head = relay.asked().pop().unwrap();
        let authorization = |line: &&str| line.starts_with("Authorization:");
        head.lines().find(authorization).map(str::to_owned)
    };
    let tune_in = TuneIn::to(MOUNT);
    assert_eq!(sent(&config, &tune_in), None);
    let own = TuneIn::to(MOUNT).with(("Authorization", "Basic bWU6bXlzZWxm"));
    let by_listener = Some("Authorization: Basic bWU6bXlzZWxm".to_owned());
    assert_eq!(sent(&config, &own), by_listener);

    let password = TokenFile::of("music");
    let keys = format!(
        "stream_username = \"listener\"\nstream_password_file = \"{}\"",
        password.path()
    );
    let open = config.with_relay(1, &keys);
    let configured = Some("Authorization: Basic bGlzdGVuZXI6bXVzaWM=".to_owned());
    assert_eq!(sent(&open, &tune_in), configured);
    assert_eq!(sent(&open, &own), by_listener);
}

#[test]
fn a_stream_runs_nothing_in_a_browser() {
    let head = "HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nSet-Cookie: a=b\r\n\
                Access-Control-Allow-Credentials: true\r\nicy-name: x\r\n\r\n";
    let relay = FakeRelay::answering(MOUNT, head);
    let config = ConfigText::of_none().and_relay_at(relay.address());
    let balancer = Balancer::with_config(&config.with("mode = \"proxy\""));
    let radio = balancer.radio(MOUNT);
    let head = radio.head();
    assert_eq!(head.header("x-content-type-options"), Some("nosniff"));
    let policy = head.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert_eq!(head.header("set-cookie"), None);
    assert_eq!(head.header("access-control-allow-credentials"), None);
    assert_eq!(head.header("icy-name"), Some("x"));
}
