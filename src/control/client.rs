//! One request to the admin address of a running balancer, and its reply.
//!
//! In: an address, and a token for what needs one. Out: a [`Reply`] of any status, or why there is none. Understands no
//! reply. SECURITY: the token goes to that address and nowhere else: no redirect is followed, no proxy asked.

use std::error::Error;
use std::io;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret as _;

use super::error::ControlError;
use super::refusal;
use super::target::{Place, Target};
use crate::config::Token;
use crate::fleet::AdminState;

/// A balancer answers in milliseconds; one that hangs is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A thousand relays of ten mounts have 4 MiB; nobody's balancer says more than that four times over.
const BODY_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Asks for a page.
///
/// # Errors
/// No whole reply came.
pub fn ask(place: &Place, path: &str) -> Result<Reply, ControlError> {
    let client = client(place)?;
    exchange(client.get(format!("{}{path}", place.origin())), place)
}

/// Tells what is wanted of a relay.
///
/// # Errors
/// No whole reply came, or the token cannot be sent.
pub fn order(target: &Target, relay: &str, state: AdminState) -> Result<Reply, ControlError> {
    let Target { place, token } = target;
    let relay = utf8_percent_encode(relay, NON_ALPHANUMERIC);
    let url = format!("{}/relays/{relay}/{}", place.origin(), state.as_str());
    let request = client(place)?.post(url);
    exchange(request.header(AUTHORIZATION, bearer(token)?), place)
}

fn bearer(token: &Token) -> Result<HeaderValue, ControlError> {
    let field = format!("Bearer {}", token.0.expose_secret());
    let mut field = HeaderValue::try_from(field).map_err(|_| ControlError::UnsendableToken)?;
    field.set_sensitive(true);
    Ok(field)
}

fn client(place: &Place) -> Result<Client, ControlError> {
    // PINGORA: rustls without a provider panics; whoever installed one first keeps it.
    crate::tls::install_provider();
    let builder = match &place.tls {
        Some(trust) => Client::builder().tls_backend_preconfigured(trust.config()?),
        // A machine without certificates can ask too.
        None => Client::builder().tls_certs_only([]),
    };
    builder
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .retry(reqwest::retry::never())
        .timeout(PATIENCE)
        .build()
        .map_err(|error| ControlError::Setup(error.into()))
}

fn exchange(request: RequestBuilder, place: &Place) -> Result<Reply, ControlError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ControlError::Setup(error.into()))?;
    let reply = runtime.block_on(receive(request));
    // A name server that hangs would hold up the end otherwise.
    runtime.shutdown_background();
    match reply {
        Ok(Some(reply)) => Ok(reply),
        Ok(None) => Err(ControlError::NotABalancer {
            address: place.address.clone(),
            found: format!("more than {BODY_LIMIT_BYTES} bytes"),
        }),
        Err(error) => Err(sorted(&error, place)),
    }
}

/// The whole reply; `None` when it is larger than any balancer's.
async fn receive(request: RequestBuilder) -> Result<Option<Reply>, reqwest::Error> {
    let mut response = request.send().await?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_LIMIT_BYTES {
            return Ok(None);
        }
    }
    Ok(Some(Reply { status, body }))
}

fn sorted(error: &reqwest::Error, place: &Place) -> ControlError {
    let address = place.address.clone();
    if let Some(refusal) = refusal::of(error, place) {
        return refusal;
    }
    if error.is_timeout() {
        let patience = PATIENCE;
        return ControlError::TimedOut { address, patience };
    }
    let cause = innermost(error);
    if error.is_connect() {
        return ControlError::Unreachable { address, cause };
    }
    ControlError::NotABalancer {
        address,
        found: cause,
    }
}

/// The last cause: the outer ones say "error sending request" and the URL, which the operator knows.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    let refused = |cause: &io::Error| cause.kind() == io::ErrorKind::ConnectionRefused;
    causes.last().map_or_else(String::new, |cause| {
        match cause.downcast_ref::<io::Error>() {
            Some(cause) if refused(cause) => "connection refused".to_owned(),
            _ => cause.to_string(),
        }
    })
}
