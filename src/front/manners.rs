//! Manners: how answers look, as the operator wants them.

use super::upgrade::Upgrade;
use crate::config::Config;

/// How answers look.
#[derive(Debug, Clone)]
pub struct Manners {
    /// The status of redirects.
    pub redirect_status: u16,
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
            upgrade: Upgrade::of(&config.redirect.https_hosts),
            hsts: (hsts > 0).then(|| format!("max-age={hsts}")),
        }
    }
}
