//! The request head, judged before anything else sees it. Pure: bytes in, verdict out.
//!
//! SECURITY: stricter than Pingora 0.9.1, which repairs a space in the target, takes CL with TE, two equal CLs, and 1.1
//! without Host (measured). Lenient where old radios need it: HTTP/1.0 without Host, and bare LF line ends.

use std::mem::MaybeUninit;

use pingora::http::RequestHeader;

use super::refuse::Refusal;

/// The largest head that is read. Players send 0.2 to 1 KB, browsers with cookies up to 8.
pub const HEAD_LIMIT_BYTES: usize = 16 * 1024;

/// The longest target; mounts are shorter, but tokens in a query can be long.
pub const TARGET_LIMIT_BYTES: usize = 8 * 1024;

/// The most fields; Chromium sends about 20.
const FIELD_LIMIT: usize = 100;

/// `X-Forwarded-For` of a request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedFor<'a> {
    /// There is none.
    #[default]
    Absent,
    /// One field with this value.
    Once(&'a [u8]),
    /// Several fields, which are one list together.
    Often,
}

/// What an inspected head says, as far as it matters before Pingora reads it again.
#[derive(Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// A GET that expects nothing but an answer; what else there may be is Pingora's to know.
    pub is_plain_get: bool,
    /// The target in origin-form: graphic ASCII, beginning with `/`.
    pub target: &'a str,
    /// Whether the listener takes another answer on this connection (RFC 9112 9.3).
    pub keeps_alive: bool,
    /// `X-Forwarded-Proto` as it came.
    pub forwarded_proto: Option<&'a [u8]>,
    /// `X-Forwarded-For`.
    pub forwarded_for: ForwardedFor<'a>,
    /// `User-Agent` as it came.
    pub user_agent: Option<&'a [u8]>,
    /// `Host` as it came.
    pub host: Option<&'a [u8]>,
}

/// Where the head ends: the length up to and including its blank line. `searched` bytes are known to hold no end.
pub fn end_of_head(bytes: &[u8], searched: usize) -> Option<usize> {
    // The blank line may straddle what was searched.
    let from = searched.saturating_sub(3);
    let tail = bytes.get(from..)?;
    memchr::memchr_iter(b'\n', tail).find_map(|at| match tail.get(at + 1..)? {
        [b'\n', ..] => Some(from + at + 2),
        [b'\r', b'\n', ..] => Some(from + at + 3),
        _ => None,
    })
}

/// What is wrong with a head that has grown to [`HEAD_LIMIT_BYTES`] without ending.
pub fn oversize(bytes: &[u8]) -> Refusal {
    match memchr::memchr(b'\n', bytes) {
        Some(line) if line <= TARGET_LIMIT_BYTES => Refusal::HeadTooLarge,
        _ => Refusal::TargetTooLong,
    }
}

/// Judges a whole head.
///
/// # Errors
/// The refusal that answers it; the connection must be closed then, as its framing cannot be trusted.
pub fn inspect(bytes: &[u8]) -> Result<Head<'_>, Refusal> {
    let line = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    if line > TARGET_LIMIT_BYTES {
        return Err(Refusal::TargetTooLong);
    }
    let mut fields = [const { MaybeUninit::uninit() }; FIELD_LIMIT];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Refusal::BadRequest("the request is cut")),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
        Err(_) => return Err(Refusal::BadRequest("this is no HTTP request")),
    }
    let target = request.path.unwrap_or_default();
    inspect_target(target, request.method)?;
    let is_http11 = request.version == Some(1);
    let fields = Fields::inspect(request.headers)?;
    if is_http11 && fields.host.is_none() {
        return Err(Refusal::BadRequest("HTTP/1.1 needs a Host"));
    }
    if !matches!(request.method, Some("GET" | "HEAD" | "OPTIONS")) {
        return Err(Refusal::Method);
    }
    if fields.has_body {
        return Err(Refusal::BadRequest("a request body is not taken here"));
    }
    Ok(Head {
        is_plain_get: request.method == Some("GET") && !fields.has_expectation,
        target,
        keeps_alive: fields.persistence.unwrap_or(is_http11),
        forwarded_proto: fields.forwarded_proto,
        forwarded_for: fields.forwarded_for,
        user_agent: fields.user_agent,
        host: fields.host,
    })
}

/// Judges a request of HTTP/2, whose head was taken apart already: `is_bodiless` when it ends with its head.
///
/// # Errors
/// The refusal that answers it.
pub fn inspect_h2(request: &RequestHeader, is_bodiless: bool) -> Result<(), Refusal> {
    let target = request.uri.path_and_query().map_or("", |it| it.as_str());
    if target.len() > TARGET_LIMIT_BYTES {
        return Err(Refusal::TargetTooLong);
    }
    if request.headers.len() > FIELD_LIMIT {
        return Err(Refusal::HeadTooLarge);
    }
    inspect_target(target, Some(request.method.as_str()))?;
    if !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
        return Err(Refusal::Method);
    }
    if !is_bodiless {
        return Err(Refusal::BadRequest("a request body is not taken here"));
    }
    Ok(())
}

fn inspect_target(target: &str, method: Option<&str>) -> Result<(), Refusal> {
    if method == Some("CONNECT") {
        return Err(Refusal::Method);
    }
    if !target.starts_with('/') {
        return Err(Refusal::BadRequest("the target must begin with /"));
    }
    // `#` ends a target in a Location; bytes beyond ASCII mean different things to different servers; quotes and angle
    // brackets are no part of a URI (RFC 3986 appendix C), and Pingora's would not take them.
    let is_forbidden = |byte: u8| !byte.is_ascii_graphic() || b"#\"<>`".contains(&byte);
    if target.bytes().any(is_forbidden) {
        return Err(Refusal::BadRequest("the target has a forbidden byte"));
    }
    Ok(())
}

/// What the fields say together.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    has_length: bool,
    has_body: bool,
    has_expectation: bool,
    /// What `Connection` asks for; `None` when it does not say.
    persistence: Option<bool>,
    forwarded_proto: Option<&'a [u8]>,
    forwarded_for: ForwardedFor<'a>,
    user_agent: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn inspect(fields: &[httparse::Header<'a>]) -> Result<Self, Refusal> {
        let mut known = Self::default();
        for field in fields {
            // The names' lengths tell most fields apart at once.
            match field.name.len() {
                4 | 6 | 10 | 14 | 15 | 17 => known.note(field)?,
                _ => {}
            }
        }
        Ok(known)
    }

    fn note(&mut self, field: &httparse::Header<'a>) -> Result<(), Refusal> {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        let again = |seen: &mut bool| std::mem::replace(seen, true);
        if is("host") {
            inspect_host(field.value)?;
            if self.host.replace(field.value).is_some() {
                return Err(Refusal::BadRequest("more than one Host"));
            }
        } else if is("content-length") {
            self.has_body |= announces_body(field.value)?;
            if again(&mut self.has_length) {
                return Err(Refusal::BadRequest("more than one Content-Length"));
            }
        } else if is("transfer-encoding") {
            return Err(Refusal::BadRequest("Transfer-Encoding is not taken here"));
        } else if is("connection") {
            // Several fields are one list: `close` in any of them wins.
            if self.persistence != Some(false) {
                self.persistence = persistence(field.value).or(self.persistence);
            }
        } else if is("user-agent") {
            self.user_agent.get_or_insert(field.value);
        } else if is("expect") {
            self.has_expectation = true;
        } else if is("x-forwarded-for") {
            self.forwarded_for = match self.forwarded_for {
                ForwardedFor::Absent => ForwardedFor::Once(field.value),
                _ => ForwardedFor::Often,
            };
        } else if is("x-forwarded-proto") {
            // The first one counts, as in the door's map of fields.
            self.forwarded_proto.get_or_insert(field.value);
        }
        Ok(())
    }
}

/// Whether a `Connection` field asks to keep the connection; `close` wins over `keep-alive`.
fn persistence(value: &[u8]) -> Option<bool> {
    let mut wish = None;
    for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        if token.eq_ignore_ascii_case(b"close") {
            return Some(false);
        }
        if token.eq_ignore_ascii_case(b"keep-alive") {
            wish = Some(true);
        }
    }
    wish
}

fn inspect_host(value: &[u8]) -> Result<(), Refusal> {
    let is_host_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    if value.iter().all(is_host_byte) {
        Ok(())
    } else {
        Err(Refusal::BadRequest("Host is not a host"))
    }
}

/// Whether a `Content-Length` announces a body; digits only, as anything else is read differently by different servers.
fn announces_body(value: &[u8]) -> Result<bool, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::BadRequest("Content-Length is not a number"));
    }
    Ok(value.iter().any(|digit| *digit != b'0'))
}

#[cfg(test)]
mod tests;
