//! One page of one relay, however the relay behaves: the outcome is the right one, in time, and within bounds.

use std::time::{Duration, Instant};

use super::super::{Poller, Target};
use super::data;
use super::server::{Reply, Server};
use crate::config::{Credentials, Stats};
use crate::discovery::AddressBook;
use crate::fleet::{Origin, PollOutcome, Scheme};

/// Enough for a loaded machine; a test that waits this long has failed.
pub const LONG: Duration = Duration::from_secs(20);

pub fn poller(timeout: Duration) -> Poller {
    Poller::new(timeout, AddressBook::default(), None).unwrap()
}

pub fn target(server: &Server, stats: Stats) -> Target {
    Target {
        name: "relay1".to_owned(),
        url: Origin {
            scheme: Scheme::Http,
            host: server.address.ip().to_string(),
            port: server.address.port(),
        },
        stats,
        credentials: None,
    }
}

pub fn admin() -> Option<Credentials> {
    Some(Credentials {
        username: "admin".to_owned(),
        password: "hackme-canary".to_owned().into(),
    })
}

pub fn one_source() -> Vec<u8> {
    data("status-json/2.4.4-one-source-one-listener.json")
}

/// What a poll of a relay with a status-json page that is `reply` comes to.
pub async fn outcome_of(reply: Reply) -> PollOutcome {
    let server = Server::always(reply).await;
    outcome(&server).await
}

pub async fn outcome(server: &Server) -> PollOutcome {
    let target = target(server, Stats::StatusJson);
    poller(LONG).poll(&target).await.outcome
}

/// An outcome in words: its kind, and its fault.
pub fn told(outcome: &PollOutcome) -> String {
    match outcome {
        PollOutcome::Report(report) => format!("report of {}", report.listeners),
        PollOutcome::Full => "full".to_owned(),
        PollOutcome::Unreadable(fault) => format!("unreadable: {fault}"),
        PollOutcome::Failed(fault) => format!("failed: {fault}"),
        PollOutcome::Refused(fault) => format!("refused: {fault}"),
    }
}

pub fn assert_told(outcome: &PollOutcome, kind: &str, part: &str) {
    let told = told(outcome);
    assert!(
        told.starts_with(kind) && told.contains(part),
        "expected {kind} ... {part}, found {told}"
    );
}

#[tokio::test]
async fn a_good_page_is_a_report() {
    let server = Server::always(Reply::page(one_source())).await;
    let before = Instant::now();
    let polled = poller(LONG).poll(&target(&server, Stats::StatusJson)).await;
    assert_eq!(told(&polled.outcome), "report of 1");
    assert!(polled.began >= before && polled.began <= Instant::now());
}

#[tokio::test]
async fn an_error_status_is_a_failure_that_names_it() {
    for status in [
        "500 Internal Server Error",
        "503 Service Unavailable",
        "404 Not Found",
        "204 No Content",
    ] {
        let outcome = outcome_of(Reply::http(status, "", "")).await;
        assert_told(&outcome, "failed", status);
    }
    let outcome = outcome_of(Reply::http(
        "401 Unauthorized",
        "WWW-Authenticate: Basic realm=\"x\"\r\n",
        "",
    ))
    .await;
    assert_told(&outcome, "failed", "credentials are needed");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::always(Reply::page(one_source())).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect"] {
        let location = format!("Location: http://{}/status-json.xsl\r\n", elsewhere.address);
        let outcome = outcome_of(Reply::http(status, &location, "")).await;
        assert_told(&outcome, "failed", &status[..3]);
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
    assert_eq!(
        told(&outcome(&elsewhere).await),
        "report of 1",
        "it would have answered"
    );
}

#[tokio::test]
async fn an_endless_page_is_left_at_the_limit() {
    let server = Server::always(Reply::Endless(b"HTTP/1.0 200 OK\r\n\r\n".to_vec())).await;
    let began = Instant::now();
    assert_told(&outcome(&server).await, "unreadable", "1048576 bytes");
    assert!(began.elapsed() < LONG);
    // The kernel's buffers on both sides hold some megabytes.
    assert!(
        server.sent_bytes() < 32 * 1024 * 1024,
        "{}",
        server.sent_bytes()
    );
}

#[tokio::test]
async fn a_page_at_the_limit_is_read_and_one_byte_more_is_not() {
    const LIMIT: usize = 1024 * 1024;
    for length in ["", "Content-Length: "] {
        for (size, kind) in [
            (LIMIT, "report of 1"),
            (LIMIT + 1, "unreadable: expected a page of at most"),
        ] {
            let mut body = one_source().trim_ascii_end().to_vec();
            body.resize(size, b' ');
            let head = if length.is_empty() {
                String::new()
            } else {
                format!("{length}{size}\r\n")
            };
            let outcome = outcome_of(Reply::http("200 OK", &head, body)).await;
            assert_told(&outcome, kind, "");
        }
    }
}

#[tokio::test]
async fn a_promise_of_a_gigabyte_is_not_taken_up() {
    let Reply::Say(head) = Reply::http("200 OK", "Content-Length: 1073741824\r\n", "") else {
        panic!("expected Say");
    };
    let server = Server::always(Reply::SayAndHang(head)).await;
    assert_told(&outcome(&server).await, "unreadable", "1048576 bytes");
}

#[tokio::test]
async fn a_slow_relay_costs_no_more_than_the_timeout() {
    let timeout = Duration::from_millis(500);
    let Reply::Say(page) = Reply::page(one_source()) else {
        panic!("expected Say");
    };
    let silent = "HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n".as_bytes();
    let stuck = [silent, &[b'x'; 9]].concat();
    for reply in [
        Reply::Drip(page),
        Reply::SayAndHang(Vec::new()),
        Reply::Drip(stuck),
    ] {
        let server = Server::always(reply).await;
        let began = Instant::now();
        let polled = poller(timeout)
            .poll(&target(&server, Stats::StatusJson))
            .await;
        assert_told(&polled.outcome, "failed", "in time");
        assert!(began.elapsed() >= timeout && began.elapsed() < LONG / 2);
    }
}

#[tokio::test]
async fn a_compressed_page_is_refused() {
    for encoding in ["gzip", "br", "deflate", "identity, gzip", "nonsense"] {
        let head = format!("Content-Encoding: {encoding}\r\n");
        let outcome = outcome_of(Reply::http("200 OK", &head, one_source())).await;
        assert_told(&outcome, "unreadable", "Content-Encoding");
    }
    let outcome = outcome_of(Reply::http(
        "200 OK",
        "Content-Encoding: Identity\r\n",
        one_source(),
    ))
    .await;
    assert_eq!(told(&outcome), "report of 1");
}

#[tokio::test]
async fn nobody_on_the_port_is_a_refusal() {
    let server = Server::always(Reply::SayAndHang(Vec::new())).await;
    let target = target(&server, Stats::StatusJson);
    drop(server);
    // The listener closes when its task is dropped, which is soon.
    let deadline = Instant::now() + LONG;
    loop {
        let outcome = poller(LONG).poll(&target).await.outcome;
        if told(&outcome) == "refused: connection refused" {
            return;
        }
        assert!(Instant::now() < deadline, "{}", told(&outcome));
    }
}

#[tokio::test]
async fn what_is_no_http_answer_is_a_failure() {
    let flood = format!(
        "HTTP/1.0 200 OK\r\n{}\r\n",
        "X-Flood: 1\r\n".repeat(100_000)
    );
    let long = format!(
        "HTTP/1.0 200 OK\r\nX-Flood: {}\r\n\r\n",
        "x".repeat(4 * 1024 * 1024)
    );
    for bytes in [
        b"".to_vec(),
        b"\x16\x03\x01\x02\x00".to_vec(),
        b"garbage\r\n\r\n".to_vec(),
        b"ICY 200 OK\r\nicy-metaint:8192\r\n\r\n".to_vec(),
        b"HTTP/1.0 200".to_vec(),
        b"HTTP/1.0 999999 what\r\n\r\n".to_vec(),
        flood.into_bytes(),
        long.into_bytes(),
    ] {
        let what = String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).into_owned();
        let outcome = outcome_of(Reply::Say(bytes)).await;
        let told = told(&outcome);
        assert!(told.starts_with("failed: "), "{what}: {told}");
    }
}

#[tokio::test]
async fn a_page_that_breaks_off_is_a_failure() {
    let Reply::Say(cut) = Reply::http("200 OK", "Content-Length: 5000\r\n", one_source()) else {
        panic!("expected Say");
    };
    for reply in [Reply::Say(cut.clone()), Reply::SayAndReset(cut)] {
        assert_told(&outcome_of(reply).await, "failed", "");
    }
    assert_told(
        &outcome_of(Reply::page("{\"icestats\":")).await,
        "unreadable",
        "/status-json.xsl",
    );
}

#[tokio::test]
async fn a_relay_cannot_write_into_the_log() {
    // The fault quotes the name of the tag.
    let page = Reply::page("<icestats></\u{1b}[31mall\u{7}-is-well>");
    let server = Server::always(page).await;
    let polled = poller(LONG).poll(&target(&server, Stats::AdminStats)).await;
    assert_told(&polled.outcome, "unreadable", "[31mall-is-well");
    assert!(!told(&polled.outcome).contains(char::is_control));
}
