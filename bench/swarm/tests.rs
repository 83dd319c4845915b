//! The swarm's own eyes: what it must see, and what it must not take for a fault.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy takes only #[test] functions for tests"
)]

#[allow(dead_code, reason = "the swarm uses the rest")]
mod body;
#[allow(dead_code, reason = "the swarm uses the rest")]
mod programme;

use body::{Answer, Fault};
use programme::{Check, Findings, write};

fn piece(from: u64, to: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(from, to, &mut bytes);
    assert_eq!(bytes.len() as u64, to - from);
    bytes
}

/// Checks pieces of the programme one after the other, in reads of `step` bytes.
fn checked(pieces: &[(u64, u64)], step: usize) -> Findings {
    let whole: Vec<u8> = pieces
        .iter()
        .flat_map(|&(from, to)| piece(from, to))
        .collect();
    let mut check = Check::default();
    whole.chunks(step).for_each(|read| check.take(read));
    assert!(check.is_placed());
    check.found
}

#[test]
fn an_unbroken_piece_is_found_clean_wherever_it_begins_and_however_it_is_cut() {
    for from in 0..800 {
        for step in [1, 7, 1_400, 100_000] {
            assert_eq!(checked(&[(from, from + 2_000)], step), Findings::default());
        }
    }
    let late = 16_000 * 86_400 * 365;
    assert_eq!(
        checked(&[(late + 3, late + 50_000)], 999),
        Findings::default()
    );
}

#[test]
fn missing_bytes_are_counted() {
    for missing in [1, 8, 384, 1_400, 64_400] {
        let found = checked(&[(5, 10_000), (10_000 + missing, 90_000)], 1_000);
        let expected = Findings {
            breaks: 1,
            missing_bytes: missing,
            ..Findings::default()
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn repeated_bytes_are_counted() {
    for repeated in [1, 8, 384, 1_400, 9_000] {
        let found = checked(&[(5, 10_000), (10_000 - repeated, 90_000)], 1_000);
        let expected = Findings {
            breaks: 1,
            repeated_bytes: repeated,
            ..Findings::default()
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn several_breaks_add_up() {
    let found = checked(&[(0, 1_000), (1_100, 2_000), (1_500, 3_000)], 64);
    let expected = Findings {
        breaks: 2,
        missing_bytes: 100,
        repeated_bytes: 500,
        ..Findings::default()
    };
    assert_eq!(found, expected);
}

#[test]
fn bytes_that_are_not_the_programme_are_counted_apart() {
    let mut check = Check::default();
    check.take(&piece(0, 1_000));
    check.take(b"StreamTitle='x';");
    check.take(&piece(1_000, 2_000));
    let expected = Findings {
        breaks: 1,
        foreign_bytes: 16,
        ..Findings::default()
    };
    assert_eq!(check.found, expected);
}

#[test]
fn a_changed_byte_is_a_break() {
    let mut bytes = piece(0, 5_000);
    bytes[2_000] ^= 1;
    let mut check = Check::default();
    check.take(&bytes);
    let expected = Findings {
        breaks: 1,
        foreign_bytes: 1,
        missing_bytes: 1,
        ..Findings::default()
    };
    assert_eq!(check.found, expected);
}

#[test]
fn another_stream_is_never_placed() {
    let mut check = Check::default();
    check.take(&[0x55; 10_000]);
    assert!(!check.is_placed());
    assert!(check.found.foreign_bytes > 9_000);
}

/// The body of `answer`, taken in reads of `step` bytes.
fn body_of(answer: &[u8], step: usize) -> Result<(Vec<u8>, Answer), Fault> {
    let mut taken = Answer::new("icy-name");
    let mut body = Vec::new();
    for read in answer.chunks(step) {
        taken.take(read, |audio| body.extend_from_slice(audio))?;
    }
    Ok((body, taken))
}

#[test]
fn a_plain_body_is_all_behind_the_head() {
    let answer =
        b"HTTP/1.0 200 OK\r\nicy-name:relay1\r\nConnection: close\r\n\r\nab\r\n0\r\n\r\ncd";
    for step in 1..answer.len() {
        let (body, taken) = body_of(answer, step).unwrap();
        assert_eq!(body, b"ab\r\n0\r\n\r\ncd");
        assert_eq!(taken.label.as_deref(), Some("relay1"));
        assert!(!taken.is_over());
    }
}

#[test]
fn chunks_are_taken_apart_wherever_they_are_cut() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n00A;x=y\r\n0\r\n1234567\r\n0\r\n\r\n";
    for step in 1..answer.len() {
        let (body, taken) = body_of(answer, step).unwrap();
        assert_eq!(body, b"abc0\r\n1234567");
        assert!(taken.is_over());
    }
}

#[test]
fn an_answer_that_is_no_stream_is_a_fault() {
    let fault = |answer: &[u8]| body_of(answer, 9).unwrap_err();
    assert_eq!(fault(b"HTTP/1.1 503 Busy\r\n\r\n"), Fault::Status(503));
    assert_eq!(fault(b"hello\r\n\r\n"), Fault::Head);
    assert_eq!(fault(&[b'x'; 20_000]), Fault::Head);
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding:chunked\r\n\r\n";
    assert_eq!(fault(&[chunked, &b"3\r\nabcd"[..]].concat()), Fault::Chunk);
    assert_eq!(fault(&[chunked, &b"zz\r\n"[..]].concat()), Fault::Chunk);
}
