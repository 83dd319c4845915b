//! A relay at its client limit turns the poller away: it is full, not down.

use super::data;
use super::fetching::{assert_told, outcome, outcome_of, told};
use super::server::{Reply, Server};

/// What Icecast sent at its client limit, without the request that the capture begins with.
fn server_full() -> Vec<u8> {
    let capture = data("heads/server-full-statusjson.txt");
    let head = capture
        .windows(9)
        .position(|part| part == b"HTTP/1.0 ")
        .unwrap();
    capture[head..].to_vec()
}

#[tokio::test]
async fn a_full_server_is_full_and_not_down() {
    let captured = server_full();
    let head_end = captured
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap()
        + 4;
    let bare = captured[..head_end].to_vec();
    let promised = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 30\r\n\r\n".to_vec();
    for reply in [
        Reply::Say(captured.clone()),
        Reply::SayAndReset(captured.clone()),
        Reply::Say(bare.clone()),
        Reply::SayAndReset(bare),
        Reply::SayAndReset(promised),
        Reply::http("403 max listeners reached", "", "max listeners reached"),
        Reply::http(
            "503 Service Unavailable",
            "",
            "Icecast connection limit reached",
        ),
    ] {
        let outcome = outcome_of(reply.clone()).await;
        assert_eq!(told(&outcome), "full", "{reply:?}");
    }
}

#[tokio::test]
async fn a_full_server_is_full_even_when_it_answers_what_it_has_not_read() {
    for reply in [
        Reply::IgnoreAndReset(server_full()),
        Reply::InterruptAndReset(server_full()),
    ] {
        let server = Server::always(reply.clone()).await;
        for _ in 0..100 {
            assert_eq!(told(&outcome(&server).await), "full", "{reply:?}");
        }
    }
}

#[tokio::test]
async fn whoever_else_speaks_first_is_a_failure() {
    for greeting in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.0 200 OK\r\n\r\n{}",
        "HTTP/1.0 500 Oops\r\n\r\n",
        "HTTP/1.0 403 Forbidden\r\n\r\nnot for you",
        "HTTP/1.0 40",
    ] {
        let outcome = outcome_of(Reply::InterruptAndReset(greeting.into())).await;
        assert_told(&outcome, "failed", "");
    }
}

#[tokio::test]
async fn a_forbidden_page_is_a_failure() {
    let outcome = outcome_of(Reply::http("403 Forbidden", "", "<h1>nginx says no</h1>")).await;
    assert_told(&outcome, "failed", "403 Forbidden");
}
