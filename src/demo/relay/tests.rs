//! What a listener and a balancer see of a demo relay, over real sockets.

use super::*;
use crate::demo::feed::{Block, feed};
use crate::demo::head::{Head, read_head};
use crate::demo::programme::{OnAir, put_on_air};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const BURST_BYTES: usize = 64_400;
const DEADLINE: Duration = Duration::from_secs(10);

/// Waits for `what`, but not for ever.
async fn within<T>(what: impl Future<Output = T>) -> T {
    let done = timeout(DEADLINE, what).await;
    done.expect("it took longer than 10 s")
}

async fn relays() -> (OnAir, DemoRelay, DemoRelay) {
    let on_air = put_on_air(1).unwrap();
    let first = DemoRelay::start("relay1", on_air.feed.clone()).await;
    let second = DemoRelay::start("relay2", on_air.feed.clone()).await;
    (on_air, first.unwrap(), second.unwrap())
}

/// Asks and reads the answer's head; what the head brought of the body is in it.
async fn ask(relay: &DemoRelay, request: &str) -> (TcpStream, Head) {
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    let request = format!("{request}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = within(read_head(&mut stream)).await.unwrap();
    (stream, head)
}

async fn tune_in(relay: &DemoRelay) -> (TcpStream, Head) {
    ask(relay, "GET /live.mp3 HTTP/1.0").await
}

/// Reads on until there are `bytes` of body.
async fn body(stream: &mut TcpStream, head: Head, bytes: usize) -> Vec<u8> {
    let mut body = head.rest;
    let missing = bytes.saturating_sub(body.len());
    let mut more = vec![0; missing];
    within(stream.read_exact(&mut more)).await.unwrap();
    body.append(&mut more);
    body
}

async fn whole(relay: &DemoRelay, request: &str) -> String {
    let (mut stream, mut head) = ask(relay, request).await;
    within(stream.read_to_end(&mut head.rest)).await.unwrap();
    format!("{}\n\n{}", head.text, String::from_utf8_lossy(&head.rest))
}

async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < until, "it never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_listener_gets_the_burst_at_once_and_then_real_time() {
    let (_on_air, relay, _) = relays().await;
    let start = Instant::now();
    let (mut stream, head) = tune_in(&relay).await;
    assert_eq!(head.first_line(), "HTTP/1.0 200 OK");
    assert_eq!(head.value("Content-Type"), Some("audio/mpeg"));
    assert_eq!(head.value("icy-br"), Some("128"));
    assert_eq!(head.value("icy-metaint"), None);
    body(&mut stream, head, BURST_BYTES).await;
    let burst_took = start.elapsed();
    assert!(burst_took < Duration::from_millis(1500), "{burst_took:?}");

    let mut two_seconds = vec![0; 32_000];
    within(stream.read_exact(&mut two_seconds)).await.unwrap();
    let took = start.elapsed();
    let expected = Duration::from_millis(1700)..Duration::from_millis(3500);
    assert!(expected.contains(&took), "2 s of audio took {took:?}");
}

#[tokio::test]
async fn two_relays_carry_the_same_bytes() {
    let (_on_air, first, second) = relays().await;
    let (mut one, one_head) = tune_in(&first).await;
    let (mut two, two_head) = tune_in(&second).await;
    let one = body(&mut one, one_head, BURST_BYTES + 7000).await;
    let two = body(&mut two, two_head, BURST_BYTES + 7000).await;
    // The second tuned in later, by a few blocks at most: its start is in the first's body.
    let needle = &two[..4096];
    let joint = one.windows(4096).position(|window| window == needle);
    let joint = joint.unwrap();
    assert!(joint < 20_000, "joint at {joint}");
    assert_eq!(one[joint..], two[..one.len() - joint]);
}

#[tokio::test]
async fn titles_come_only_to_those_who_ask_and_where_they_were_promised() {
    let (_on_air, relay, _) = relays().await;
    let request = "GET /live.mp3 HTTP/1.1\r\nicy-metadata: 1";
    let (mut stream, head) = ask(&relay, request).await;
    assert_eq!(head.value("icy-metaint"), Some("16000"));
    let body = body(&mut stream, head, 40_000).await;
    let length = 16 * usize::from(body[16_000]);
    let title = String::from_utf8(body[16_001..16_001 + length].to_vec()).unwrap();
    let title = title.trim_end_matches('\0');
    assert_eq!(title, "StreamTitle='Demo Ensemble - Arpeggio 1 in G';");
    assert_eq!(
        body[16_001 + length + 16_000],
        0,
        "told again without a change"
    );
}

#[tokio::test]
async fn the_status_page_counts_who_is_there() {
    let (_on_air, relay, other) = relays().await;
    let (one, _) = tune_in(&relay).await;
    let (two, _) = tune_in(&relay).await;
    assert_eq!(counts(&relay).await, (2, 2));
    drop(one);
    eventually(async || counts(&relay).await == (1, 2)).await;
    drop(two);
    eventually(async || counts(&relay).await == (0, 2)).await;
    assert_eq!(relay.listeners(), 0);
    assert_eq!(counts(&other).await, (0, 0));
}

#[tokio::test]
async fn a_listener_who_leaves_while_nothing_is_sent_is_no_longer_counted() {
    let (_publisher, feed) = feed();
    let relay = DemoRelay::start("relay1", feed).await.unwrap();
    let (stream, _) = tune_in(&relay).await;
    assert_eq!(relay.listeners(), 1);
    drop(stream);
    eventually(async || relay.listeners() == 0).await;
}

/// Listeners and their peak, as the status page says.
async fn counts(relay: &DemoRelay) -> (u64, u64) {
    let answer = whole(relay, "GET /status-json.xsl HTTP/1.0").await;
    let (_, page) = answer.split_once("\n\n").unwrap();
    let page: serde_json::Value = serde_json::from_str(page).unwrap();
    let source = &page["icestats"]["source"];
    let url = format!("http://localhost:{}/live.mp3", relay.address().port());
    assert_eq!(source["listenurl"], url.as_str());
    let count = |name| source[name].as_u64().unwrap();
    (count("listeners"), count("listener_peak"))
}

#[tokio::test]
async fn what_is_no_stream_is_answered_as_icecast_does() {
    let (_on_air, relay, _) = relays().await;
    let missing = whole(&relay, "GET /nope.mp3 HTTP/1.0").await;
    assert!(
        missing.starts_with("HTTP/1.0 404 File Not Found\r\n"),
        "{missing}"
    );
    assert!(missing.contains("The file you requested could not be found"));
    let head = whole(&relay, "HEAD /live.mp3 HTTP/1.1").await;
    assert!(head.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{head}");

    let mut options = TcpStream::connect(relay.address()).await.unwrap();
    options
        .write_all(b"OPTIONS / HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    within(options.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"");
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_after_ten_seconds() {
    let (_publisher, feed) = feed();
    let relay = DemoRelay::start("relay1", feed).await.unwrap();
    let mut silent = TcpStream::connect(relay.address()).await.unwrap();
    let start = tokio::time::Instant::now();
    let mut nothing = [0; 1];
    let closed = timeout(6 * DEADLINE, silent.read(&mut nothing)).await;
    assert_eq!(closed.unwrap().unwrap(), 0);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_listener_who_does_not_read_is_dropped_and_others_hear_all() {
    let (mut publisher, feed) = feed();
    let relay = DemoRelay::start("relay1", feed).await.unwrap();
    let (_slow, _) = tune_in(&relay).await;
    let (mut good, head) = tune_in(&relay).await;
    let mut heard = head.rest.len();
    assert_eq!(relay.listeners(), 2);
    let mut sent = 0;
    // A socket's buffers take megabytes before the relay notices; the programme runs as fast as the good one hears.
    while relay.listeners() == 2 {
        publisher.publish(Block {
            audio: vec![7; 1400].into(),
            title: "".into(),
        });
        sent += 1400;
        assert!(sent < 100_000_000, "never dropped");
        let mut block = vec![0; sent - heard];
        within(good.read_exact(&mut block)).await.unwrap();
        heard = sent;
    }
    assert_eq!((relay.listeners(), heard), (1, sent));
    assert!(sent > 524_288, "dropped after {sent} bytes");
}

#[tokio::test]
async fn a_killed_relay_breaks_off_and_comes_back_on_its_port() {
    let (_on_air, mut relay, _) = relays().await;
    let (mut stream, mut head) = tune_in(&relay).await;
    relay.kill().await;
    // Reset or closed, both are an end.
    let _ = within(stream.read_to_end(&mut head.rest)).await;
    assert!(!relay.is_alive());
    assert_eq!(relay.listeners(), 0);
    let refused = TcpStream::connect(relay.address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    let address = relay.address();
    relay.revive().await.unwrap();
    assert_eq!(relay.address(), address);
    let (_stream, head) = tune_in(&relay).await;
    assert_eq!(head.first_line(), "HTTP/1.0 200 OK");
    assert_eq!(relay.listeners(), 1);
}

#[tokio::test]
async fn the_programme_s_end_closes_the_stream_with_its_last_byte() {
    let (mut publisher, feed) = feed();
    let relay = DemoRelay::start("relay1", feed).await.unwrap();
    let (mut stream, mut head) = tune_in(&relay).await;
    publisher.publish(Block {
        audio: b"last".as_slice().into(),
        title: "".into(),
    });
    drop(publisher);
    within(stream.read_to_end(&mut head.rest)).await.unwrap();
    assert_eq!(head.rest, b"last");
}
