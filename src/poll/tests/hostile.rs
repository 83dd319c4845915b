//! No document panics a parser, makes it slow, or makes it count wrong.

use std::time::{Duration, Instant};

use super::super::{Unreadable, admin_stats, shoutcast1, shoutcast2, status_json};
use super::{Parser, data, shown};

pub const PARSERS: [Parser; 4] = [
    admin_stats::parse,
    status_json::parse,
    shoutcast1::parse,
    shoutcast2::parse,
];

/// A quarter of the largest page, for the test's own haste.
const BULK_BYTES: usize = 256 * 1024;

/// A debug build takes a tenth of a second at most; quadratic work on that much takes minutes.
const LINEAR: Duration = Duration::from_secs(10);

pub fn survive(body: &[u8]) {
    for parse in PARSERS {
        let _ = parse(body);
    }
}

#[test]
fn a_document_cut_anywhere_is_unreadable() {
    let json = data("status-json/2.4.4-master-5mounts.json");
    let json = json.trim_ascii_end();
    let xml = data("admin/stats-one-source.xml");
    let xml = xml.trim_ascii_end();
    assert!(json.len() > 1000 && xml.len() > 1000);
    for end in 0..json.len() {
        survive(&json[..end]);
        assert!(
            status_json::parse(&json[..end]).is_err(),
            "json cut at {end}"
        );
    }
    for end in 0..xml.len() {
        survive(&xml[..end]);
        assert!(admin_stats::parse(&xml[..end]).is_err(), "xml cut at {end}");
    }
}

#[test]
fn an_empty_document_is_unreadable() {
    for parse in PARSERS {
        assert!(parse(b"").is_err());
        assert!(parse(b"null").is_err());
        assert!(parse(b"{}").is_err());
        assert!(parse(b"<html><body>It works!</body></html>").is_err());
    }
}

#[test]
fn deep_nesting_ends_without_a_stack_overflow() {
    const DEPTH: usize = 100_000;
    let arrays = "[".repeat(DEPTH);
    let sources = r#"{"icestats":{"source":"#.to_owned() + &arrays;
    let titles = r#"{"icestats":{"source":{"title":"#.to_owned() + &arrays;
    let objects = r#"{"icestats":"#.to_owned() + &r#"{"a":"#.repeat(DEPTH);
    let elements = "<icestats>".to_owned() + &"<a>".repeat(DEPTH);
    for document in [arrays, sources, titles, objects, elements] {
        for parse in PARSERS {
            assert!(parse(document.as_bytes()).is_err());
        }
    }
    let closed =
        "<icestats>".to_owned() + &"<a>".repeat(DEPTH) + &"</a>".repeat(DEPTH) + "</icestats>";
    assert_eq!(shown(admin_stats::parse(closed.as_bytes())), "0: ");
}

fn json_of(sources: usize) -> String {
    let list: Vec<_> = (0..sources)
        .map(|n| format!(r#"{{"listeners":1,"listenurl":"http://a/{n}","stream_start":1}}"#))
        .collect();
    format!(r#"{{"icestats":{{"source":[{}]}}}}"#, list.join(","))
}

fn xml_of(sources: usize) -> String {
    let list: String = (0..sources)
        .map(|n| format!(r#"<source mount="/{n}"><listeners>1</listeners></source>"#))
        .collect();
    format!("<icestats>{list}</icestats>")
}

#[test]
fn ten_thousand_mounts_are_read_and_no_more() {
    for (json, xml) in [(json_of(10_000), xml_of(10_000))] {
        let reports = [
            status_json::parse(json.as_bytes()).unwrap(),
            admin_stats::parse(xml.as_bytes()).unwrap(),
        ];
        for report in reports {
            assert_eq!(report.mounts.len(), 10_000);
            assert_eq!(report.listeners, 10_000);
        }
    }
    for sources in [10_001, 100_000] {
        assert!(status_json::parse(json_of(sources).as_bytes()).is_err());
        let error = admin_stats::parse(xml_of(sources).as_bytes()).unwrap_err();
        assert!(matches!(error, Unreadable::TooManyMounts), "{error}");
    }
}

#[test]
fn any_bulk_is_read_in_linear_time() {
    let head = r#"{"icestats":{"source":{"listenurl":"http://a/x","title":"#;
    for filling in [
        "\u{1}",
        " ",
        "-",
        "\\",
        "\\u",
        "\"",
        ":,",
        ": ,",
        "[",
        "{",
        "null,",
        "&",
        "&amp;",
        "&#",
        "%25",
        "/",
        ",",
        "é",
        "<body>",
        "</body>",
        "<a ",
        "<",
        "a='' ",
        "<source>",
        "<source mount='/x'/>",
        "<!--",
        "<!DOCTYPE ",
        "<![CDATA[",
        "]]>",
        "<a>",
        "</a>",
    ] {
        let filler = filling.repeat(BULK_BYTES / filling.len());
        let element = format!("<icestats><source {filler}");
        let text = format!("<icestats><source mount='/x'><title>{filler}");
        let documents = [
            format!("{head}{filler}"),
            format!("{head}\"{filler}"),
            format!("<icestats>{filler}"),
            element,
            text,
            filler,
        ];
        for document in documents {
            let began = Instant::now();
            survive(document.as_bytes());
            let took = began.elapsed();
            assert!(took < LINEAR, "{filling:?}: {took:?}");
        }
    }
}

#[test]
fn hostile_numbers_are_clamped_or_ignored() {
    for (number, expected) in [
        ("-1", 0),
        ("-1e300", 0),
        ("1e300", u32::MAX),
        ("99999999999999999999999999", u32::MAX),
        ("4294967296", u32::MAX),
        ("\"12\"", 12),
        ("\"-12\"", 0),
        ("\"99999999999999999999999999\"", u32::MAX),
        ("2.7", 2),
        ("1e999", 0),
        ("true", 0),
        ("null", 0),
        ("[1]", 0),
        ("{\"a\":1}", 0),
    ] {
        let source = format!(r#"{{"listenurl":"http://a/x","listeners":{number}}}"#);
        let body = format!(r#"{{"icestats":{{"source":{source}}}}}"#);
        let report = status_json::parse(body.as_bytes());
        let report = report.unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(report.mounts[0].listeners, expected, "{number}");
    }
}

#[test]
fn sums_saturate() {
    let source = |path| format!(r#"{{"listenurl":"http://a{path}","listeners":4294967295}}"#);
    let (one, two) = (source("/1"), source("/2"));
    let body = format!(r#"{{"icestats":{{"source":[{one},{two}]}}}}"#);
    assert_eq!(
        status_json::parse(body.as_bytes()).unwrap().listeners,
        u32::MAX
    );
}

#[test]
fn each_path_is_listed_once_in_its_best_kind() {
    let running = r#"{"listenurl":"http://a/x","listeners":2,"stream_start":"now"}"#;
    let virtual_ = r#"{"listenurl":"http://b/x","listeners":9}"#;
    let body = format!(r#"{{"icestats":{{"source":[{virtual_},{running}]}}}}"#);
    assert_eq!(
        shown(status_json::parse(body.as_bytes())),
        "2: running /x 2"
    );
}

#[test]
fn a_mount_is_the_path_decoded_once() {
    for (url, path) in [
        ("http://a:8000/x%20y", Some("/x y")),
        ("http://a/100%2525", Some("/100%25")),
        ("http://[::1]:8000/x?a=b", Some("/x?a=b")),
        ("/x", Some("/x")),
        ("http://a/caf%C3%A9", Some("/café")),
        ("http://a/%ff", None),
        ("http://a/x%0d%0aSet-Cookie:y", None),
        ("http://a", None),
        ("", None),
    ] {
        assert_eq!(
            super::super::text::path_of_url(url).as_deref(),
            path,
            "{url}"
        );
    }
}

#[test]
fn bad_utf8_is_tolerated_in_text() {
    let mut json =
        br#"{"icestats":{"source":{"listenurl":"http://a/x","listeners":3,"title":"caf"#.to_vec();
    json.extend(b"\xe9\"}}}");
    let report = status_json::parse(&json).unwrap();
    assert_eq!(report.mounts[0].title.as_deref(), Some("caf\u{fffd}"));
    let mut xml = br#"<icestats><source mount="/x"><listeners>3</listeners><title>caf"#.to_vec();
    xml.extend(b"\xe9</title></source></icestats>");
    let report = admin_stats::parse(&xml).unwrap();
    assert_eq!(report.mounts[0].title.as_deref(), Some("caf\u{fffd}"));
    assert_eq!(report.listeners, 3);
}

#[test]
fn a_title_cannot_steer_a_terminal() {
    let json =
        br#"{"icestats":{"source":{"listenurl":"http://a/x","title":"\u001b[31mred\u0007"}}}"#;
    let xml =
        br#"<icestats><source mount="/x"><title>&#27;[31mred&#x7;</title></source></icestats>"#;
    let v1 = b"<body>1,1,1,1,1,128,\x1b[31mred\x07</body>";
    for report in [
        status_json::parse(json),
        admin_stats::parse(xml),
        shoutcast1::parse(v1),
    ] {
        assert_eq!(report.unwrap().mounts[0].title.as_deref(), Some("[31mred"));
    }
}

#[test]
fn many_attributes_are_read_in_linear_time() {
    let attributes: String = (0..60_000).map(|n| format!("a{n}='' ")).collect();
    let document = format!("<icestats><source {attributes}mount='/x'/></icestats>");
    let began = Instant::now();
    assert_eq!(
        shown(admin_stats::parse(document.as_bytes())),
        "0: virtual /x 0"
    );
    assert!(began.elapsed() < LINEAR);
}

#[test]
fn entities_of_a_dtd_are_not_expanded() {
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "boom"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>"#;
    let body = format!(
        r#"{bomb}<icestats><source mount="/x"><title>1 &amp; 2 &#60;&b;&c;&gt; &</title></source></icestats>"#
    );
    let report = admin_stats::parse(body.as_bytes()).unwrap();
    assert_eq!(report.mounts[0].title.as_deref(), Some("1 & 2 <> &"));
}
