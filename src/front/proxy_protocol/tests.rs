use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::*;

mod laws;

/// What lies behind the header and belongs to others.
const BEHIND: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

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

/// Reads a header from a connection; tells how many bytes were taken, too.
fn read_from(bytes: &[u8], step: usize) -> (Result<Option<SocketAddr>, Malformed>, usize) {
    let mut stream = Trickle { bytes, step };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let read = runtime.block_on(read(&mut stream));
    (read, bytes.len() - stream.bytes.len())
}

/// What a whole header says, of which neither more nor less may be taken.
fn heard(header: &[u8]) -> Option<SocketAddr> {
    let bytes = [header, BEHIND].concat();
    let [one, all] = [1, usize::MAX].map(|step| {
        let (read, taken) = read_from(&bytes, step);
        assert_eq!(taken, header.len(), "{}", header.escape_ascii());
        read.unwrap()
    });
    assert_eq!(one, all);
    all
}

/// Why a header is not taken.
fn refused(header: &[u8]) -> Malformed {
    read_from(&[header, BEHIND].concat(), usize::MAX)
        .0
        .expect_err(&header.escape_ascii().to_string())
}

fn address(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, block].concat()
}

const IPV4: [u8; 12] = [192, 168, 0, 1, 192, 168, 0, 11, 0xdc, 0x04, 0x01, 0xbb];

#[test]
fn lines_of_the_specification() {
    let lines = [
        // Its example.
        (
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443",
            address("192.168.0.1:56324"),
        ),
        // The longest lines.
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535",
            address("255.255.255.255:65535"),
        ),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
            address("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        ),
        (
            "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
            None,
        ),
        // The shortest.
        ("PROXY UNKNOWN", None),
        ("PROXY TCP4 0.0.0.0 0.0.0.0 0 0", address("0.0.0.0:0")),
        ("PROXY TCP6 :: :: 0 0", address("[::]:0")),
        // Whatever follows UNKNOWN is ignored.
        ("PROXY UNKNOWN a b c d e f g", None),
        // Either case, either parity of length.
        (
            "PROXY TCP6 2001:DB8::1 2001:db8::2 1 22",
            address("[2001:db8::1]:1"),
        ),
        (
            "PROXY TCP6 2001:DB8::1 2001:db8::2 1 2",
            address("[2001:db8::1]:1"),
        ),
        (
            "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2",
            address("192.0.2.1:1"),
        ),
    ];
    for (line, source) in lines {
        assert_eq!(heard(format!("{line}\r\n").as_bytes()), source, "{line}");
    }
}

#[test]
fn lines_that_are_not_the_specifications() {
    let lines = [
        "PROXY TCP4 1.2.3.4 5.6.7.8 +80 90\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 080 90\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 80 090\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 00 90\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 65536 90\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 80\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 80 90 \r\n",
        "PROXY TCP4  1.2.3.4 5.6.7.8 80 90\r\n",
        "PROXY  TCP4 1.2.3.4 5.6.7.8 80 90\r\n",
        "PROXY TCP4 01.2.3.4 5.6.7.8 80 90\r\n",
        "PROXY TCP4 1.2.3.256 5.6.7.8 80 90\r\n",
        "PROXY TCP4 ::1 ::2 80 90\r\n",
        "PROXY TCP6 1.2.3.4 5.6.7.8 80 90\r\n",
        "PROXY TCP6 fe80::1%eth0 ::2 80 90\r\n",
        "PROXY TCP4 1.2.3.4 ::2 80 90\r\n",
        "PROXY TCP5 1.2.3.4 5.6.7.8 80 90\r\n",
        "PROXY tcp4 1.2.3.4 5.6.7.8 80 90\r\n",
        "PROXY UNKNOWNx\r\n",
        "PROXY UNKNOWN\n\r\n",
        "PROXY UNKNOWN \n\r\n",
        "PROXY UNKNOWN \rx\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 80 90\nGET / HTTP/1.1\r\n",
    ];
    for line in lines {
        assert!(
            matches!(refused(line.as_bytes()), Malformed::Line),
            "{line:?}"
        );
    }
    let not_text = [b"PROXY UNKNOWN ".as_slice(), &[0xff, 0xfe], b"\r\n"].concat();
    assert!(matches!(refused(&not_text), Malformed::Line));
}

#[test]
fn a_line_ends_within_107_bytes() {
    let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    assert_eq!(heard(line(106).as_bytes()), None);
    assert_eq!(heard(line(107).as_bytes()), None);
    for length in [108, 109, 5000] {
        let (read, taken) = read_from(line(length).as_bytes(), usize::MAX);
        assert!(matches!(read, Err(Malformed::Endless)), "{read:?}");
        assert!(taken <= LINE_LIMIT_BYTES);
    }
}

#[test]
fn blocks_of_the_specification() {
    let ipv6: Vec<u8> = [
        "2001:db8::1"
            .parse::<Ipv6Addr>()
            .unwrap()
            .octets()
            .as_slice(),
        &[9; 16],
        &[0x04, 0xd2, 0x01, 0xbb],
    ]
    .concat();
    let mapped = {
        let mut mapped = ipv6.clone();
        let source = "::ffff:192.0.2.1".parse::<Ipv6Addr>().unwrap();
        mapped[..16].copy_from_slice(&source.octets());
        mapped
    };
    let with_more = |block: &[u8], more| [block, &vec![4; more]].concat();
    let [v4, v6] = [address("192.168.0.1:56324"), address("[2001:db8::1]:1234")];
    let headers = [
        (v2(0x21, 0x11, &IPV4), v4),
        (v2(0x21, 0x12, &IPV4), v4),
        (v2(0x21, 0x21, &ipv6), v6),
        (v2(0x21, 0x22, &ipv6), v6),
        (v2(0x21, 0x21, &mapped), address("192.0.2.1:1234")),
        // What is added is passed over, whatever it is.
        (v2(0x21, 0x11, &with_more(&IPV4, 1)), v4),
        (v2(0x21, 0x11, &with_more(&IPV4, 128)), v4),
        (v2(0x21, 0x11, &with_more(&IPV4, 4096 - 12)), v4),
        (v2(0x21, 0x21, &with_more(&ipv6, 300)), v6),
        // Nobody with an IP address.
        (v2(0x21, 0x31, &[0; 216]), None),
        (v2(0x21, 0x32, &[0; 216]), None),
        (v2(0x21, 0x00, &[]), None),
        (v2(0x21, 0x00, &IPV4), None),
        (v2(0x21, 0x10, &IPV4), None),
        (v2(0x21, 0x01, &IPV4), None),
        // The family and the addresses of LOCAL are ignored, its length is not.
        (v2(0x20, 0x00, &[]), None),
        (v2(0x20, 0x11, &[]), None),
        (v2(0x20, 0x11, &IPV4), None),
        (v2(0x20, 0xff, &[0; 7]), None),
    ];
    for (header, source) in headers {
        assert_eq!(heard(&header), source, "{}", header.escape_ascii());
    }
}

#[test]
fn blocks_that_are_not_the_specifications() {
    for command in [0x00, 0x10, 0x11, 0x22, 0x2f, 0x31] {
        let refusal = refused(&v2(command, 0x11, &IPV4));
        assert!(matches!(refusal, Malformed::Command(it) if it == command));
    }
    for family in [0x03, 0x13, 0x23, 0x33, 0x40, 0x41, 0xff] {
        let refusal = refused(&v2(0x21, family, &IPV4));
        assert!(matches!(refusal, Malformed::Family(it) if it == family));
    }
    for (family, length) in [
        (0x11, 0),
        (0x11, 11),
        (0x21, 35),
        (0x00, 4097),
        (0x11, 65_535),
    ] {
        let (read, taken) = read_from(&v2(0x21, family, &vec![0; length]), usize::MAX);
        assert!(matches!(read, Err(Malformed::Length(it)) if it == length));
        assert_eq!(taken, 16, "nothing is read of what is not wanted");
    }
}

#[test]
fn what_is_no_header_is_known_by_its_first_bytes() {
    let others: [&[u8]; 6] = [
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello",
        b"PROXYxTCP4 1.2.3.4 5.6.7.8 80 90\r\n",
        b"proxy TCP4 1.2.3.4 5.6.7.8 80 90\r\n",
        b"\r\n\r\n\0\r\nQUIT\r\x21\x11\0\x0c",
        b"\r\n\r\nGET / HTTP/1.1\r\n",
    ];
    for bytes in others {
        let (read, taken) = read_from(bytes, usize::MAX);
        assert!(matches!(read, Err(Malformed::Missing)), "{read:?}");
        assert_eq!(taken, SHORTEST_LINE_BYTES);
    }
}

#[test]
fn a_header_that_is_cut_is_none() {
    let line = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".to_vec();
    for header in [line, v2(0x21, 0x11, &[&IPV4[..], &[0; 9]].concat())] {
        for length in 0..header.len() {
            let (read, taken) = read_from(&header[..length], usize::MAX);
            assert!(matches!(read, Err(Malformed::Cut(_))), "{length}: {read:?}");
            assert_eq!(taken, length);
        }
    }
}
