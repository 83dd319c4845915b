//! A listener's request. Laws: the head ends in one place, however it comes, and there for a second reader too; what is let
//! in has no body, one host and a target that leads nowhere else.
#![no_main]

use http::Method;
use icecast_balancer_fuzz::front::Scheme;
use icecast_balancer_fuzz::front::ask::{Ask, playlist_of};
use icecast_balancer_fuzz::front::head::{Head, end_of_head, inspect, oversize};
use icecast_balancer_fuzz::front::scheme::scheme_of;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = oversize(input);
    let end = end_of_head(input, 0);
    let known_bytes = end.unwrap_or(input.len());
    for searched in 0..known_bytes {
        assert_eq!(end_of_head(&input[..searched], 0), None);
        assert_eq!(end_of_head(input, searched), end, "{searched} searched");
    }
    let bytes = &input[..known_bytes];
    let Ok(head) = inspect(bytes) else { return };
    assert!(end.is_some());
    assert_eq!(inspect(input).as_ref(), Ok(&head));
    assert_unambiguous(bytes, &head);
    assert_leads_nowhere_else(&head);
    let scheme = scheme_of(Scheme::Http, head.forwarded_proto, || Some([192, 0, 2, 1].into()), &[]);
    assert_eq!(scheme, Scheme::Http);
});

fn assert_unambiguous(bytes: &[u8], head: &Head<'_>) {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    assert_eq!(
        request.parse(bytes),
        Ok(httparse::Status::Complete(bytes.len()))
    );
    assert_eq!(request.path, Some(head.target));
    let values = |name: &'static str| {
        let named = request
            .headers
            .iter()
            .filter(move |it| it.name.eq_ignore_ascii_case(name));
        named.map(|it| it.value)
    };
    let hosts = values("host").count();
    assert!(hosts == 1 || hosts == 0 && request.version == Some(0));
    assert_eq!(values("transfer-encoding").count(), 0);
    let lengths: Vec<&[u8]> = values("content-length").collect();
    assert!(lengths.len() <= 1 && lengths.concat().iter().all(|digit| *digit == b'0'));
    let closes = |value: &[u8]| value.eq_ignore_ascii_case(b"close");
    assert!(!(head.keeps_alive && values("connection").any(closes)));
}

fn assert_leads_nowhere_else(head: &Head<'_>) {
    assert!(head.target.starts_with('/') && head.target.bytes().all(|it| it.is_ascii_graphic()));
    let (path, query) = match head.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (head.target, None),
    };
    let Ok(Ask::Mount { path, .. }) = Ask::of(&Method::GET, path, query) else {
        return;
    };
    assert!(path.starts_with('/') && !path.starts_with("//"));
    assert!(!path.chars().any(char::is_control) && !path.contains('\\'));
    if let Some((mount, playlist)) = playlist_of(&path) {
        assert_eq!([mount, playlist.suffix()].concat(), path);
    }
}
