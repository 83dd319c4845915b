//! Forwarded: whom a proxy in front speaks for, as `X-Forwarded-For` says.
//!
//! In: a request's fields, who connected, whose word is believed. Out: the way that a request came, and who began it.
//!
//! SECURITY: each proxy appends whom it heard, so that what a listener made up himself stands first: he is the last address
//! that is no proxy of ours. Before what cannot be read, anybody may have said anything.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

/// The most addresses of a way: the last ones.
const HOP_LIMIT: usize = 8;

/// The way of a request: what trusted proxies say, and whoever connected, who is last.
pub fn hops(fields: &HeaderMap, peer: Option<IpAddr>, trusted: &[IpNet]) -> Vec<IpAddr> {
    let peer = peer.map(|peer| peer.to_canonical());
    let is_believed = peer.is_none_or(|peer| is_ours(peer, trusted));
    let told = fields
        .get_all("x-forwarded-for")
        .iter()
        .filter(|_| is_believed);
    let told: Vec<&[u8]> = told.map(HeaderValue::as_bytes).collect();
    let told = told.join(&b',');
    let told: Vec<_> = told.split(|byte| *byte == b',').filter_map(entry).collect();
    let known = told.rsplit(Option::is_none).next().unwrap_or_default();
    let known = known.iter().flatten().copied();
    let mut hops: Vec<IpAddr> = known.chain(peer).collect();
    hops.split_off(hops.len().saturating_sub(HOP_LIMIT))
}

/// Address of the client that began a request that came this way.
pub fn listener(hops: &[IpAddr], trusted: &[IpNet]) -> Option<IpAddr> {
    from_listener(hops, trusted).first().copied()
}

/// The listener's address where `value` is all that `X-Forwarded-For` says: as [`hops`] and [`listener`] find it, without
/// a list of the way.
pub fn listener_in(value: &[u8], peer: Option<IpAddr>, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = peer.map(|peer| peer.to_canonical());
    if peer.is_some_and(|peer| !is_ours(peer, trusted)) {
        return peer;
    }
    let mut first = peer;
    let told = value.rsplit(|byte| *byte == b',').filter_map(entry);
    for hop in told.take(HOP_LIMIT - usize::from(peer.is_some())) {
        let Some(hop) = hop else { break };
        first = Some(hop);
        if !is_ours(hop, trusted) {
            break;
        }
    }
    first
}

/// The part of the way that is trusted: the listener's address first, then the proxies between it and us.
///
/// SECURITY: whatever stands before it came from the listener. Icecast-KH takes the first address that it is sent for
/// the listener's, in bans and in statistics.
pub fn from_listener<'a>(hops: &'a [IpAddr], trusted: &[IpNet]) -> &'a [IpAddr] {
    let listener = hops.iter().rposition(|hop| !is_ours(*hop, trusted));
    hops.get(listener.unwrap_or(0)..).unwrap_or_default()
}

fn is_ours(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// What an entry says; `None` where it says nothing, as a second comma does, or that one of ours came by a unix socket (nginx),
/// and nobody in it where it cannot be read.
fn entry(bytes: &[u8]) -> Option<Option<IpAddr>> {
    match bytes.trim_ascii() {
        b"" | b"unix:" => None,
        entry => Some(str::from_utf8(entry).ok().and_then(address)),
    }
}

/// Some proxies tell the port too, and then put IPv6 in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address: Option<IpAddr> = bare.unwrap_or(text).parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    Some(address.or_else(with_port)?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(told: &[&str], peer: Option<&str>) -> (Vec<String>, Option<String>) {
        let mut fields = HeaderMap::new();
        for value in told {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            fields.append("x-forwarded-for", value);
        }
        let trusted = [
            "127.0.0.0/8".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap(),
        ];
        let hops = hops(&fields, peer.map(|peer| peer.parse().unwrap()), &trusted);
        let listener = listener(&hops, &trusted);
        if let [told] = told {
            let peer = peer.map(|peer| peer.parse().unwrap());
            assert_eq!(
                listener_in(told.as_bytes(), peer, &trusted),
                listener,
                "{told}"
            );
        }
        let listener = listener.map(|address| address.to_string());
        (hops.iter().map(ToString::to_string).collect(), listener)
    }

    #[test]
    fn relays_get_no_address_that_the_listener_invented() {
        let trusted = [
            "127.0.0.0/8".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap(),
        ];
        let ips = |text: &str| -> Vec<IpAddr> {
            text.split_terminator(' ')
                .map(|ip| ip.parse().unwrap())
                .collect()
        };
        for (hops, sent) in [
            (
                "203.0.113.66 198.51.100.7 127.0.0.1",
                "198.51.100.7 127.0.0.1",
            ),
            ("198.51.100.7", "198.51.100.7"),
            ("10.9.9.9 127.0.0.1", "10.9.9.9 127.0.0.1"),
            ("", ""),
        ] {
            assert_eq!(from_listener(&ips(hops), &trusted), ips(sent), "{hops}");
        }
    }

    #[test]
    fn the_listener_is_the_last_who_is_no_proxy_of_ours() {
        for (told, peer, hops, listener) in [
            (&[][..], Some("192.0.2.1"), "192.0.2.1", "192.0.2.1"),
            (
                &["198.51.100.7"],
                Some("192.0.2.1"),
                "192.0.2.1",
                "192.0.2.1",
            ),
            (
                &["198.51.100.7"],
                Some("::ffff:127.0.0.1"),
                "198.51.100.7 127.0.0.1",
                "198.51.100.7",
            ),
            (
                &["made.up, 8.8.8.8, 192.0.2.9 ,10.1.1.1"],
                Some("127.0.0.1"),
                "8.8.8.8 192.0.2.9 10.1.1.1 127.0.0.1",
                "192.0.2.9",
            ),
            (
                &["192.0.2.9:4711", "[2001:db8::1]:80,[2001:db8::2]"],
                None,
                "192.0.2.9 2001:db8::1 2001:db8::2",
                "2001:db8::2",
            ),
            (
                &["10.9.9.9"],
                Some("127.0.0.1"),
                "10.9.9.9 127.0.0.1",
                "10.9.9.9",
            ),
            (
                &["1.2.3.4, unknown", "::ffff:192.0.2.9, , unix:"],
                Some("10.0.0.1"),
                "192.0.2.9 10.0.0.1",
                "192.0.2.9",
            ),
            // A proxy that does not say more: whoever stands before it may have made himself up.
            (
                &["8.8.8.8", "unknown"],
                Some("10.0.0.1"),
                "10.0.0.1",
                "10.0.0.1",
            ),
            (&["8.8.8.8, 1.2.3"], None, "", ""),
            // What he says himself does not hide him.
            (
                &["\u{e9}, 192.0.2.9"],
                Some("127.0.0.1"),
                "192.0.2.9 127.0.0.1",
                "192.0.2.9",
            ),
            (
                &["8.8.8.8", "1.2.3.4", "192.0.2.9"],
                Some("127.0.0.1"),
                "8.8.8.8 1.2.3.4 192.0.2.9 127.0.0.1",
                "192.0.2.9",
            ),
        ] {
            let expected = hops.split_terminator(' ').map(str::to_owned).collect();
            let listener = Some(listener).filter(|listener| !listener.is_empty());
            assert_eq!(
                way(told, peer),
                (expected, listener.map(str::to_owned)),
                "{told:?}"
            );
        }
        assert_eq!(way(&["junk"], None), (Vec::new(), None));
        let many = ["192.0.2.1"; 20].join(",");
        assert_eq!(way(&[&many], Some("127.0.0.1")).0.len(), HOP_LIMIT);
        let ours = ["10.0.0.1"; 20].join(",");
        way(&[&format!("192.0.2.1,{ours}")], Some("127.0.0.1"));
        way(&[&format!("192.0.2.1,{ours}")], None);
    }
}
