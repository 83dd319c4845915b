//! The front door: Pingora's [`ProxyHttp`]. Asks the desk about each request and writes what it decided.
//!
//! In: inspected requests from the gate. Out: redirects, playlists, the public status, refusals. In redirect mode no
//! request goes upstream.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use ipnet::IpNet;
use log::debug;
use pingora::modules::http::HttpModules;
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};
use pingora_proxy::{ProxyHttp, Session};

use super::answer;
use super::ask::Ask;
use super::desk::{Decision, Desk, Wish};
use super::refuse::Refusal;
use super::scheme::scheme_of;

/// Answers requests as Pingora brings them.
pub struct Door {
    desk: Arc<Desk>,
    redirect_status: u16,
    trusted_proxies: Arc<[IpNet]>,
}

impl Door {
    /// A door before this desk.
    pub fn new(desk: Arc<Desk>, redirect_status: u16, trusted_proxies: Arc<[IpNet]>) -> Self {
        Self {
            desk,
            redirect_status,
            trusted_proxies,
        }
    }

    async fn decide(&self, session: &Session) -> Result<Decision, Refusal> {
        let request = session.req_header();
        let forwarded = request.headers.get("x-forwarded-proto");
        let peer = || inet(session.client_addr()).map(|address| address.ip());
        let wish = Wish {
            ask: Ask::of(&request.method, request.uri.path(), request.uri.query())?,
            is_head: request.method == Method::HEAD,
            scheme: scheme_of(
                forwarded.map(|value| value.as_bytes()),
                peer,
                &self.trusted_proxies,
            ),
            local: inet(session.server_addr()),
        };
        self.desk.decide(wish).await
    }

    async fn send(&self, session: &mut Session, decision: Result<Decision, Refusal>) -> Result<()> {
        match decision {
            Ok(Decision::Redirect(url)) => {
                answer::send_redirect(session, self.redirect_status, &url).await
            }
            Ok(Decision::Page(page)) => answer::send_page(session, page).await,
            Ok(Decision::StreamHead(content_type)) => {
                answer::send_stream_head(session, content_type.as_deref()).await
            }
            Ok(Decision::Preflight) => answer::send_preflight(session).await,
            Err(refusal) => {
                self.desk.refused(refusal);
                debug!("{}: {}", session.req_header().uri.path(), refusal.text());
                answer::send_refusal(session, refusal).await
            }
        }
    }
}

fn inet(address: Option<&PingoraAddr>) -> Option<SocketAddr> {
    address.and_then(PingoraAddr::as_inet).copied()
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
        matches!(error.esource(), ErrorSource::Downstream)
            || matches!(error.etype(), ErrorType::WriteError)
    }
}
