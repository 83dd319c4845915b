//! The front door: Pingora's [`ProxyHttp`]. Asks the desk about each request and writes what it decided, or lets Pingora
//! carry the stream.
//!
//! In: inspected requests from the gate. Out: redirects, playlists, the public status, refusals; for a listener whose
//! stream is carried, a relay that takes him, the answer's head as his player understands it, and a [`Carriage`], which goes
//! back to the gate with the connection.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Method, header};
use log::debug;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};

use super::access_log::AccessLog;
use super::answer::{self, Reply};
use super::ask::Ask;
use super::carriage::{Carriage, End};
use super::desk::Desk;
use super::edition::{Edition, Editions};
use super::errand;
use super::forwarded;
use super::listener::Listener;
use super::quest::{Quest, Visit};
use super::refuse::Refusal;
use super::session::{
    inet, inspect_h2, is_hang_up, log_end_on_h2, prepare_for_stream, scheme, takes_chunks,
};
use super::tune_in_permits::TuneInPermits;
use super::wish::{Decision, Wish};
use crate::fleet::Scheme;
use crate::select::TuneIn;
use crate::service::Phase;
use crate::stream::{Studio, Tuner};

/// What the door is made of.
pub struct Frame {
    /// Whom it asks.
    pub desk: Arc<Desk>,
    /// What the configuration says.
    pub editions: Editions,
    /// What carried streams are made with.
    pub studio: Studio,
    /// Bounds the tune-ins under way.
    pub tune_ins: TuneInPermits,
    /// The line that each of them leaves.
    pub access_log: Arc<AccessLog>,
}

/// Answers requests as Pingora brings them.
pub struct Door(Frame);

impl Door {
    /// A door in this frame.
    pub fn new(frame: Frame) -> Self {
        Self(frame)
    }

    async fn decide(&self, edition: &Edition, session: &Session) -> Result<Decision, Refusal> {
        let request = session.req_header();
        let agent = request.headers.get(header::USER_AGENT);
        let peer = inet(session.client_addr()).map(|address| address.ip());
        let trusted = &edition.trusted_proxies;
        let hops = forwarded::hops(&request.headers, peer, trusted);
        let wish = Wish {
            ask: Ask::of(&request.method, request.uri.path(), request.uri.query())?,
            is_head: request.method == Method::HEAD,
            scheme: scheme(session, &edition.trusted_proxies),
            client: edition.client(forwarded::listener(&hops, trusted)),
            local: inet(session.server_addr()),
            user_agent: agent.map(|value| value.as_bytes()),
        };
        self.0.desk.decide(edition, wish).await
    }

    /// Writes the decision; returns the listener whose stream is to be carried instead.
    async fn send(
        &self,
        edition: &Edition,
        session: &mut Session,
        decision: Result<Decision, Refusal>,
    ) -> Result<Option<Listener>> {
        match decision {
            Ok(Decision::Redirect(url)) => {
                let status = edition.manners.redirect_status;
                Reply::by(edition, session).redirect(status, &url).await
            }
            Ok(Decision::Page(page)) => Reply::by(edition, session).page(page).await,
            Ok(Decision::StreamHead(content_type)) => {
                Reply::by(edition, session)
                    .stream_head(content_type.as_deref())
                    .await
            }
            Ok(Decision::Preflight) => Reply::by(edition, session).preflight().await,
            Ok(Decision::Carry(mount)) => {
                let scheme = scheme(session, &edition.trusted_proxies);
                let log = &self.0.access_log;
                match Listener::of(session, mount, scheme, edition, log) {
                    Ok(listener) => return Ok(Some(listener)),
                    Err(refusal) => self.refuse(edition, session, refusal).await,
                }
            }
            Err(refusal) => self.refuse(edition, session, refusal).await,
        }?;
        Ok(None)
    }

    async fn refuse(
        &self,
        edition: &Edition,
        session: &mut Session,
        refusal: Refusal,
    ) -> Result<()> {
        self.0.desk.refused(refusal);
        debug!("{}: {}", session.req_header().uri.path(), refusal.text());
        Reply::by(edition, session).refusal(refusal).await
    }
}

#[async_trait]
impl ProxyHttp for Door {
    type CTX = Visit;

    fn new_ctx(&self) -> Self::CTX {
        Visit {
            edition: self.0.editions.load_full(),
            quest: None,
        }
    }

    /// PINGORA: (0.9.1) the default module compresses responses, which none of ours needs: 20 % of a redirect's CPU.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<bool> {
        let edition = &*ctx.edition;
        let decision = match inspect_h2(session) {
            Ok(()) => self.decide(edition, session).await,
            Err(refusal) => Err(refusal),
        };
        let Some(listener) = self.send(edition, session, decision).await? else {
            return Ok(true);
        };
        prepare_for_stream(session, edition.slow_listener_timeout);
        match self.0.tune_ins.acquire(&listener.mount).await {
            Ok(permit) => ctx.quest = Some(Box::new(Quest::of(listener, permit))),
            Err(refusal) => {
                self.refuse(edition, session, refusal).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Selects the first relay; what tries it, and others, is a [`Tuner`].
    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<Box<HttpPeer>> {
        let no_listener = || Error::explain(ErrorType::InternalError, "nobody to carry for");
        let quest = ctx.quest.as_deref_mut().ok_or_else(no_listener)?;
        quest.note_turned_away();
        let listener = &quest.listener;
        let studio = &self.0.studio;
        let client = listener.request.client;
        let first = (!quest.is_tried)
            .then(|| studio.seats.take(&listener.mount, client, &[]))
            .flatten();
        quest.is_tried = true;
        let Some(seat) = first else {
            let refusal = *quest.refusal.get_or_insert(Refusal::Unavailable);
            return Error::e_explain(ErrorType::HTTPStatus(refusal.status()), refusal.text());
        };
        let address = studio.routes.address(seat.relay()).unwrap_or(NOWHERE);
        let tuner = Tuner::new(
            studio.clone(),
            listener.request.clone(),
            listener.mount.clone(),
            listener.journey.clone(),
            seat,
            quest.outcome.clone(),
        );
        let tuner = match session.is_http2() {
            true => tuner.with_body_behind_head(),
            false => tuner,
        };
        let mut peer = HttpPeer::new(address, false, String::new());
        peer.options.custom_l4 = Some(Arc::new(tuner));
        Ok(Box::new(peer))
    }

    /// No relay took the listener: the retry answers with the reason.
    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        _ctx: &mut Self::CTX,
        mut error: Box<Error>,
    ) -> Box<Error> {
        error.set_retry(true);
        error
    }

    /// Asks for the head alone: the body is carried otherwise, except on HTTP/2, whose framing only Pingora knows.
    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _ctx: &mut Self::CTX,
    ) -> Result<()> {
        if !session.is_http2() {
            request.set_method(Method::HEAD);
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        answer::finish_stream_head(head, session, &ctx.edition)?;
        // The tune-in is over, and its stream may last for hours.
        if let Some(quest) = ctx.quest.as_deref_mut() {
            quest.permit = None;
        }
        if session.is_http2() {
            errand::release();
            return Ok(());
        }
        // PINGORA: (0.9.1) as the answer to a HEAD it writes the head as it is, and then lets go of the connection.
        session.req_header_mut().set_method(Method::HEAD);
        Ok(())
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Self::CTX,
    ) -> FailToProxy {
        let quest = ctx.quest.as_deref();
        let refusal = quest.and_then(|quest| quest.refusal);
        let unanswered = session.response_written().is_none() && !is_hang_up(error);
        if let (true, Some(quest)) = (unanswered, quest) {
            let tune_in = TuneIn {
                mount: &quest.listener.mount,
                scheme: Scheme::Http,
                client: quest.listener.request.client,
                is_proxied: false,
            };
            let refusal = self
                .0
                .desk
                .complain(refusal.unwrap_or(Refusal::Unavailable), tune_in);
            if let Err(error) = self.refuse(&ctx.edition, session, refusal).await {
                debug!("could not tell why: {error}");
            }
        }
        FailToProxy {
            error_code: refusal.map_or(0, Refusal::status),
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Self::CTX) {
        let Some(quest) = ctx.quest.as_deref() else {
            return;
        };
        if session.is_http2() {
            let is_stopping = self.0.studio.life.phase() == Phase::Ending;
            return log_end_on_h2(session, &quest.listener, error, is_stopping);
        }
        match error {
            // What is written is written: the connection is kept now, for the stream.
            None => session.set_keepalive(Some(IDLE)),
            Some(_) if quest.take_stream().is_some() => quest.listener.log_end(0, End::HungUp),
            Some(_) => {}
        }
    }

    /// Lets the stream go back to the gate, beside the connection.
    fn persist_connection_context(
        &self,
        session: &Session,
        ctx: &Self::CTX,
    ) -> Option<Box<dyn Any + Send + Sync>> {
        let quest = ctx.quest.as_deref()?;
        Some(Box::new(Carriage {
            listener: quest.listener.clone(),
            stream: quest.take_stream()?,
            in_chunks: takes_chunks(session),
            slow_listener_timeout: ctx.edition.slow_listener_timeout,
        }))
    }

    /// What became of a listener has a line of its own; one that hangs up is no error of ours.
    fn suppress_error_log(&self, _session: &Session, ctx: &Self::CTX, error: &Error) -> bool {
        ctx.quest.is_some() || is_hang_up(error)
    }

    /// The next relay is tried; if none takes the listener, that is told once.
    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _ctx: &Self::CTX,
        _error: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}

/// How long Pingora would keep a connection for another request, in seconds; the stream takes it before.
const IDLE: u64 = 1;

/// Only names for the tuner, who knows the way, and who says so when there is none.
const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
