//! The front door: Pingora's [`ProxyHttp`], which answers each tune-in with a redirect to the selected relay.
//!
//! In: inspected requests from the gate. Out: redirects, playlists, the public status, refusals. In redirect mode no
//! request goes upstream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::Method;
use ipnet::IpNet;
use log::debug;
use pingora::modules::http::HttpModules;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};
use pingora_proxy::{ProxyHttp, Session};

use super::answer::{self, Page, RedirectHead};
use super::ask::{Ask, playlist_of};
use super::location::location;
use super::public_status;
use super::refuse::Refusal;
use super::scheme::scheme_of;
use super::tally::Tally;
use crate::discovery::relay_of;
use crate::fleet::{Fleet, Origin, Relay, RelayId, Scheme, SharedFleet};
use crate::select::{NoRelay, RelayBackends, TuneIn, key_of, why_none};

/// How long a tune-in waits for the first round of polls after a start, and how often it looks.
const SURVEY_WAIT: Duration = Duration::from_secs(2);
const SURVEY_STEP: Duration = Duration::from_millis(20);

/// What the door is made of.
pub struct Parts {
    /// Pingora's load balancer over our selection.
    pub backends: Arc<RelayBackends>,
    /// The fleet it selects from.
    pub fleet: SharedFleet,
    /// What was answered so far.
    pub tally: Arc<Tally>,
    /// 302, 303 or 307.
    pub redirect_status: u16,
    /// From whom `X-Forwarded-Proto` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Our own address as listeners reach it.
    pub public_url: Option<Origin>,
}

/// Answers requests.
pub struct Door {
    backends: Arc<RelayBackends>,
    fleet: SharedFleet,
    tally: Arc<Tally>,
    signposts: Vec<Signpost>,
    redirect: RedirectHead,
    trusted_proxies: Vec<IpNet>,
    public_url: Option<String>,
}

/// Where listeners of each scheme are sent for one relay, ready to be written.
struct Signpost {
    relay: Arc<Relay>,
    http: Option<String>,
    https: Option<String>,
}

impl Signpost {
    fn new(relay: &Arc<Relay>) -> Self {
        let origin = |scheme| relay.public_for(scheme).map(Origin::to_string);
        Self {
            http: origin(Scheme::Http),
            https: origin(Scheme::Https),
            relay: relay.clone(),
        }
    }

    fn origin(&self, scheme: Scheme) -> Option<&str> {
        match scheme {
            Scheme::Http => self.http.as_deref(),
            Scheme::Https => self.https.as_deref(),
        }
    }
}

impl Door {
    /// Builds the door.
    ///
    /// # Errors
    /// The redirect status is no HTTP status.
    pub fn new(parts: Parts) -> Result<Self> {
        let signposts = parts.fleet.lock().relays().iter().map(Signpost::new).collect();
        Ok(Self {
            signposts,
            redirect: RedirectHead::new(parts.redirect_status)?,
            backends: parts.backends,
            fleet: parts.fleet,
            tally: parts.tally,
            trusted_proxies: parts.trusted_proxies,
            public_url: parts.public_url.as_ref().map(Origin::to_string),
        })
    }

    /// Decides about a request. Only the redirect raises pending.
    async fn decide(&self, session: &Session) -> Result<Decision, Refusal> {
        let request = session.req_header();
        let uri = &request.uri;
        let (path, query) = match Ask::of(&request.method, uri.path(), uri.query())? {
            Ask::Preflight => return Ok(Decision::Preflight),
            Ask::Status => return Ok(Decision::Page(public_status::render(&self.fleet.lock()))),
            Ask::Mount { path, query } => (path, query),
        };
        let peer = session.client_addr().and_then(|addr| addr.as_inet());
        let peer = peer.map(std::net::SocketAddr::ip);
        let scheme = scheme_of(&request.headers, peer, &self.trusted_proxies);
        let tune_in = TuneIn {
            mount: &path,
            scheme,
        };
        if request.method == Method::HEAD {
            return self.head_of(tune_in).await;
        }
        match self.redirect_of(tune_in, query) {
            Ok(decision) => Ok(decision),
            Err(NoRelay::UnknownMount) => self.playlist(session, &path, scheme),
            Err(NoRelay::NotYet) => {
                self.survey().await;
                let outcome = self.redirect_of(tune_in, query);
                outcome.or_else(|_| self.playlist(session, &path, scheme))
            }
            Err(none) => Err(none.into()),
        }
    }

    /// Selects a relay, whose pending it raises, and builds the redirect to it.
    fn redirect_of(&self, tune_in: TuneIn<'_>, query: Option<&str>) -> Result<Decision, NoRelay> {
        let key = key_of(&tune_in);
        let found = self.backends.select_with(&key, usize::MAX, |_, _| true);
        let Some(relay) = found.as_ref().map(relay_of) else {
            return Err(why_none(&self.fleet.lock(), tune_in, &[], Instant::now()));
        };
        let signpost = self.signposts.get(relay.index());
        let (signpost, origin) = signpost
            .and_then(|signpost| Some((signpost, signpost.origin(tune_in.scheme)?)))
            .ok_or(NoRelay::NoHttps)?;
        let own_path = signpost.relay.own_path(tune_in.mount);
        Ok(Decision::Redirect(relay, location(origin, own_path, query)))
    }

    /// What a HEAD of a mount is answered: nobody is placed by it.
    async fn head_of(&self, tune_in: TuneIn<'_>) -> Result<Decision, Refusal> {
        self.survey().await;
        let fleet = self.fleet.lock();
        if let Some((mount, kind)) = playlist_of(tune_in.mount)
            && !fleet.mounts().carriers(mount).is_empty()
        {
            return Ok(Decision::StreamHead(Some(kind.content_type().to_owned())));
        }
        if fleet.mounts().carriers(tune_in.mount).is_empty() {
            return Err(why_none(&fleet, tune_in, &[], Instant::now()).into());
        }
        let content_type = fleet.describe(tune_in.mount).and_then(|m| m.content_type.clone());
        Ok(Decision::StreamHead(content_type))
    }

    /// The playlist that `path` asks for, when the fleet has its mount.
    fn playlist(&self, session: &Session, path: &str, scheme: Scheme) -> Result<Decision, Refusal> {
        let fleet = self.fleet.lock();
        let none = || why_none(&fleet, TuneIn { mount: path, scheme }, &[], Instant::now());
        let (mount, kind) = playlist_of(path).ok_or_else(none)?;
        if fleet.mounts().carriers(mount).is_empty() {
            return Err(none().into());
        }
        let url = location(&self.own_origin(session, scheme)?, mount, None);
        let name = display_name(&fleet, mount);
        Ok(Decision::Page(Page {
            status: 200,
            content_type: kind.content_type(),
            body: kind.render(&url, &name),
        }))
    }

    /// Our own address as this listener reaches it.
    ///
    /// SECURITY: from the configuration, else the address the connection came to; never from Host.
    fn own_origin(&self, session: &Session, scheme: Scheme) -> Result<String, Refusal> {
        if let Some(origin) = &self.public_url {
            return Ok(origin.clone());
        }
        let address = session.server_addr().and_then(|addr| addr.as_inet());
        let address = address.ok_or(Refusal::BadRequest(
            "playlists on a unix socket need public_url in the configuration",
        ))?;
        let origin = Origin {
            scheme,
            host: address.ip().to_canonical().to_string(),
            port: address.port(),
        };
        Ok(origin.to_string())
    }

    /// Waits until every relay was polled, or 2 s after that nobody can have to wait longer for.
    async fn survey(&self) {
        let began = Instant::now();
        while !self.fleet.lock().is_surveyed() && began.elapsed() < SURVEY_WAIT {
            tokio::time::sleep(SURVEY_STEP).await;
        }
    }

    async fn send(&self, session: &mut Session, decision: Result<Decision, Refusal>) -> Result<()> {
        match decision {
            Ok(Decision::Redirect(relay, location)) => {
                self.tally.redirected(relay);
                debug!("{} -> {location}", session.req_header().uri.path());
                self.redirect.send(session, location).await
            }
            Ok(Decision::Page(page)) => answer::send_page(session, page).await,
            Ok(Decision::StreamHead(content_type)) => {
                answer::send_stream_head(session, content_type.as_deref()).await
            }
            Ok(Decision::Preflight) => answer::send_preflight(session).await,
            Err(refusal) => {
                self.tally.refused(refusal);
                debug!("{}: {}", session.req_header().uri.path(), refusal.text());
                answer::send_refusal(session, refusal).await
            }
        }
    }
}

/// How a request is answered.
enum Decision {
    Redirect(RelayId, String),
    Page(Page),
    StreamHead(Option<String>),
    Preflight,
}

fn display_name(fleet: &Fleet, mount: &str) -> String {
    let told = fleet.describe(mount).and_then(|mount| mount.name.clone());
    told.unwrap_or_else(|| mount.trim_start_matches('/').to_owned())
}

#[async_trait]
impl ProxyHttp for Door {
    type CTX = ();

    fn new_ctx(&self) {}

    /// PINGORA: (0.9.1) the default module compresses responses, which none of ours needs: 20 % of a redirect's CPU.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, _ctx: &mut ()) -> Result<bool> {
        let decision = self.decide(session).await;
        self.send(session, decision).await?;
        Ok(true)
    }

    async fn upstream_peer(&self, _session: &mut Session, _ctx: &mut ()) -> Result<Box<HttpPeer>> {
        Error::e_explain(ErrorType::InternalError, "redirect mode has no upstream")
    }

    /// A listener that hangs up is no error of ours.
    fn suppress_error_log(&self, _session: &Session, _ctx: &(), error: &Error) -> bool {
        use pingora::ErrorSource::Downstream;
        matches!(error.esource(), Downstream) || matches!(error.etype(), ErrorType::WriteError)
    }
}

