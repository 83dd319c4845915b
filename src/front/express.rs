//! The express lane: the plain tune-in, a GET of a mount that some relay can take, answered from prepared bytes.
//!
//! In: an inspected head. Out: the bytes of a redirect, or nothing: then the request goes on to Pingora's `ProxyHttp`,
//! which asks the same desk. The lane decides nothing by itself; it exists because nearly every request is one of these,
//! and a Pingora session costs more than all the rest of a redirect (docs/benchmarks.md).

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;

use super::answer::REDIRECT_BODY;
use super::ask::{Ask, playlist_of};
use super::desk::Desk;
use super::forwarded;
use super::head::{ForwardedFor, Head};
use super::manners::Manners;
use super::scheme::scheme_of;
use crate::config::Mode;
use crate::fleet::Scheme;
use crate::select::TuneIn;

/// RFC 8555 8.3: authorities look here over http, and call themselves browsers.
const WELL_KNOWN: &str = "/.well-known/";

/// Answers plain tune-ins.
pub struct Express(Arc<Desk>);

impl Express {
    /// A lane to this desk.
    pub fn new(desk: Arc<Desk>) -> Self {
        Self(desk)
    }

    /// Writes the redirect of who reached us by `own` into `out`; returns false, with nothing of use in `out`, when this is no plain tune-in.
    pub fn answer(
        &self,
        head: &Head<'_>,
        own: Scheme,
        peer: impl Fn() -> Option<IpAddr>,
        out: &mut String,
    ) -> bool {
        out.clear();
        if !head.is_plain_get {
            return false;
        }
        let edition = self.0.edition();
        let manners = &edition.manners;
        let scheme = scheme_of(own, head.forwarded_proto, &peer, &edition.trusted_proxies);
        if let Some(authority) = manners
            .upgrade
            .authority(scheme, head.host, head.user_agent)
            && !head.target.starts_with(WELL_KNOWN)
        {
            begin(manners, head, scheme, out);
            out.push_str("https://");
            out.push_str(authority);
            out.push_str(head.target);
            end(out);
            return true;
        }
        let (path, query) = match head.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (head.target, None),
        };
        let Ok(Ask::Mount { path, query }) = Ask::of(&Method::GET, path, query) else {
            return false;
        };
        // The playlist of a mount comes before a mount with its name.
        if playlist_of(&path).is_some() {
            return false;
        }
        if edition.modes.of(&path, head.user_agent) != Mode::Redirect || !self.0.is_open() {
            return false;
        }
        let peer = peer();
        let trusted = &edition.trusted_proxies;
        let listener = match head.forwarded_for {
            ForwardedFor::Absent => peer,
            ForwardedFor::Once(value) => forwarded::listener_in(value, peer, trusted),
            ForwardedFor::Often => return false,
        };
        let tune_in = TuneIn {
            mount: &path,
            scheme,
            client: edition.client(listener),
            is_proxied: false,
        };
        begin(manners, head, scheme, out);
        if self.0.redirect(&edition, tune_in, query, out).is_err() {
            return false;
        }
        end(out);
        true
    }
}

/// Writes a redirect up to its address.
fn begin(manners: &Manners, head: &Head<'_>, scheme: Scheme, out: &mut String) {
    out.push_str(&manners.redirect_head);
    push_date(out);
    if let (Scheme::Https, Some(hsts)) = (scheme, &manners.hsts) {
        out.push_str("\r\nStrict-Transport-Security: ");
        out.push_str(hsts);
    }
    out.push_str(if head.keeps_alive {
        "\r\nConnection: keep-alive\r\nLocation: "
    } else {
        "\r\nConnection: close\r\nLocation: "
    });
}

/// Writes what follows the address.
fn end(out: &mut String) {
    out.push_str("\r\n\r\n");
    out.push_str(REDIRECT_BODY);
}

/// Appends the time as HTTP has it; made once a second and thread.
fn push_date(out: &mut String) {
    thread_local! {
        static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let second = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    DATE.with_borrow_mut(|(made, text)| {
        if *made != second || text.is_empty() {
            *text = httpdate::fmt_http_date(now);
            *made = second;
        }
        out.push_str(text);
    });
}
