//! One request to a relay: status code and body, or why not.
//!
//! In: a target, a dialect, a deadline. Out: an [`Answer`] or a [`FetchError`]. Understands no status page. A relay may be
//! hostile or broken, so everything has an end: time, bytes, redirects (none).

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, USER_AGENT};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret;

use super::answer::Answer;
use super::dialect::Dialect;
use super::overhear::overhear;
use super::resolve::{BookResolver, NotInBook, connecting_to};
use super::{PollerError, Target};
use crate::discovery::{
    ATTEMPT_DELAY, AddressBook, AddressState, Entrant, KnownAddress, NoWinner, race,
};
use crate::fleet::Origin;

/// `/admin/stats` takes 205 bytes a mount and more; 1 MiB holds some thousands and is nothing to keep in memory.
pub(super) const BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// Why there is no answer to read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The relay's machine says that nobody listens.
    #[error("connection refused")]
    Refused,
    /// Discovery knows no address.
    #[error(transparent)]
    NotInBook(NotInBook),
    /// The deadline passed.
    #[error("no complete answer in time")]
    TimedOut,
    /// Connecting, TLS, sending or receiving failed.
    #[error("connection failed")]
    Broken(#[source] reqwest::Error),
    /// Something answered, but not HTTP, or nothing at all before it closed.
    #[error("expected an HTTP answer")]
    NotHttp(#[source] reqwest::Error),
    /// Something spoke before it was asked.
    #[error("expected an HTTP answer after the request, found one before it")]
    Unasked(#[source] reqwest::Error),
    /// The body has more than 1 MiB.
    #[error("expected a page of at most {BODY_LIMIT_BYTES} bytes")]
    TooLarge,
    /// The body is compressed although that was not asked for.
    #[error("expected a page without Content-Encoding")]
    Encoded,
}

/// The HTTP client of all polls.
#[derive(Debug)]
pub(super) struct Fetcher {
    client: Client,
    book: AddressBook,
    has_own_authorities: bool,
}

impl Fetcher {
    /// A client without redirects, proxies, retries and kept connections.
    pub(super) fn new(book: AddressBook, ca: Option<&Path>) -> Result<Self, PollerError> {
        // PINGORA: rustls without a provider panics; whoever installed one first keeps it.
        crate::tls::install_provider();
        let mut builder = Client::builder();
        if let Some(file) = ca {
            let pem = std::fs::read(file).map_err(PollerError::Authorities)?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(PollerError::Client)?;
            builder = builder.tls_certs_only(authorities);
        }
        let client = builder
            // SECURITY: a relay must not send the poller elsewhere, least of all to a cloud's metadata address.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .dns_resolver(BookResolver(book.clone()))
            .build()
            .map_err(PollerError::Client)?;
        Ok(Self {
            client,
            book,
            has_own_authorities: ca.is_some(),
        })
    }

    /// Whether it believes the authorities of a file instead of the public ones.
    pub(super) fn has_own_authorities(&self) -> bool {
        self.has_own_authorities
    }

    /// Requests the page of `dialect` from `target`: at one address after the other, where its name has several, until one answers.
    ///
    /// # Errors
    /// [`FetchError`]; a status code other than 200 is an answer.
    pub(super) async fn fetch(
        &self,
        target: &Target,
        dialect: Dialect,
        deadline: Instant,
    ) -> Result<Answer, FetchError> {
        let host = &target.url.host;
        let addresses = self.addresses(&target.url);
        let has_time = deadline.saturating_duration_since(Instant::now()) >= FAIR_TIME;
        let fail = |address| {
            if has_time {
                self.book.note_failure(host, address, Instant::now());
            }
        };
        let attempt = |address| async move {
            match self.exchange(target, dialect, address).await {
                // An answer that is of no use is the relay's, not that of its address.
                Err(error) if !error.is_an_answer() => Err(error),
                answered => Ok(answered),
            }
        };
        match race(
            &entrants(&addresses, deadline),
            deadline.into(),
            attempt,
            fail,
        )
        .await
        {
            Ok((_, answered)) => answered,
            Err(NoWinner::TimedOut) => Err(FetchError::TimedOut),
            Err(NoWinner::Failed(errors)) => Err(most_telling(errors, host)),
        }
    }

    /// The addresses of a relay in the order in which they are tried; empty when its name never resolved.
    fn addresses(&self, url: &Origin) -> Vec<KnownAddress> {
        match url.host.parse() {
            Ok(ip) => vec![KnownAddress::new(SocketAddr::new(ip, url.port))],
            Err(_) => self.book.poll_order(&url.host, url.port, Instant::now()),
        }
    }

    /// Number of sockets that a poll of this relay may have at a time.
    pub(super) fn sockets(&self, url: &Origin) -> usize {
        self.addresses(url).len().max(1)
    }

    async fn exchange(
        &self,
        target: &Target,
        dialect: Dialect,
        address: SocketAddr,
    ) -> Result<Answer, FetchError> {
        let Origin { scheme, host, .. } = &target.url;
        let sent = connecting_to(address, self.request(target, dialect).send()).await;
        let answered = match sent.map_err(FetchError::before_the_head) {
            Ok(response) => read(response).await,
            Err(error @ FetchError::Unasked(_)) => overhear(*scheme, address).await.ok_or(error),
            Err(error) => Err(error),
        };
        if answered.as_ref().err().is_none_or(FetchError::is_an_answer) {
            self.book.note_answer(host, address, Instant::now());
        }
        answered
    }

    fn request(&self, target: &Target, dialect: Dialect) -> RequestBuilder {
        let request = self
            .client
            .get(format!("{}{}", target.url, dialect.page()))
            .header(USER_AGENT, dialect.user_agent())
            .header(ACCEPT_ENCODING, "identity")
            .header(CONNECTION, "close");
        match &target.credentials {
            Some(credentials) if dialect.needs_credentials() => {
                let password = credentials.password.expose_secret();
                request.basic_auth(&credentials.username, Some(password))
            }
            _ => request,
        }
    }
}

/// A poll that has less time, such as the first look at one relay of very many, says nothing of its addresses.
const FAIR_TIME: Duration = Duration::from_millis(400);

/// Each address and its head start: a working one has half of the time that is left, as a status page may take its time; one
/// of which nothing good is known has the usual delay.
fn entrants(addresses: &[KnownAddress], deadline: Instant) -> Vec<Entrant> {
    let half = deadline.saturating_duration_since(Instant::now()) / 2;
    let entrant = |known: &KnownAddress| Entrant {
        address: known.address,
        head_start: match known.state() {
            AddressState::Working => half,
            AddressState::Untried | AddressState::Failed => ATTEMPT_DELAY,
        },
    };
    addresses.iter().map(entrant).collect()
}

/// The error of a relay of which every address failed: it is not refused unless each of them refuses.
fn most_telling(mut errors: Vec<FetchError>, host: &str) -> FetchError {
    let is_refusal = |error: &FetchError| matches!(error, FetchError::Refused);
    let other = errors.iter().position(|error| !is_refusal(error));
    match errors.is_empty() {
        true => FetchError::NotInBook(NotInBook::new(host)),
        false => errors.swap_remove(other.unwrap_or(0)),
    }
}

async fn read(response: Response) -> Result<Answer, FetchError> {
    let status = response.status();
    let body = if status == StatusCode::OK {
        page(response).await?
    } else {
        first_words(response).await
    };
    Ok(Answer { status, body })
}

/// Reads the whole body of a good answer.
async fn page(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let plain = |encoding: &[u8]| encoding.eq_ignore_ascii_case(b"identity");
    let mut encodings = response.headers().get_all(CONTENT_ENCODING).iter();
    if !encodings.all(|encoding| plain(encoding.as_bytes())) {
        return Err(FetchError::Encoded);
    }
    if response.content_length() > Some(BODY_LIMIT_BYTES as u64) {
        return Err(FetchError::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FetchError::Broken)? {
        if body.len() + chunk.len() > BODY_LIMIT_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads the beginning of an error's body, as far as it comes.
///
/// ICECAST: a full server closes without having read the request, so a reset may swallow the body: that is no fault.
async fn first_words(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < 4096
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body
}

impl FetchError {
    /// Returns true when the relay answered, and only the answer is of no use.
    fn is_an_answer(&self) -> bool {
        matches!(self, Self::TooLarge | Self::Encoded)
    }

    /// Sorts what went wrong before a response head was read.
    fn before_the_head(error: reqwest::Error) -> Self {
        if let Some(unknown) = find::<NotInBook>(&error) {
            return Self::NotInBook(unknown.clone());
        }
        match find::<io::Error>(&error) {
            Some(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => Self::Refused,
            None if spoke_first(&error) => Self::Unasked(error),
            None if !error.is_connect() && !error.is_builder() => Self::NotHttp(error),
            _ => Self::Broken(error),
        }
    }
}

/// Whether hyper found bytes on the connection before it had sent the request. Its error has no other mark than its words.
fn spoke_first(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| cause.to_string().contains("received unexpected message"))
}

/// The first cause of this type, however deep.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// An error and all its causes, outermost first.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| cause.source())
}
