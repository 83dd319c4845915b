//! Manners: how answers look, as the operator wants them.

use http::StatusCode;

use super::answer::{REDIRECT_BODY, REDIRECT_TYPE, SERVER_NAME};
use super::upgrade::Upgrade;
use crate::config::Config;

/// How answers look.
#[derive(Debug, Clone)]
pub struct Manners {
    /// The status of redirects.
    pub redirect_status: u16,
    /// The head of every plain redirect, up to where it begins to differ.
    pub redirect_head: String,
    /// Who is sent to https.
    pub upgrade: Upgrade,
    /// `Strict-Transport-Security` of answers over https.
    pub hsts: Option<String>,
}

impl Manners {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        let hsts = config.tls.hsts.as_secs();
        Self {
            redirect_status: config.redirect.status,
            redirect_head: redirect_head(config.redirect.status),
            upgrade: Upgrade::of(&config.redirect.https_hosts),
            hsts: (hsts > 0).then(|| format!("max-age={hsts}")),
        }
    }
}

fn redirect_head(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok();
    let reason = known.and_then(|status| status.canonical_reason());
    format!(
        "HTTP/1.1 {status} {}\r\nServer: {SERVER_NAME}\r\nContent-Type: {REDIRECT_TYPE}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Access-Control-Allow-Origin: *\r\nDate: ",
        reason.unwrap_or_default(),
        REDIRECT_BODY.len()
    )
}
