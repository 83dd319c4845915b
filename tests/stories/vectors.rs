//! Requests that break HTTP or try to: each gets the answer that leaves no doubt where the next request begins.
//!
//! The statuses are stricter than bare Pingora's; what HAProxy, nginx, Caddy and Envoy answer differs from row to row.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::harness::{
    Authority, Balancer, ConfigText, Fleet, PairFiles, TlsClient, answers_to_bytes, eventually,
    seconds,
};

/// A request's bytes, what it is, and the status it gets.
struct Vector(&'static str, Vec<u8>, u16);

fn get(fields: &str) -> Vec<u8> {
    format!("GET /live.mp3 HTTP/1.1\r\nHost: radio\r\n{fields}\r\n").into()
}

fn line(request_line: &str) -> Vec<u8> {
    format!("{request_line}\r\nHost: radio\r\n\r\n").into()
}

fn vectors() -> Vec<Vector> {
    let long = |n: usize| "a".repeat(n);
    let many: String = (0..300).map(|n| format!("X-{n}: y\r\n")).collect();
    vec![
        Vector("plain", get(""), 307),
        Vector(
            "CL + TE",
            get("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"),
            400,
        ),
        Vector(
            "TE in 1.0",
            b"GET /live.mp3 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            400,
        ),
        Vector(
            "TE identity",
            get("Transfer-Encoding: chunked, identity\r\n"),
            400,
        ),
        Vector("TE xchunked", get("Transfer-Encoding: xchunked\r\n"), 400),
        Vector(
            "two CL differ",
            get("Content-Length: 0\r\nContent-Length: 1\r\n"),
            400,
        ),
        Vector(
            "two CL same",
            get("Content-Length: 0\r\nContent-Length: 0\r\n"),
            400,
        ),
        Vector("CL +1", get("Content-Length: +1\r\n"), 400),
        Vector("space before colon", get("X : y\r\n"), 400),
        Vector("NUL in value", get("X: a\0b\r\n"), 400),
        Vector("obs-fold", get("X: a\r\n b\r\n"), 400),
        Vector(
            "bare LF",
            b"GET /live.mp3 HTTP/1.1\nHost: radio\n\n".into(),
            307,
        ),
        Vector("bare CR in value", get("X: a\rb\r\n"), 400),
        Vector(
            "no Host in 1.1",
            b"GET /live.mp3 HTTP/1.1\r\n\r\n".into(),
            400,
        ),
        Vector(
            "no Host in 1.0",
            b"GET /live.mp3 HTTP/1.0\r\n\r\n".into(),
            307,
        ),
        Vector("two Host", get("Host: evil\r\n"), 400),
        Vector(
            "Host userinfo",
            b"GET /live.mp3 HTTP/1.1\r\nHost: a@b\r\n\r\n".into(),
            400,
        ),
        Vector(
            "absolute-form != Host",
            line("GET http://evil/live.mp3 HTTP/1.1"),
            400,
        ),
        Vector("CONNECT", line("CONNECT radio:80 HTTP/1.1"), 405),
        Vector("POST", line("POST /live.mp3 HTTP/1.1"), 405),
        Vector(
            "POST with a body",
            b"POST /live.mp3 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx".into(),
            405,
        ),
        Vector("GET with a body", get("Content-Length: 1\r\n"), 400),
        Vector("space in target", line("GET /live.mp3 x HTTP/1.1"), 400),
        Vector(
            "8-bit in target",
            b"GET /\xe9 HTTP/1.1\r\nHost: radio\r\n\r\n".into(),
            400,
        ),
        Vector("fragment in target", line("GET /live.mp3#x HTTP/1.1"), 400),
        Vector("asterisk", line("GET * HTTP/1.1"), 400),
        Vector("two slashes", line("GET //evil.com HTTP/1.1"), 400),
        Vector("backslash", line("GET /\\evil.com HTTP/1.1"), 400),
        Vector(
            "encoded CR LF",
            line("GET /live.mp3%0d%0aX:y HTTP/1.1"),
            400,
        ),
        Vector("300 headers", get(&many), 431),
        Vector(
            "20 KB header",
            get(&format!("X: {}\r\n", long(20_000))),
            431,
        ),
        Vector(
            "64 KB header",
            get(&format!("X: {}\r\n", long(65_536))),
            431,
        ),
        Vector(
            "10 KB target",
            line(&format!("GET /{} HTTP/1.1", long(10_000))),
            414,
        ),
        Vector(
            "40 KB target",
            line(&format!("GET /{} HTTP/1.1", long(40_000))),
            414,
        ),
        Vector(
            "a dot segment is no mount",
            line("GET /./live.mp3 HTTP/1.1"),
            404,
        ),
        Vector(
            "an Icecast page is no mount",
            line("GET /admin/stats HTTP/1.1"),
            404,
        ),
    ]
}

fn status(answer: &str) -> u16 {
    let word = answer.split(' ').nth(1).unwrap_or_default();
    word.parse().unwrap_or(0)
}

#[test]
fn requests_that_break_http_are_refused_and_the_connection_is_closed() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);
    assert_refused(balancer.address());
}

#[test]
fn requests_that_break_http_are_refused_on_tls_too() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let (authority, files) = (Authority::new(), PairFiles::nowhere_yet());
    files.put(
        &authority,
        &["radio.example"],
        &rcgen::PKCS_ECDSA_P256_SHA256,
    );
    let (config, tls) = ConfigText::of(&fleet).and_tls_bind("");
    // What such a listener is answered is about his request, and not about https.
    let config = config.with_relay(1, &format!("public_url = \"https://{}\"", fleet.names()[0]));
    let _balancer = Balancer::with_config(&config.with_section(&files.section()));
    let client = TlsClient::asking_for("radio.example", &authority);
    assert_refused(client.tunnel_to(tls));
}

fn assert_refused(server: SocketAddr) {
    let mut wrong = Vec::new();
    for Vector(name, request, expected) in vectors() {
        let answer = answers_to_bytes(server, &request);
        if status(&answer) != expected {
            wrong.push(format!("{name}: expected {expected}, got {answer:?}"));
        }
        let refused = matches!(expected, 400 | 405 | 414 | 431);
        let by_head = refused && !["two slashes", "backslash", "encoded CR LF"].contains(&name);
        if by_head && !answer.contains("Connection: close") {
            wrong.push(format!("{name}: the connection is not closed: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn requests_in_one_piece_are_answered_one_after_the_other() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);
    let upgrade = get("Connection: upgrade\r\nUpgrade: websocket\r\n");
    let status_page = line("GET /status HTTP/1.1");
    let last = get("Connection: close\r\n");

    let answer = answers_to_bytes(
        balancer.address(),
        &[upgrade, status_page, get(""), last].concat(),
    );

    let statuses: Vec<&str> = answer
        .matches("HTTP/1.1 307")
        .chain(answer.matches("HTTP/1.1 200"))
        .collect();
    assert_eq!(statuses.len(), 4, "{answer}");
    assert!(answer.contains("Connection: close"), "{answer}");
    assert!(!answer.to_lowercase().contains("upgrade"), "{answer}");
}

#[test]
fn a_head_that_comes_byte_by_byte_is_served_when_it_is_whole() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);
    let mut socket = TcpStream::connect(balancer.address()).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(seconds(5))).unwrap();
    for byte in get("Connection: close\r\n") {
        socket.write_all(&[byte]).unwrap();
    }
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), 307, "{answer}");
}

#[test]
fn the_express_lane_and_the_door_answer_alike() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);
    let answer = |request: &[u8]| {
        let text = answers_to_bytes(balancer.address(), request);
        let head = text.split("\r\n\r\n").next().unwrap().to_owned();
        let mut lines: Vec<String> = head
            .lines()
            .filter(|l| !l.starts_with("Date: "))
            .map(str::to_owned)
            .collect();
        assert!(head.contains("\r\nDate: "), "{head}");
        lines.sort_unstable();
        lines
    };
    let printable: String = (b'!'..=b'~')
        .filter(|b| !b"#\"<>`".contains(b))
        .map(char::from)
        .collect();
    let every_byte = format!("/live.mp3?{printable}");
    for target in [
        "/live.mp3",
        "/live.mp3?a=b&c=%20",
        "/%6cive.mp3",
        "/live.mp3?",
        &every_byte,
    ] {
        let request = |fields: &str| {
            format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n")
        };
        let express = answer(request("").as_bytes());
        // An Expect field is nothing for the lane.
        let door = answer(request("Expect: 100-continue\r\n").as_bytes());
        assert_eq!(express, door, "{target}");
        assert!(
            express
                .iter()
                .any(|line| line.starts_with("Location: http://")),
            "{express:?}"
        );
    }
}

#[test]
fn who_reads_no_answer_is_let_go() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);
    for target in ["/live.mp3", "/nope"] {
        let mut deaf = TcpStream::connect(balancer.address()).unwrap();
        deaf.set_write_timeout(Some(seconds(1))).unwrap();
        let question = line(&format!("GET {target} HTTP/1.1")).repeat(100);
        // Until the answers fill every buffer on the way and the balancer reads no more.
        while deaf.write_all(&question).is_ok() {}
        eventually(seconds(25), "the connection is closed", || {
            deaf.write_all(&question).is_err_and(|error| {
                matches!(
                    error.kind(),
                    std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
                )
            })
        });
    }
}

#[test]
fn a_blank_line_behind_a_request_is_no_request() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);
    let two = [get(""), b"\r\n".to_vec(), get("Connection: close\r\n")].concat();
    let answer = answers_to_bytes(balancer.address(), &two);
    assert_eq!(answer.matches("HTTP/1.1 307").count(), 2, "{answer}");
    let trailing = [get(""), b"\r\n".to_vec()].concat();
    let answer = answers_to_bytes(balancer.address(), &trailing);
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}
