//! The listener's scheme: what it used to reach us, or what a trusted proxy in front of us says it used.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::fleet::Scheme;

/// The scheme of a request on a plain bind from `peer`.
///
/// `forwarded` is the field `X-Forwarded-Proto`.
///
/// SECURITY: it decides between relays' addresses, so it is believed from trusted proxies only. A unix
/// socket (`peer` gives `None`) is reached from this machine only: it is trusted.
pub fn scheme_of(
    forwarded: Option<&[u8]>,
    peer: impl FnOnce() -> Option<IpAddr>,
    trusted: &[IpNet],
) -> Scheme {
    let Some(forwarded) = forwarded else {
        return Scheme::Http;
    };
    let is_trusted = peer().is_none_or(|ip| {
        let ip = ip.to_canonical();
        trusted.iter().any(|net| net.contains(&ip))
    });
    // Behind several proxies the first entry is the listener's.
    let first = forwarded.split(|byte| *byte == b',').next();
    let is_https = first.is_some_and(|text| text.trim_ascii().eq_ignore_ascii_case(b"https"));
    if is_trusted && is_https {
        Scheme::Https
    } else {
        Scheme::Http
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(forwarded: Option<&str>, peer: &str) -> Scheme {
        let trusted = [
            "127.0.0.0/8".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap(),
        ];
        scheme_of(
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
            assert_eq!(
                scheme(forwarded, peer),
                expected,
                "{forwarded:?} from {peer}"
            );
        }
    }
}
