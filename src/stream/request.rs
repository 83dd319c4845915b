//! What a relay is asked for a listener: one request, whichever relay it goes to. Pure.
//!
//! ICECAST: relays log and count by these fields, so the listener's own go with it; whatever belongs to his connection
//! (`Range`, `Upgrade`, `Connection`, cookies) does not. HTTP/1.0, so that no relay answers in chunks.

use std::net::IpAddr;

use crate::fleet::{ClientPrefix, Origin, Scheme, push_target};

/// ICECAST: 2.4 reads a head of at most 4 KiB, older ones overflow; fields beyond their limit are cut or left out.
const HEAD_LIMIT_BYTES: usize = 4_000;
const TEXT_LIMIT_BYTES: usize = 256;
const TOKEN_LIMIT_BYTES: usize = 1_024;

/// The longest query that relays are asked with; their own limit is for the whole head.
pub const QUERY_LIMIT_BYTES: usize = 2_048;

/// How we name ourselves to relays.
const PSEUDONYM: &str = "1.1 icecast-balancer";

/// One listener's request, as relays get it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The query as it came, without its `?`.
    pub query: Option<String>,
    /// The player.
    pub user_agent: Option<Vec<u8>>,
    /// The page that plays it.
    pub referer: Option<Vec<u8>>,
    /// What the listener proves himself with.
    pub authorization: Option<Vec<u8>>,
    /// The listener's address as far as it is trusted, first, then the proxies behind it; not this balancer.
    pub forwarded_for: Vec<IpAddr>,
    /// The client with which the listener is counted toward capacities; `None` where it counts in full.
    pub client: Option<ClientPrefix>,
    /// He came by https.
    pub by_https: bool,
    /// Titles between the audio are wanted.
    pub wants_metadata: bool,
    /// How often the request went through a balancer before.
    pub passes: usize,
}

impl Request {
    /// The head for one relay: its address, its own name of the mount, and the configured credentials for streams
    /// (`Basic`, encoded), which go out only when the listener sent none.
    pub fn head(&self, relay: &Origin, path: &str, basic: Option<&str>) -> Vec<u8> {
        let mut target = String::new();
        push_target(&mut target, path, self.query.as_deref());
        let mut head = format!("GET {target} HTTP/1.0\r\nHost: {}\r\n", relay.authority());
        head.push_str("Accept: */*\r\nConnection: close\r\n");
        if self.wants_metadata {
            head.push_str("Icy-MetaData: 1\r\n");
        }
        let vias = vec![PSEUDONYM; self.passes + 1].join(", ");
        head.push_str(&format!("Via: {vias}\r\n"));
        let scheme = if self.by_https {
            Scheme::Https
        } else {
            Scheme::Http
        };
        head.push_str(&format!("X-Forwarded-Proto: {}\r\n", scheme.as_str()));
        if !self.forwarded_for.is_empty() {
            let hops: Vec<_> = self.forwarded_for.iter().map(IpAddr::to_string).collect();
            head.push_str(&format!("X-Forwarded-For: {}\r\n", hops.join(", ")));
        }
        let mut head = head.into_bytes();
        let basic = basic.map(|basic| format!("Basic {basic}").into_bytes());
        // The most important first: what does not fit is left out.
        push(
            &mut head,
            "Authorization",
            self.authorization.clone().or(basic),
            TOKEN_LIMIT_BYTES,
        );
        push(
            &mut head,
            "User-Agent",
            self.user_agent.clone().map(cut),
            TEXT_LIMIT_BYTES,
        );
        push(&mut head, "Referer", self.referer.clone(), TEXT_LIMIT_BYTES);
        head.extend(b"\r\n");
        head
    }
}

/// A shortened name of a player still tells which it is; a shortened address or token is another one.
fn cut(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(TEXT_LIMIT_BYTES);
    text
}

fn push(head: &mut Vec<u8>, name: &str, value: Option<Vec<u8>>, limit_bytes: usize) {
    let Some(value) = value.filter(|value| value.len() <= limit_bytes) else {
        return;
    };
    let is_safe = value
        .iter()
        .all(|byte| *byte >= b' ' && *byte != 0x7f || *byte == b'\t');
    let line = [name.as_bytes(), b": ", &value, b"\r\n"].concat();
    if is_safe && head.len() + line.len() + 2 <= HEAD_LIMIT_BYTES {
        head.extend(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relay() -> Origin {
        Origin {
            scheme: Scheme::Http,
            host: "relay1".to_owned(),
            port: 8000,
        }
    }

    fn text(request: &Request, path: &str, basic: Option<&str>) -> String {
        String::from_utf8(request.head(&relay(), path, basic)).unwrap()
    }

    #[test]
    fn a_relay_learns_who_listens_and_from_where() {
        let request = Request {
            query: Some("a=b".to_owned()),
            user_agent: Some(b"VLC/3.0".to_vec()),
            forwarded_for: vec!["192.0.2.7".parse().unwrap(), "10.0.0.1".parse().unwrap()],
            by_https: true,
            wants_metadata: true,
            ..Request::default()
        };
        assert_eq!(
            text(&request, "/a b.mp3", None),
            "GET /a%20b.mp3?a=b HTTP/1.0\r\nHost: relay1:8000\r\nAccept: */*\r\nConnection: close\r\n\
             Icy-MetaData: 1\r\nVia: 1.1 icecast-balancer\r\nX-Forwarded-Proto: https\r\n\
             X-Forwarded-For: 192.0.2.7, 10.0.0.1\r\nUser-Agent: VLC/3.0\r\n\r\n"
        );
    }

    #[test]
    fn the_listeners_own_proof_comes_before_ours() {
        let mut request = Request::default();
        assert!(text(&request, "/a", Some("eDp5")).contains("Authorization: Basic eDp5\r\n"));
        request.authorization = Some(b"Basic bWU6bWU=".to_vec());
        let head = text(&request, "/a", Some("eDp5"));
        assert!(
            head.contains("bWU6bWU=") && !head.contains("eDp5"),
            "{head}"
        );
    }

    proptest! {
        #[test]
        fn no_listener_makes_a_head_that_a_relay_cannot_take(
            agent in prop::collection::vec(any::<u8>(), 0..2_000),
            referer in prop::collection::vec(any::<u8>(), 0..2_000),
            token in prop::collection::vec(any::<u8>(), 0..2_000),
            query_bytes in 0..=QUERY_LIMIT_BYTES,
            hops in prop::collection::vec(any::<IpAddr>(), 0..8),
        ) {
            let request = Request {
                query: Some("q".repeat(query_bytes)),
                forwarded_for: hops,
                user_agent: Some(agent),
                referer: Some(referer),
                authorization: Some(token),
                ..Request::default()
            };
            let head = request.head(&relay(), "/live.mp3", None);
            prop_assert!(head.len() <= HEAD_LIMIT_BYTES);
            prop_assert!(head.ends_with(b"\r\n\r\n"));
            let ends = memchr::memmem::find_iter(&head, b"\r\n\r\n").count();
            prop_assert_eq!(ends, 1);
        }
    }
}
