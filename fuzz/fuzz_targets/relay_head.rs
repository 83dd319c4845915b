//! The head of a relay's answer. Laws: cut anywhere it is not read as another; the head made of it for a listener has
//! just the lines that were meant, and says the same.
#![no_main]

use icecast_balancer::stream::head::{self, RelayHead};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(Some((head, length))) = head::parse(input) else {
        return;
    };
    assert!(length <= input.len());
    for cut in 0..length {
        assert_eq!(head::parse(&input[..cut]), Ok(None), "cut at {cut}");
    }
    assert_eq!(
        head::parse(&input[..length]),
        Ok(Some((head.clone(), length)))
    );
    assert_passes_on(&head);
});

fn assert_passes_on(head: &RelayHead) {
    let text = head.to_http(Some(16_000));
    // More fields than the library's parser takes: Content-Type and icy-metaint are added.
    let mut fields = [httparse::EMPTY_HEADER; 70];
    let mut answer = httparse::Response::new(&mut fields);
    let parsed = answer.parse(&text);
    assert_eq!(parsed, Ok(httparse::Status::Complete(text.len())));
    let (first, rest) = answer.headers.split_first().unwrap();
    let (last, station) = rest.split_last().unwrap();
    assert_eq!((first.name, last.name), ("Content-Type", "icy-metaint"));
    if let Some(content_type) = &head.content_type {
        assert_eq!(first.value, content_type.as_bytes());
    }
    let station = station
        .iter()
        .map(|it| (it.name.to_owned(), it.value.to_vec()));
    assert_eq!(station.collect::<Vec<_>>(), head.station);
}
