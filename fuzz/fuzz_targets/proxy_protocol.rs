//! What a proxy says before a listener's first byte. Laws: it is read to its end and not one byte further, however it comes;
//! a read that is no header has an end too.
#![no_main]

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use icecast_balancer_fuzz::front::proxy_protocol::{Malformed, read};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, ReadBuf};

/// A connection that gives at most `step` bytes at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl AsyncRead for Trickle<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let given = self.bytes.len().min(self.step).min(buf.remaining());
        let (now, later) = self.bytes.split_at(given);
        buf.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

/// What is read from a connection, and how many bytes were taken.
fn read_from(bytes: &[u8], step: usize) -> (Result<Option<SocketAddr>, Malformed>, usize) {
    let mut stream = Trickle { bytes, step };
    let read = pin!(read(&mut stream)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(read) = read else {
        panic!("waits for what is there");
    };
    (read, bytes.len() - stream.bytes.len())
}

fuzz_target!(|bytes: &[u8]| {
    let (read, taken) = read_from(bytes, usize::MAX);
    let (again, taken_again) = read_from(bytes, 1);
    assert_eq!(format!("{read:?}"), format!("{again:?}"));
    assert_eq!(taken, taken_again);
    assert!(taken <= 16 + 4096);
    let Ok(source) = read else { return };
    let header = &bytes[..taken];
    if header.starts_with(b"PROXY ") {
        assert!(taken <= 107);
        let end = header.windows(2).position(|it| it == b"\r\n");
        assert_eq!(end, Some(taken - 2));
    } else {
        let length = u16::from_be_bytes([header[14], header[15]]);
        assert_eq!(taken, 16 + usize::from(length));
    }
    if let Some(source) = source {
        assert_eq!(source.ip(), source.ip().to_canonical());
    }
});
