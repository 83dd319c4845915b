//! The hello: waits until TLS' first record is whole, so that what a handshake takes is not taken for who only begins one.
//!
//! In: a connection before its first byte. Out: the same, before its first byte again. Whether what is there makes sense
//! is for rustls to judge; here it is only decided whether more is to come first.

use std::io;

use pingora::protocols::l4::stream::Stream as L4Stream;

use super::reading::read_what_is_there;

/// RFC 8446 5.1: type, version and length of a record.
const HEADER_BYTES: usize = 5;

/// RFC 5246 6.2.3: the longest record of any version.
const RECORD_LIMIT_BYTES: usize = (1 << 14) + 2048;

/// Waits until the first record is whole, or can be none; false when the other side hung up. Waits for as long as that
/// takes: the caller sets the deadline.
///
/// # Errors
/// The connection broke.
pub async fn wait(stream: &mut L4Stream) -> io::Result<bool> {
    let mut read = Vec::new();
    while !is_decided(&read) {
        if read_what_is_there(stream, &mut read).await? == 0 {
            return Ok(false);
        }
    }
    stream.rewind(&read);
    Ok(true)
}

/// Whether this is a whole record, or the beginning of none that rustls would wait for.
fn is_decided(read: &[u8]) -> bool {
    match read {
        // RFC 8446 5.1, RFC 6520 3: the types that there are; all versions begin with 3.
        [20..=24, 3, _, high, low, fragment @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            length > RECORD_LIMIT_BYTES || fragment.len() >= length
        }
        _ => read.len() >= HEADER_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_waited_for_to_its_last_byte() {
        let record = [&[22, 3, 1, 1, 2][..], &[7; 258]].concat();
        assert!((0..record.len()).all(|length| !is_decided(&record[..length])));
        assert!(is_decided(&record));
        assert!(is_decided(&[&record[..], &[22]].concat()));
    }

    #[test]
    fn what_can_be_no_record_is_not_waited_for() {
        for other in [
            &b"GET / HTTP/1.1"[..],
            b"\r\n\r\n\0\r\n",
            &[22, 2, 0, 0, 9],
            &[22, 3, 1, 255, 255],
        ] {
            assert!(is_decided(other), "{other:?}");
            // No header is shorter, and rustls judges none that is not whole.
            assert!(!is_decided(&other[..4]), "{other:?}");
        }
    }
}
