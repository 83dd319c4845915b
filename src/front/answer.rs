//! Answers: the response heads and bodies of everything that is not a stream.
//!
//! Each has `Cache-Control: no-store` (a stored redirect pins a listener to a dead relay) and the CORS headers, without
//! which a web player is told nothing, not even why it was refused.

use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONNECTION,
    CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, SERVER,
};
use http::{HeaderMap, Method};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

use super::refuse::Refusal;

/// What the `Server` field says: constant, without a version.
pub const SERVER_NAME: &str = "icecast-balancer";

const METHODS: &str = "GET, HEAD, OPTIONS";

/// What a web player may send and read: the ICY fields are not among those that CORS lets through by itself.
const REQUEST_FIELDS: &str = "Accept, Icy-MetaData, Origin, Range, X-Requested-With";
const RESPONSE_FIELDS: &str = "icy-br, icy-description, icy-genre, icy-metaint, icy-name, icy-url";

/// The head of a redirect but for its target, made once.
///
/// Fields that are set later stand in it already, so that a copy never grows.
#[derive(Debug, Clone)]
pub struct RedirectHead(ResponseHeader);

impl RedirectHead {
    /// The head for this status: 302, 303 or 307.
    ///
    /// # Errors
    /// `status` is no HTTP status.
    pub fn new(status: u16) -> Result<Self> {
        let mut head = head(status, "text/plain", 0)?;
        head.remove_header(&CONTENT_TYPE);
        for field in [LOCATION, DATE, CONNECTION] {
            head.insert_header(field, HeaderValue::from_static(""))?;
        }
        Ok(Self(head))
    }

    /// Sends the redirect to `location`.
    ///
    /// # Errors
    /// The listener hung up, or `location` is no header value.
    pub async fn send(&self, session: &mut Session, location: String) -> Result<()> {
        let mut head = self.0.clone();
        head.insert_header(LOCATION, location)?;
        session.write_response_header(Box::new(head), true).await
    }
}

/// A page: its status, type and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The MIME type.
    pub content_type: &'static str,
    /// The text.
    pub body: String,
}

/// Sends a page; to HEAD without its body.
///
/// # Errors
/// The listener hung up.
pub async fn send_page(session: &mut Session, page: Page) -> Result<()> {
    let head = head(page.status, page.content_type, page.body.len())?;
    send(session, head, page.body).await
}

/// Sends a refusal: a line of text, or JSON to who accepts it.
///
/// # Errors
/// The listener hung up.
pub async fn send_refusal(session: &mut Session, refusal: Refusal) -> Result<()> {
    let (content_type, body) = if accepts_json(&session.req_header().headers) {
        ("application/json", json_error(refusal))
    } else {
        ("text/plain; charset=utf-8", format!("{}\n", refusal.text()))
    };
    let mut head = head(refusal.status(), content_type, body.len())?;
    if let Some(seconds) = refusal.retry_after_seconds() {
        head.insert_header(RETRY_AFTER, HeaderValue::from_static(seconds))?;
    }
    send(session, head, body).await
}

/// Answers HEAD of a mount: what a GET would bring, as far as it is known.
///
/// # Errors
/// The listener hung up.
pub async fn send_stream_head(session: &mut Session, content_type: Option<&str>) -> Result<()> {
    let mut head = head(200, "application/octet-stream", 0)?;
    head.remove_header(&CONTENT_LENGTH);
    if let Some(known) = content_type.and_then(|text| HeaderValue::from_str(text).ok()) {
        head.insert_header(CONTENT_TYPE, known)?;
    }
    session.write_response_header(Box::new(head), true).await
}

/// Answers what a browser asks before it may ask for a mount.
///
/// # Errors
/// The listener hung up.
pub async fn send_preflight(session: &mut Session) -> Result<()> {
    let mut head = head(204, "text/plain", 0)?;
    head.remove_header(&CONTENT_TYPE);
    head.remove_header(&CONTENT_LENGTH);
    let fields: [(HeaderName, &'static str); 4] = [
        (ALLOW, METHODS),
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_FIELDS),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    for (name, value) in fields {
        head.insert_header(name, HeaderValue::from_static(value))?;
    }
    session.write_response_header(Box::new(head), true).await
}

/// A refusal as bytes, for a request that never became a session; closes the connection.
pub fn raw_refusal(refusal: Refusal) -> Vec<u8> {
    let status = http::StatusCode::from_u16(refusal.status()).unwrap_or(http::StatusCode::BAD_REQUEST);
    let reason = status.canonical_reason().unwrap_or_default();
    let allow = match refusal {
        Refusal::Method => format!("Allow: {METHODS}\r\n"),
        _ => String::new(),
    };
    let body = refusal.text();
    format!(
        "HTTP/1.1 {} {reason}\r\nServer: {SERVER_NAME}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nCache-Control: no-store\r\nAccess-Control-Allow-Origin: *\r\n{allow}Connection: close\r\n\r\n{body}\n",
        status.as_u16(),
        body.len() + 1,
    )
    .into_bytes()
}

fn head(status: u16, content_type: &'static str, body_bytes: usize) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build_no_case(status, Some(12))?;
    let fields: [(HeaderName, &'static str); 5] = [
        (SERVER, SERVER_NAME),
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_FIELDS),
    ];
    for (name, value) in fields {
        head.insert_header(name, HeaderValue::from_static(value))?;
    }
    head.insert_header(CONTENT_LENGTH, HeaderValue::from(body_bytes))?;
    Ok(head)
}

async fn send(session: &mut Session, head: ResponseHeader, body: String) -> Result<()> {
    let bodiless = session.req_header().method == Method::HEAD || body.is_empty();
    session.write_response_header(Box::new(head), bodiless).await?;
    if bodiless {
        return Ok(());
    }
    session.write_response_body(Some(body.into()), true).await
}

fn accepts_json(fields: &HeaderMap) -> bool {
    let accept = fields.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

fn json_error(refusal: Refusal) -> String {
    let body = serde_json::json!({ "status": refusal.status(), "error": refusal.text() });
    format!("{body}\n")
}
