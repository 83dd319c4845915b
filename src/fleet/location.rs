//! Where a listener is sent, and what a relay is asked for: an origin from the configuration, a mount that a relay
//! reported, the listener's own query. Pure.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What is encoded in a path: all that could end it, begin another address, or be read differently on the way.
///
/// RFC 3986 3.3: what is left are unreserved characters, sub-delims, `:`, `@` and `/`.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Appends `origin` + `path`, encoded, + `?query` as it came.
///
/// SECURITY: `origin` is `scheme://authority` of the configuration, `path` begins with `/`, and `query` was inspected:
/// graphic ASCII without `#`. So the authority is ours whatever a listener or a relay says.
pub fn push_location(url: &mut String, origin: &str, path: &str, query: Option<&str>) {
    url.push_str(origin);
    push_target(url, path, query);
}

/// Appends a request's target: `path`, encoded, + `?query` as it came.
pub fn push_target(text: &mut String, path: &str, query: Option<&str>) {
    if !path.starts_with('/') {
        text.push('/');
    }
    text.extend(utf8_percent_encode(path, PATH));
    if let Some(query) = query {
        text.push('?');
        text.push_str(query);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn location(origin: &str, path: &str, query: Option<&str>) -> String {
        let mut url = String::new();
        push_location(&mut url, origin, path, query);
        url
    }

    #[test]
    fn paths_are_encoded_and_queries_kept() {
        let origin = "http://relay1:8000";
        for (path, query, expected) in [
            ("/live.mp3", None, "http://relay1:8000/live.mp3"),
            (
                "/live.mp3",
                Some("a=b&c=%20"),
                "http://relay1:8000/live.mp3?a=b&c=%20",
            ),
            ("/a b?c#d", None, "http://relay1:8000/a%20b%3Fc%23d"),
            ("/café", None, "http://relay1:8000/caf%C3%A9"),
            ("/a%20b", None, "http://relay1:8000/a%2520b"),
            ("@evil.com", None, "http://relay1:8000/@evil.com"),
            ("/a\r\nb", None, "http://relay1:8000/a%0D%0Ab"),
        ] {
            assert_eq!(location(origin, path, query), expected);
        }
    }

    proptest! {
        #[test]
        fn the_authority_is_always_the_configured_one(path in any::<String>(), query in proptest::option::of("[!-\"$-~]{0,40}")) {
            let text = location("https://relay1.example.com:8443", &path, query.as_deref());
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{}", text);
            let url = reqwest::Url::parse(&text).unwrap();
            prop_assert_eq!(url.scheme(), "https");
            prop_assert_eq!(url.host_str(), Some("relay1.example.com"));
            prop_assert_eq!(url.port(), Some(8443));
            prop_assert!(url.username().is_empty() && url.password().is_none());
            prop_assert!(url.fragment().is_none());
        }

        #[test]
        fn a_relay_decodes_exactly_the_mount(path in "/[^\u{0}-\u{1f}]{0,40}") {
            let text = location("http://relay1", &path, None);
            let sent = text.strip_prefix("http://relay1").unwrap();
            let decoded = percent_encoding::percent_decode_str(sent).decode_utf8().unwrap();
            prop_assert_eq!(decoded, path);
        }
    }
}
