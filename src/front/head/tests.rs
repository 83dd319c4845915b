//! Heads that are judged, whole and cut.

use super::*;
use proptest::prelude::*;

const OK: &str = "GET /live.mp3 HTTP/1.1\r\nHost: radio\r\n\r\n";

fn status(head: &[u8]) -> u16 {
    inspect(head).map_or_else(Refusal::status, |_| 200)
}

fn with_field(field: &str) -> Vec<u8> {
    format!("GET /live.mp3 HTTP/1.1\r\nHost: radio\r\n{field}\r\n\r\n").into_bytes()
}

#[test]
fn the_vectors_of_smuggling_and_poisoning_are_refused() {
    let many = (0..300)
        .map(|i| format!("X-{i}: y\r\n"))
        .collect::<String>();
    let vectors: Vec<(&str, Vec<u8>, u16)> = vec![
        ("plain", OK.into(), 200),
        (
            "CL + TE",
            with_field("Content-Length: 5\r\nTransfer-Encoding: chunked"),
            400,
        ),
        (
            "TE + CL 0",
            with_field("Transfer-Encoding: chunked\r\nContent-Length: 0"),
            400,
        ),
        (
            "TE in 1.0",
            b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            400,
        ),
        (
            "TE identity",
            with_field("Transfer-Encoding: chunked, identity"),
            400,
        ),
        (
            "TE xchunked",
            with_field("Transfer-Encoding: xchunked"),
            400,
        ),
        (
            "two CL differ",
            with_field("Content-Length: 0\r\nContent-Length: 1"),
            400,
        ),
        (
            "two CL same",
            with_field("Content-Length: 0\r\nContent-Length: 0"),
            400,
        ),
        ("CL +1", with_field("Content-Length: +1"), 400),
        ("CL 0", with_field("Content-Length: 0"), 200),
        ("space before colon", with_field("X-A : b"), 400),
        ("NUL in value", with_field("X-A: b\0c"), 400),
        ("obs-fold", with_field("X-A: b\r\n c"), 400),
        ("bare CR in value", with_field("X-A: b\rc"), 400),
        ("bare LF", b"GET / HTTP/1.1\nHost: radio\n\n".into(), 200),
        ("no Host in 1.1", b"GET / HTTP/1.1\r\n\r\n".into(), 400),
        ("no Host in 1.0", b"GET / HTTP/1.0\r\n\r\n".into(), 200),
        ("two Host", with_field("Host: radio"), 400),
        (
            "Host userinfo",
            b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n".into(),
            400,
        ),
        (
            "absolute-form",
            b"GET http://evil/ HTTP/1.1\r\nHost: radio\r\n\r\n".into(),
            400,
        ),
        (
            "absolute-form = Host",
            b"GET http://radio/ HTTP/1.1\r\nHost: radio\r\n\r\n".into(),
            400,
        ),
        (
            "asterisk",
            b"OPTIONS * HTTP/1.1\r\nHost: radio\r\n\r\n".into(),
            400,
        ),
        (
            "CONNECT",
            b"CONNECT radio:80 HTTP/1.1\r\nHost: radio:80\r\n\r\n".into(),
            405,
        ),
        (
            "POST",
            b"POST / HTTP/1.1\r\nHost: radio\r\n\r\n".into(),
            405,
        ),
        (
            "space in target",
            b"GET /a b HTTP/1.1\r\nHost: radio\r\n\r\n".into(),
            400,
        ),
        (
            "8-bit in target",
            b"GET /\xe9 HTTP/1.1\r\nHost: radio\r\n\r\n".into(),
            400,
        ),
        (
            "fragment",
            b"GET /a#b HTTP/1.1\r\nHost: radio\r\n\r\n".into(),
            400,
        ),
        ("300 headers", with_field(many.trim_end()), 431),
        (
            "10 KB target",
            format!("GET /{} HTTP/1.1\r\nHost: r\r\n\r\n", "a".repeat(10_000)).into(),
            414,
        ),
        ("HTTP/0.9", b"GET /\r\n\r\n".into(), 400),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\n".into(), 400),
        (
            "upgrade",
            with_field("Connection: upgrade\r\nUpgrade: websocket"),
            200,
        ),
    ];
    for (name, head, expected) in vectors {
        assert_eq!(status(&head), expected, "{name}");
    }
}

#[test]
fn a_connection_is_kept_as_its_version_and_the_listener_say() {
    for (version, field, kept) in [
        ("1.1", "", true),
        ("1.0", "", false),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "connection: keep-alive, Close\r\n", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.1", "Connection: upgrade\r\n", true),
        (
            "1.1",
            "Connection: close\r\nConnection: keep-alive\r\n",
            false,
        ),
    ] {
        let head = format!("GET / HTTP/{version}\r\nHost: a\r\n{field}\r\n");
        assert_eq!(
            inspect(head.as_bytes()).unwrap().keeps_alive,
            kept,
            "{head}"
        );
    }
}

#[test]
fn a_head_without_an_end_is_told_by_what_fills_it() {
    let long_target = format!("GET /{}", "a".repeat(HEAD_LIMIT_BYTES));
    assert_eq!(oversize(long_target.as_bytes()), Refusal::TargetTooLong);
    let long_field = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(HEAD_LIMIT_BYTES));
    assert_eq!(oversize(long_field.as_bytes()), Refusal::HeadTooLarge);
}

#[test]
fn the_end_is_found_wherever_the_reads_were_cut() {
    for head in [OK, "GET / HTTP/1.0\n\n", "GET / HTTP/1.0\r\nA: b\n\r\n"] {
        let bytes = [head.as_bytes(), b"GET /next"].concat();
        for cut in 0..head.len() {
            assert_eq!(end_of_head(&bytes[..cut], 0), None, "{head:?} cut at {cut}");
            assert_eq!(
                end_of_head(&bytes, cut),
                Some(head.len()),
                "{head:?} after {cut}"
            );
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), searched in 0usize..500) {
        let _ = (inspect(&bytes), end_of_head(&bytes, searched), oversize(&bytes));
    }

    #[test]
    fn what_passes_is_origin_form_in_ascii(target in "\\PC{0,40}") {
        let head = format!("GET {target} HTTP/1.0\r\n\r\n");
        if inspect(head.as_bytes()).is_ok() {
            prop_assert!(target.starts_with('/'));
            prop_assert!(target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
        }
    }
}

#[test]
fn whatever_passes_is_a_target_that_pingora_takes_too() {
    let mut passed = 0;
    for byte in 0x21..0x7f_u8 {
        for target in [
            format!("/a{}b", byte as char),
            format!("/a?b={}c", byte as char),
        ] {
            let head = format!("GET {target} HTTP/1.0\r\n\r\n");
            if inspect(head.as_bytes()).is_ok() {
                passed += 1;
                assert!(target.parse::<http::Uri>().is_ok(), "{target}");
            }
        }
    }
    assert_eq!(passed, 2 * (94 - 5));
}

#[test]
fn other_methods_are_told_so_with_a_body_too() {
    let post = b"POST /live.mp3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(status(post), 405);
    let get = b"GET /live.mp3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(status(get), 400);
}
