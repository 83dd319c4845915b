//! The way to the ACME server: instant-acme's requests, sent by the HTTP client of the rest of the house.
//!
//! In: one request. Out: its answer, if it is one that ACME knows; anything else (a proxy's error page, a hang, an endless
//! body) is an error that says what came. Every request has a deadline. The `Retry-After` of a refusal, which instant-acme
//! does not hand on, is kept for the schedule.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};

use super::schedule::LONGEST_ORDERED_PAUSE;

/// A chain has some 5 kB, a directory less.
const LONGEST_BODY_BYTES: usize = 1024 * 1024;

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The file of the server's authorities cannot be read.
    #[error("cannot read ca_file")]
    Authorities(#[source] std::io::Error),
    /// The authorities are no certificates, or the system has none.
    #[error("cannot make an HTTPS client")]
    Client(#[source] reqwest::Error),
    /// Not reached, not trusted, or too slow.
    #[error("{0} failed")]
    Failed(Method, #[source] reqwest::Error),
    /// Not an answer of an ACME server.
    #[error("{method} {url} was answered {status}")]
    Status {
        /// What was asked,
        method: Method,
        /// where,
        url: String,
        /// and what came.
        status: StatusCode,
    },
    /// More than any ACME server has to say.
    #[error("expected an answer of at most {LONGEST_BODY_BYTES} bytes")]
    TooLong,
}

/// Until when the server asked us to wait; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct AskedToWait(Arc<Mutex<Option<SystemTime>>>);

impl AskedToWait {
    /// How long that is from now.
    pub fn remaining(&self, now: SystemTime) -> Option<Duration> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until?.duration_since(now).ok()
    }

    fn note(&self, until: Option<SystemTime>) {
        if until.is_some() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
        }
    }
}

/// The client of one attempt.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub client: Client,
    pub asked_to_wait: AskedToWait,
}

impl Wire {
    /// A client that trusts the authorities of `ca_file`, or those of the system.
    ///
    /// # Errors
    /// The authorities cannot be used.
    pub fn new(
        ca_file: Option<&Path>,
        deadline: Duration,
        asked_to_wait: AskedToWait,
    ) -> Result<Self, WireError> {
        // PINGORA: rustls without a provider panics; whoever installed one first keeps it.
        crate::tls::install_provider();
        let mut builder = Client::builder();
        if let Some(file) = ca_file {
            let pem = std::fs::read(file).map_err(WireError::Authorities)?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(WireError::Client)?;
            builder = builder.tls_certs_only(authorities);
        }
        let client = builder
            // SECURITY: RFC 8555, section 6.1: HTTPS is required; the account's key signs what goes out here.
            .https_only(true)
            // A signed request names its URL and is worth nothing elsewhere.
            .redirect(Policy::none())
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(deadline)
            .build()
            .map_err(WireError::Client)?;
        Ok(Self {
            client,
            asked_to_wait,
        })
    }

    async fn exchange(&self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (parts, body) = request.into_parts();
        let (method, url) = (parts.method.clone(), parts.uri.to_string());
        let Ok(body) = body.collect().await;
        let request = Request::from_parts(parts, body.to_bytes());
        let (mut head, body) = self.send(&method, request).await.map_err(other)?;
        let asked = bound_wait(&mut head.headers, SystemTime::now());
        if is_refusal(head.status) {
            self.asked_to_wait.note(asked);
        }
        if !is_of_acme(&method, head.status, &head.headers) {
            let status = head.status;
            return Err(other(WireError::Status {
                method,
                url,
                status,
            }));
        }
        Ok(BytesResponse {
            parts: head,
            body: Box::new(body),
        })
    }

    async fn send(
        &self,
        method: &Method,
        request: Request<Bytes>,
    ) -> Result<(http::response::Parts, Bytes), WireError> {
        let failed = |error| WireError::Failed(method.clone(), error);
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LONGEST_BODY_BYTES {
                return Err(WireError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let (head, _) = Response::from(response).into_parts();
        Ok((head, body.freeze()))
    }
}

impl HttpClient for Wire {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let wire = self.clone();
        Box::pin(async move { wire.exchange(request).await })
    }
}

fn other(error: WireError) -> Error {
    Error::Other(Box::new(error))
}

fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Whether instant-acme can make something of it: a success, or to a signed request a problem in its own words. It takes
/// every other answer for the JSON that it hoped for.
fn is_of_acme(method: &Method, status: StatusCode, headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let is_problem = kind.is_some_and(|kind| kind.starts_with("application/problem+json"));
    status.is_success() || (method == Method::POST && is_refusal(status) && is_problem)
}

/// Leaves of `Retry-After` what is in reason, and says until when that is. instant-acme adds to the clock whatever it finds
/// there, and that panics beyond the clock's end.
pub(super) fn bound_wait(headers: &mut HeaderMap, now: SystemTime) -> Option<SystemTime> {
    let until = wait_until(headers, now);
    headers.remove(RETRY_AFTER);
    let wait = until?.duration_since(now).unwrap_or_default();
    let wait = wait.min(LONGEST_ORDERED_PAUSE);
    headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    now.checked_add(wait)
}

/// RFC 9110, section 10.2.3: seconds or a date.
fn wait_until(headers: &HeaderMap, now: SystemTime) -> Option<SystemTime> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => {
            let wait = Duration::from_secs(seconds).min(LONGEST_ORDERED_PAUSE);
            now.checked_add(wait)
        }
        Err(_) => httpdate::parse_http_date(value).ok(),
    }
}
