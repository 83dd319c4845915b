use proptest::prelude::*;

use super::*;

/// Bytes that come far: a right beginning and something behind.
fn beginnings() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "TCP4", "TCP6", "UNKNOWN", "1.2.3.4", "::1", "80", "+1", "\r", "\n", " ", "\r\n",
    ];
    let line = prop::collection::vec(prop::sample::select(words.to_vec()), 0..12)
        .prop_map(|words| format!("PROXY {}", words.join(" ")).into_bytes());
    let block = (0x1f..0x23_u8, any::<u8>(), 0..60_u16, any::<[u8; 64]>()).prop_map(
        |(command, family, length, block)| {
            [SIGNATURE, &[command, family], &length.to_be_bytes(), &block].concat()
        },
    );
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![line, block, bytes]
}

proptest! {
    #[test]
    fn whatever_comes_is_read_one_way_and_not_behind_its_end(
        start in beginnings(),
        more in prop::collection::vec(any::<u8>(), 0..40),
        step in 1..40_usize,
    ) {
        let bytes = [start, more].concat();
        let (read, taken) = read_from(&bytes, step);
        let (again, taken_again) = read_from(&bytes, usize::MAX);
        prop_assert_eq!(format!("{read:?}"), format!("{again:?}"));
        prop_assert_eq!(taken, taken_again);
        if read.is_err() {
            return Ok(());
        }
        let header = &bytes[..taken];
        match header.strip_prefix(SIGNATURE) {
            Some(rest) => {
                let length = u16::from_be_bytes([rest[2], rest[3]]);
                prop_assert_eq!(taken, 16 + usize::from(length));
            }
            None => {
                let end = header.windows(2).position(|it| it == b"\r\n");
                prop_assert_eq!(end, Some(taken - 2));
            }
        }
    }

    #[test]
    fn whoever_is_announced_is_heard(source: SocketAddr, destination: SocketAddr) {
        let canonical = SocketAddr::new(source.ip().to_canonical(), source.port());
        let destination = SocketAddr::new(
            match source.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            },
            destination.port(),
        );
        let ips = [source.ip(), destination.ip()];
        let ports = [source.port(), destination.port()];
        let family = if source.is_ipv4() { 4 } else { 6 };
        let line = format!("PROXY TCP{family} {} {} {} {}\r\n", ips[0], ips[1], ports[0], ports[1]);
        prop_assert_eq!(heard(line.as_bytes()), Some(canonical));
        let octets = ips.map(|ip| match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        });
        let block = [octets.concat(), ports.map(u16::to_be_bytes).concat()].concat();
        let family = if source.is_ipv4() { 0x11 } else { 0x21 };
        prop_assert_eq!(heard(&v2(0x21, family, &block)), Some(canonical));
    }
}
