//! The upgrade: a browser that came by http to a host that wants https is sent there. Pure.
//!
//! Nobody else is: old radios know no TLS, and a redirect from http to https is where they fall silent.

use crate::config::HttpsHost;
use crate::fleet::Scheme;

/// Every browser's `User-Agent` begins so, and hardly any other player's.
const BROWSER: &[u8] = b"Mozilla/";

/// The hosts that want https.
#[derive(Debug, Clone, Default)]
pub struct Upgrade(Vec<HttpsHost>);

impl Upgrade {
    /// For these hosts.
    pub fn of(hosts: &[HttpsHost]) -> Self {
        Self(hosts.to_vec())
    }

    /// Where who asks for `host` is sent; `None` when he may stay.
    ///
    /// SECURITY: the place is the configured one; `Host` only chooses among them.
    pub fn authority(
        &self,
        scheme: Scheme,
        host: Option<&[u8]>,
        agent: Option<&[u8]>,
    ) -> Option<&str> {
        if self.0.is_empty() || scheme == Scheme::Https || !agent?.starts_with(BROWSER) {
            return None;
        }
        let name = name_of(host?);
        let wanted = self
            .0
            .iter()
            .find(|host| host.name.as_bytes().eq_ignore_ascii_case(name));
        wanted.map(|host| host.authority.as_str())
    }
}

/// The host without its port and without the dot that a whole name may end with.
fn name_of(host: &[u8]) -> &[u8] {
    let port = host.iter().rposition(|byte| *byte == b':');
    let digits = |at: usize| {
        host.get(at + 1..)
            .is_some_and(|port| port.iter().all(u8::is_ascii_digit))
    };
    let end = port.filter(|at| digits(*at)).unwrap_or(host.len());
    let host = host.get(..end).unwrap_or(host);
    host.strip_suffix(b".").unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_browsers_on_http_are_sent_and_only_to_configured_places() {
        let host = |name: &str, authority: &str| HttpsHost {
            name: name.to_owned(),
            authority: authority.to_owned(),
        };
        let upgrade = Upgrade::of(&[
            host("radio.example", "radio.example"),
            host("b.example", "b.example:8443"),
        ]);
        let (firefox, vlc) = (Some(&b"Mozilla/5.0 (X11)"[..]), Some(&b"VLC/3.0"[..]));
        let sent =
            |scheme, host: &str, agent| upgrade.authority(scheme, Some(host.as_bytes()), agent);
        assert_eq!(
            sent(Scheme::Http, "Radio.Example:8000", firefox),
            Some("radio.example")
        );
        assert_eq!(
            sent(Scheme::Http, "b.example", firefox),
            Some("b.example:8443")
        );
        assert_eq!(
            sent(Scheme::Http, "radio.example.", firefox),
            Some("radio.example")
        );
        assert_eq!(sent(Scheme::Http, "evil.example", firefox), None);
        assert_eq!(sent(Scheme::Http, "radio.example", vlc), None);
        assert_eq!(sent(Scheme::Http, "radio.example", None), None);
        assert_eq!(sent(Scheme::Https, "radio.example", firefox), None);
        assert_eq!(upgrade.authority(Scheme::Http, None, firefox), None);
    }
}
