//! The listener's scheme: what it used to reach us, or what a trusted proxy in front of us says it used.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::fleet::Scheme;

/// The scheme of a request from `peer`, who reached us by `own`.
///
/// `forwarded` is the field `X-Forwarded-Proto`.
///
/// SECURITY: it decides between relays' addresses, so it is believed from trusted proxies only. A unix
/// socket (`peer` gives `None`) is reached from this machine only: it is trusted.
pub fn scheme_of(
    own: Scheme,
    forwarded: Option<&[u8]>,
    peer: impl FnOnce() -> Option<IpAddr>,
    trusted: &[IpNet],
) -> Scheme {
    let Some(forwarded) = forwarded else {
        return own;
    };
    let is_trusted = peer().is_none_or(|ip| {
        let ip = ip.to_canonical();
        trusted.iter().any(|net| net.contains(&ip))
    });
    // Behind several proxies the first entry is the listener's.
    let first = forwarded.split(|byte| *byte == b',').next();
    let is = |name: &[u8]| first.is_some_and(|text| text.trim_ascii().eq_ignore_ascii_case(name));
    match is_trusted {
        true if is(b"https") => Scheme::Https,
        true if is(b"http") => Scheme::Http,
        _ => own,
    }
}

/// The scheme of a connection by itself.
pub fn own_scheme(is_on_tls: bool) -> Scheme {
    match is_on_tls {
        true => Scheme::Https,
        false => Scheme::Http,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(own: Scheme, forwarded: Option<&str>, peer: &str) -> Scheme {
        let trusted = [
            "127.0.0.0/8".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap(),
        ];
        scheme_of(
            own,
            forwarded.map(str::as_bytes),
            || Some(peer.parse().unwrap()),
            &trusted,
        )
    }

    #[test]
    fn only_a_trusted_proxy_can_say_https() {
        for (forwarded, peer, expected) in [
            (None, "127.0.0.1", Scheme::Http),
            (Some("https"), "127.0.0.1", Scheme::Https),
            (Some("HTTPS, http"), "10.1.2.3", Scheme::Https),
            (Some("http, https"), "10.1.2.3", Scheme::Http),
            (Some("https"), "::ffff:10.1.2.3", Scheme::Https),
            (Some("https"), "192.0.2.1", Scheme::Http),
            (Some("javascript"), "127.0.0.1", Scheme::Http),
        ] {
            let scheme = scheme(Scheme::Http, forwarded, peer);
            assert_eq!(scheme, expected, "{forwarded:?} from {peer}");
        }
    }

    #[test]
    fn who_came_by_tls_came_by_https_unless_a_trusted_proxy_knows_better() {
        for (forwarded, peer, expected) in [
            (None, "192.0.2.1", Scheme::Https),
            (Some("http"), "192.0.2.1", Scheme::Https),
            (Some("http"), "127.0.0.1", Scheme::Http),
            (Some("gopher"), "127.0.0.1", Scheme::Https),
        ] {
            let scheme = scheme(Scheme::Https, forwarded, peer);
            assert_eq!(scheme, expected, "{forwarded:?} from {peer}");
        }
    }
}
