//! Challenges, and the way to the server when it answers badly.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Folder, own_ip};
use crate::acme::store::Store;
use crate::acme::wire::{AskedToWait, Wire, bound_wait};
use crate::acme::{AcmeError, Challenges, Settings, account};

const DIRECTORY: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\
    {\"newNonce\":\"HERE/n\",\"newAccount\":\"HERE/a\",\"newOrder\":\"HERE/o\"}";

const NONCE: &str = "HTTP/1.1 200 OK\r\nReplay-Nonce: n\r\nConnection: close\r\n\r\n";

fn settings_for(directory: String, state: &Folder) -> Settings {
    Settings {
        domains: vec!["radio.test".to_owned()],
        email: None,
        directory,
        binding: None,
        state_dir: state.join("state"),
        ca_file: None,
    }
}

/// A server with this directory, or with none, that gives `answer` to everything else.
async fn serve(listener: TcpListener, directory: String, answer: &'static str) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = [0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        let answer = match &request[..read.min(4)] {
            b"GET " if !directory.is_empty() => &directory,
            b"HEAD" => NONCE,
            _ => answer,
        };
        // The client may have heard enough before the end.
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// Registers there; returns the error and how long we are to wait.
async fn refused(directory: &str, answer: &'static str) -> (AcmeError, Option<Duration>) {
    let listener = TcpListener::bind((own_ip(), 14_000)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let directory = directory.replace("HERE", &url);
    let server = tokio::spawn(serve(listener, directory, answer));
    let folder = Folder::new();
    let settings = settings_for(format!("{url}/dir"), &folder);
    crate::tls::install_provider();
    let wire = Wire {
        client: reqwest::Client::builder().no_proxy().build().unwrap(),
        asked_to_wait: AskedToWait::default(),
    };
    let store = Store::new(&settings.state_dir);
    let error = account::register(&settings, &store, &wire).await.err();
    server.abort();
    let wait = wire.asked_to_wait.remaining(SystemTime::now());
    (error.unwrap(), wait)
}

#[tokio::test]
async fn a_proxys_error_page_is_told_as_such() {
    let answer = "HTTP/1.1 503 Away\r\nRetry-After: 7200\r\nConnection: close\r\n\r\n<html>";
    let (error, wait) = refused("", answer).await;
    let text = error.text();
    let begin = "the registration failed: GET http://127.";
    assert!(text.starts_with(begin), "{text}");
    let end = "/dir was answered 503 Service Unavailable";
    assert!(text.ends_with(end), "{text}");
    assert!(wait.unwrap() > Duration::from_secs(7100));
    let (error, _) = refused(DIRECTORY, answer).await;
    let text = error.text();
    let end = "/a was answered 503 Service Unavailable";
    assert!(text.ends_with(end), "{text}");
}

#[tokio::test]
async fn a_server_with_a_limit_is_left_alone_as_long_as_it_wants() {
    let answer = "HTTP/1.1 429 Too Many\r\nRetry-After: 5000\r\nConnection: close\r\n\
        Content-Type: application/problem+json\r\n\r\n\
        {\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many\\nnew accounts\"}";
    let (error, wait) = refused(DIRECTORY, answer).await;
    let text = error.text();
    assert!(text.contains("too many new accounts"), "{text}");
    assert!(wait.unwrap() > Duration::from_secs(4900));
    // Without the head's word, a limit stands for an hour.
    assert_eq!(error.asks_for(), Some(Duration::from_secs(3600)));
}

#[tokio::test]
async fn a_flood_is_not_read_to_its_end() {
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let flood = format!("{head}{}", "x".repeat(2_000_000));
    let (error, _) = refused("", flood.leak()).await;
    let text = error.text();
    assert!(text.contains("at most 1048576 bytes"), "{text}");
}

#[tokio::test]
async fn only_https_is_spoken() {
    let folder = Folder::new();
    let settings = settings_for("http://127.0.0.1:1/dir".to_owned(), &folder);
    let wire = Wire::new(None, Duration::from_secs(1), AskedToWait::default()).unwrap();
    let store = Store::new(&settings.state_dir);
    let error = account::register(&settings, &store, &wire).await.err();
    let text = error.unwrap().text();
    assert!(text.contains("URL scheme is not allowed"), "{text}");
}

#[test]
fn retry_after_is_seconds_or_a_date_and_a_day_at_most() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_000);
    let read = |value: &'static str| {
        let mut head = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
        let until = bound_wait(&mut head, now);
        let left = head.get(RETRY_AFTER);
        let left = left.map(|value| value.to_str().unwrap().to_owned());
        (
            until.map(|until| until.duration_since(now).unwrap().as_secs()),
            left,
        )
    };
    let wait = |seconds: u64| (Some(seconds), Some(seconds.to_string()));
    assert_eq!(read("777"), wait(777));
    assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), wait(777));
    assert_eq!(read("Sun, 06 Nov 1994 08:30:00 GMT"), wait(0));
    assert_eq!(read("18446744073709551615"), wait(86_400));
    assert_eq!(read("Fri, 31 Dec 9999 23:59:59 GMT"), wait(86_400));
    for nonsense in ["soon", "-1", "99999999999999999999"] {
        assert_eq!(read(nonsense), (None, None));
    }
    assert_eq!(bound_wait(&mut HeaderMap::new(), now), None);
}

#[test]
fn challenges_are_answered_while_their_order_runs() {
    let challenges = Challenges::default();
    let mut open = challenges.of_one_order();
    open.open("a-Token_1", "a-Token_1.thumb").unwrap();
    let other = challenges.clone();
    assert_eq!(other.answer("a-Token_1").unwrap(), "a-Token_1.thumb");
    assert_eq!(other.answer("another"), None);
    for wrong in ["", "a/b", "a.b", "a b", "ä", &"x".repeat(257)] {
        assert!(open.open(wrong, "never").is_err(), "{wrong}");
    }
    drop(open);
    assert_eq!(challenges.answer("a-Token_1"), None);
}

#[test]
fn open_challenges_have_a_bound() {
    let challenges = Challenges::default();
    let mut open = challenges.of_one_order();
    for n in 0..200 {
        open.open(&n.to_string(), "").unwrap();
    }
    let error = open.open("one-more", "").unwrap_err();
    assert_eq!(error.to_string(), "expected at most 200 open challenges");
    drop(open);
    assert!(challenges.of_one_order().open("one-more", "").is_ok());
}
