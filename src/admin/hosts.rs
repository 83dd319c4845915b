//! Names under which the admin address answers: a guard against DNS rebinding.
//!
//! In: a request's target and its `Host`. Out: the name that is not allowed, or nothing. Pure.
//!
//! SECURITY: a web page may lead its own name to our address and read our answers then, from inside
//! a network that its author does not reach. The browser still sends that name in `Host`. A page
//! can choose neither an IP address nor `localhost` for its name, nor a name without a dot, which its
//! author cannot have in public: service names of containers and hosts of a local network. Those are
//! always allowed, other names only when they are listed. A local network that resolves names for
//! strangers can do that to the machines in it.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header;
use http::request::Parts;

/// The names that are allowed now.
pub type SharedHosts = Arc<ArcSwap<AllowedHosts>>;

/// Longest name that a refusal repeats.
const SHOWN_CHARS: usize = 100;

/// Names with a dot under which the admin address answers.
#[derive(Debug, Default)]
pub struct AllowedHosts(HashSet<String>);

impl AllowedHosts {
    /// Allows these names, in lower case and without a dot at the end.
    pub fn new(names: &[String]) -> Self {
        Self(names.iter().cloned().collect())
    }

    /// The first name of the request that is not allowed, quoted and escaped to be shown.
    ///
    /// A request without any name is allowed: every browser sends one, old monitoring does not.
    pub fn unlisted(&self, request: &Parts) -> Option<String> {
        let target = request.uri.authority().map(|name| name.as_str().as_bytes());
        let fields = request.headers.get_all(header::HOST).iter();
        let mut names = target
            .into_iter()
            .chain(fields.map(|field| field.as_bytes()));
        let refused = names.find(|name| !self.allows(name))?;
        let text = String::from_utf8_lossy(refused);
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        Some(format!("{shown:?}"))
    }

    fn allows(&self, authority: &[u8]) -> bool {
        let text = str::from_utf8(authority).map(str::trim_ascii);
        let Some(host) = text.ok().and_then(host_of) else {
            return false;
        };
        if let Some(literal) = host.strip_prefix('[') {
            let literal = literal.strip_suffix(']');
            return literal.is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok());
        }
        if is_local_name(host) {
            return true;
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        host == "localhost" || host.parse::<Ipv4Addr>().is_ok() || self.0.contains(&host)
    }
}

/// Returns true for a name without a dot, at its end neither: no public page has one. Some clients read a number as an IPv4
/// address.
fn is_local_name(host: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let hex = host.strip_prefix("0x").or(host.strip_prefix("0X"));
    let is_hex = hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let is_number = host.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty();
    host.bytes().all(is_plain) && !is_number && !is_hex
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`; none where something else stands in the
/// place of the port.
fn host_of(authority: &str) -> Option<&str> {
    let end = authority.rfind(']').map_or(0, |end| end + 1);
    let (literal, rest) = authority.split_at_checked(end)?;
    let (name, port) = rest.split_once(':').unwrap_or((rest, ""));
    let is_literal_alone = literal.is_empty() || name.is_empty();
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    let host = if literal.is_empty() { name } else { literal };
    (is_literal_alone && is_port).then_some(host)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(target: &str, hosts: &[&[u8]]) -> Parts {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn is_allowed(host: &[u8]) -> bool {
        let names = ["balancer.example.com".to_owned()];
        let hosts = AllowedHosts::new(&names);
        hosts.unlisted(&request("/status", &[host])).is_none()
    }

    #[test]
    fn addresses_localhost_and_listed_names_are_allowed_at_any_port() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:8081",
            "192.0.2.7:80",
            "[::1]",
            "[::1]:8081",
            "[2001:db8::1]:8081",
            "[::ffff:192.0.2.1]",
            "localhost",
            "LocalHost:8081",
            "localhost.:8081",
            "balancer.example.com",
            "BALANCER.Example.COM.:8081",
            "balancer",
            "Radio_1-a:8081",
            "3f2a1b0c9d8e",
            "",
        ] {
            assert!(is_allowed(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn every_other_name_is_refused() {
        for host in [
            "evil.example",
            "evil.example:8081",
            "balancer.example.com.evil.example",
            "evil.balancer.example.com",
            "balancer.example.com..",
            "localhost.evil.example",
            "a.localhost",
            "127.0.0.1.evil.example",
            "127.1",
            "0x7f.0.0.1",
            "2130706433",
            "0x7f000001",
            "::1",
            "[::1",
            "[::1]evil.example",
            "evil.example[::1]",
            "[evil.example]",
            "[fe80::1%25eth0]",
            "user@localhost",
            "evil.example:80:localhost",
            "localhost:80@evil.example",
            "localhost:80a",
            "localhost,evil.example",
            "evil.",
            "ai.:80",
            "localhost evil.example",
        ] {
            assert!(!is_allowed(host.as_bytes()), "{host}");
        }
        assert!(!is_allowed(b"\xff"));
    }

    #[test]
    fn each_name_of_a_request_counts_and_one_without_any_is_allowed() {
        let hosts = AllowedHosts::default();
        let unlisted = |target: &str, names: &[&[u8]]| hosts.unlisted(&request(target, names));
        assert_eq!(unlisted("/status", &[]), None);
        let refused = unlisted("/status", &[b"localhost", b"evil.example"]);
        assert_eq!(refused.as_deref(), Some("\"evil.example\""));
        let refused = unlisted("http://evil.example/status", &[b"localhost"]);
        assert_eq!(refused.as_deref(), Some("\"evil.example\""));
        assert_eq!(unlisted("http://localhost:8081/status", &[]), None);
    }

    #[test]
    fn a_refused_name_is_shown_short_and_escaped() {
        let hosts = AllowedHosts::default();
        let long = [b"a\x80\t\"".as_slice(), &[b'b'; 5000]].concat();
        let shown = hosts.unlisted(&request("/", &[&long])).unwrap();
        assert!(shown.starts_with("\"a\u{fffd}\\t\\\"b"), "{shown}");
        assert!(shown.len() < 150, "{shown}");
    }
}
