//! Answers: the response heads and bodies of everything that is not a stream.
//!
//! Each has `Cache-Control: no-store` (a stored redirect pins a listener to a dead relay) and the CORS headers, without
//! which a web player is told nothing, not even why it was refused.

use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, Method, Version};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora_proxy::Session;

use super::edition::Edition;
use super::refuse::Refusal;
use super::session::{scheme, takes_chunks};
use crate::fleet::Scheme;

/// What the `Server` field says: constant, without a version.
pub const SERVER_NAME: &str = "icecast-balancer";

/// What a person who looks at a redirect reads.
pub const REDIRECT_BODY: &str = "The stream is at the address in Location.\n";
/// Its MIME type.
pub const REDIRECT_TYPE: &str = "text/plain; charset=utf-8";

const METHODS: &str = "GET, HEAD, OPTIONS";

/// What a web player may send and read: the ICY fields are not among those that CORS lets through by itself.
const REQUEST_FIELDS: &str = "Accept, Icy-MetaData, Origin, Range, X-Requested-With";
const RESPONSE_FIELDS: &str = "icy-br, icy-description, icy-genre, icy-metaint, icy-name, icy-url";

/// SECURITY: what a page has on top: nobody takes it for a script, frames it, or lets it load anything.
pub const PAGE_FIELDS: [(&str, &str); 3] = [
    ("X-Content-Type-Options", "nosniff"),
    (
        "Content-Security-Policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
];

/// The answer to one request.
pub struct Reply<'s> {
    /// Whom it goes to.
    pub session: &'s mut Session,
    /// `Strict-Transport-Security`, where it goes over https.
    pub hsts: Option<&'s str>,
}

impl<'s> Reply<'s> {
    /// The answer to the request of `session`, as `edition` wants answers.
    pub fn by(edition: &'s Edition, session: &'s mut Session) -> Self {
        Self {
            hsts: hsts(edition, session),
            session,
        }
    }
}

/// `Strict-Transport-Security` of the answer to this request, where it goes over https and the operator wants it.
fn hsts<'e>(edition: &'e Edition, session: &Session) -> Option<&'e str> {
    let hsts = edition.manners.hsts.as_deref()?;
    let is_https = scheme(session, &edition.trusted_proxies) == Scheme::Https;
    is_https.then_some(hsts)
}

impl Reply<'_> {
    /// A redirect to `url`. The express lane sends the same from prepared bytes.
    ///
    /// # Errors
    /// The listener hung up, or `url` is no header value.
    pub async fn redirect(self, status: u16, url: &str) -> Result<()> {
        let mut head = head(status, Some(REDIRECT_TYPE), REDIRECT_BODY.len())?;
        head.insert_header("Location", url)?;
        self.send(head, REDIRECT_BODY.to_owned()).await
    }

    /// A page; to HEAD without its body.
    ///
    /// # Errors
    /// The listener hung up.
    pub async fn page(self, page: Page) -> Result<()> {
        let mut head = page_head(page.status, page.content_type, page.body.len())?;
        if page.status == 503 {
            head.insert_header("Retry-After", "5")?;
        }
        self.send(head, page.body).await
    }

    /// A refusal: a line of text, or JSON to who accepts it.
    ///
    /// # Errors
    /// The listener hung up.
    pub async fn refusal(self, refusal: Refusal) -> Result<()> {
        let (content_type, body) = if accepts_json(&self.session.req_header().headers) {
            ("application/json", json_error(refusal))
        } else {
            ("text/plain; charset=utf-8", format!("{}\n", refusal.text()))
        };
        let mut head = page_head(refusal.status(), content_type, body.len())?;
        if let Some(seconds) = refusal.retry_after_seconds() {
            head.insert_header("Retry-After", seconds)?;
        }
        if refusal == Refusal::Method {
            head.insert_header("Allow", METHODS)?;
        }
        if refusal == Refusal::Unauthorized {
            // ICECAST: its own words, so that players find the password that they know for it.
            head.insert_header("WWW-Authenticate", "Basic realm=\"Icecast2 Server\"")?;
        }
        self.send(head, body).await
    }

    /// The answer to HEAD of a mount: what a GET would bring, as far as it is known.
    ///
    /// # Errors
    /// The listener hung up.
    pub async fn stream_head(self, content_type: Option<&str>) -> Result<()> {
        let mut head = head(200, None, 0)?;
        head.remove_header("Content-Length");
        for (name, value) in PAGE_FIELDS {
            head.insert_header(name, value)?;
        }
        let known = content_type.and_then(|text| HeaderValue::from_str(text).ok());
        let unknown = || HeaderValue::from_static("application/octet-stream");
        head.insert_header("Content-Type", known.unwrap_or_else(unknown))?;
        head.insert_header("Access-Control-Expose-Headers", RESPONSE_FIELDS)?;
        self.send(head, String::new()).await
    }

    /// What a browser asks before it may ask for a mount.
    ///
    /// # Errors
    /// The listener hung up.
    pub async fn preflight(self) -> Result<()> {
        let mut head = head(204, None, 0)?;
        head.remove_header("Content-Length");
        for (name, value) in [
            ("Allow", METHODS),
            ("Access-Control-Allow-Methods", METHODS),
            ("Access-Control-Allow-Headers", REQUEST_FIELDS),
            ("Access-Control-Max-Age", "86400"),
        ] {
            head.insert_header(name, value)?;
        }
        self.send(head, String::new()).await
    }

    async fn send(self, mut head: ResponseHeader, body: String) -> Result<()> {
        if let Some(hsts) = self.hsts {
            head.insert_header("Strict-Transport-Security", hsts)?;
        }
        let bodiless = self.session.req_header().method == Method::HEAD || body.is_empty();
        let (session, head) = (self.session, Box::new(head));
        session.write_response_header(head, bodiless).await?;
        if bodiless {
            return Ok(());
        }
        session.write_response_body(Some(body.into()), true).await
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

/// Makes a relay's answer ours: how its body is framed, what is to be stored, who may read it.
///
/// # Errors
/// None in practice: the values are constants.
pub fn finish_stream_head(
    head: &mut ResponseHeader,
    session: &Session,
    edition: &Edition,
) -> Result<()> {
    // Players of HTTP/1.0 and ICY take chunk sizes for audio: theirs ends with the connection.
    match takes_chunks(session) {
        true => {
            head.set_version(Version::HTTP_11);
            head.insert_header("Transfer-Encoding", "chunked")?;
        }
        false => head.set_version(Version::HTTP_10),
    }
    if let Some(hsts) = hsts(edition, session) {
        head.insert_header("Strict-Transport-Security", hsts)?;
    }
    // SECURITY: the type and the bytes are a source client's; nothing of them runs at our address.
    for (name, value) in PAGE_FIELDS {
        head.insert_header(name, value)?;
    }
    head.insert_header("Server", SERVER_NAME)?;
    head.insert_header("Cache-Control", "no-cache, no-store")?;
    head.insert_header("Access-Control-Allow-Origin", "*")?;
    head.insert_header("Access-Control-Expose-Headers", RESPONSE_FIELDS)
}

/// A refusal as bytes, for a request that never became a session; closes the connection.
pub fn raw_refusal(refusal: Refusal) -> Vec<u8> {
    let status =
        http::StatusCode::from_u16(refusal.status()).unwrap_or(http::StatusCode::BAD_REQUEST);
    let reason = status.canonical_reason().unwrap_or_default();
    let mut more = match refusal {
        Refusal::Method => format!("Allow: {METHODS}\r\n"),
        _ => String::new(),
    };
    if let Some(seconds) = refusal.retry_after_seconds() {
        more.push_str(&format!("Retry-After: {seconds}\r\n"));
    }
    for (name, value) in PAGE_FIELDS {
        more.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = refusal.text();
    format!(
        "HTTP/1.1 {} {reason}\r\nServer: {SERVER_NAME}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nCache-Control: no-store\r\nAccess-Control-Allow-Origin: *\r\n{more}Connection: close\r\n\r\n{body}\n",
        status.as_u16(),
        body.len() + 1,
    )
    .into_bytes()
}

/// The fields that every answer has. Names keep their case: some old players look for `Location` to the letter.
fn head(status: u16, content_type: Option<&str>, body_bytes: usize) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(status, Some(10))?;
    head.insert_header("Server", SERVER_NAME)?;
    if let Some(content_type) = content_type {
        head.insert_header("Content-Type", content_type)?;
    }
    head.insert_header("Content-Length", body_bytes)?;
    head.insert_header("Cache-Control", "no-store")?;
    head.insert_header("Access-Control-Allow-Origin", "*")?;
    Ok(head)
}

/// The head of a page.
fn page_head(status: u16, content_type: &str, body_bytes: usize) -> Result<ResponseHeader> {
    let mut head = head(status, Some(content_type), body_bytes)?;
    for (name, value) in PAGE_FIELDS {
        head.insert_header(name, value)?;
    }
    Ok(head)
}

fn accepts_json(fields: &HeaderMap) -> bool {
    let accept = fields.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

fn json_error(refusal: Refusal) -> String {
    let body = serde_json::json!({ "status": refusal.status(), "error": refusal.text() });
    format!("{body}\n")
}
