//! The first lines of the log.

use log::info;

use super::admin;
use crate::config::{Bind, Config, Mode};

/// Says what serves what, once, so that the first lines of a log answer the first questions.
pub(super) fn all(config: &Config) {
    let binds: Vec<String> = config.binds.iter().map(shown).collect();
    let names: Vec<&str> = config
        .relays
        .iter()
        .map(|r| r.relay.name.as_str())
        .collect();
    let does = match config.mode {
        Mode::Redirect => "redirecting to",
        Mode::Proxy => "carrying the streams of",
    };
    info!(
        "icecast-balancer {} on {}: {does} {}",
        env!("CARGO_PKG_VERSION"),
        binds.join(", "),
        names.join(", ")
    );
    if config.public_url.is_none() {
        info!(
            "public_url is not set: playlists name the IP address that the listener connected to"
        );
    }
    admin::announce(&config.admin);
}

fn shown(bind: &Bind) -> String {
    match bind.tls {
        true => format!("{} (TLS)", bind.address),
        false => bind.address.to_string(),
    }
}
