//! What the way in is made of: certificates, what is spoken, how many are let in.

use std::sync::Arc;

use log::{info, warn};

use super::fds;
use crate::acme;
use crate::config::{Bind, Config, Limits};
use crate::front::Way;
use crate::tls::{self, Certificates, Files};

/// Where the pair will lie that is ordered.
pub(super) fn awaited(config: &Config) -> Option<Files> {
    let acme::Paths { chain, key, .. } = acme::paths(config.tls.acme.as_ref()?);
    Some(Files { chain, key })
}

/// Tells the operator which certificates are there.
pub(super) fn tell(certificates: &Certificates) {
    for known in certificates.known() {
        let names = known.names.join(", ");
        let until = humantime::format_rfc3339_seconds(known.valid_until);
        info!("certificate for {names} until {until}");
    }
}

/// How many are let in: as many as there are file descriptors for, where nothing else was said.
pub(super) fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    let room = fds::raise_fd_limit().connections();
    let connections = limits.connections.unwrap_or(room);
    if connections > room {
        warn!(
            "limits.connections is {connections}, but there are file descriptors for {room} only (LimitNOFILE)"
        );
    }
    Limits {
        connections: Some(connections),
        ..limits.clone()
    }
}

/// The ways in, and the TLS that is spoken at each.
pub(super) fn ways(
    config: &Config,
    certificates: &Arc<Certificates>,
) -> Result<Vec<Way>, rustls::Error> {
    let terms = |bind: &Bind| {
        let protocols: &[&[u8]] = match bind.h2 {
            true => &[b"h2", b"http/1.1"],
            false => &[b"http/1.1"],
        };
        tls::server_config(certificates.clone(), protocols)
    };
    let way = |bind: &Bind| {
        Ok(Way {
            bind: bind.clone(),
            terms: bind.tls.then(|| terms(bind)).transpose()?,
        })
    };
    config.binds.iter().map(way).collect()
}
