//! The admin bind put together: what it shows on TLS, whom it lets in, what an operator reads of it in the log.

use std::net::SocketAddr;
use std::sync::Arc;

use log::{info, warn};
use pingora::services::listening::Service;

use super::StartError;
use crate::admin::{AdminDoor, AdminPages};
use crate::config::{Admin, AdminTls};
use crate::tls::{Certificates, ClientAuthority, Fresh, admin_config};

/// What the admin bind's TLS is made of, read again when its files change.
pub(super) struct Identity {
    /// The one certificate.
    pub(super) certificates: Arc<Certificates>,
    clients: Option<Arc<ClientAuthority>>,
}

impl Identity {
    /// Reads the files.
    pub(super) fn load(tls: &AdminTls) -> Result<Self, StartError> {
        let certificates = Certificates::load(vec![tls.pair.clone()], None)?;
        let clients = tls.client_ca.as_deref().map(ClientAuthority::load);
        Ok(Self {
            certificates: certificates.into(),
            clients: clients.transpose()?.map(Arc::new),
        })
    }
}

impl Fresh for Identity {
    fn refresh(&self) {
        self.certificates.refresh();
        if let Some(clients) = &self.clients {
            clients.refresh();
        }
    }
}

/// The pages behind their door.
pub(super) fn service(
    bind: SocketAddr,
    pages: AdminPages,
    identity: Option<&Identity>,
) -> Result<Service<AdminDoor>, StartError> {
    let terms = identity
        .map(|identity| admin_config(identity.certificates.clone(), identity.clients.clone()));
    let door = AdminDoor::to(pages, terms.transpose()?);
    let mut service = Service::new("admin".to_owned(), door);
    service.threads = Some(1);
    service.add_tcp(&bind.to_string());
    Ok(service)
}

/// Says where operators and what watches us find their pages, and who comes in.
pub(super) fn announce(admin: &Admin) {
    let Some(bind) = admin.bind else {
        warn!("the admin bind is off: no readiness, no metrics, no orders");
        return;
    };
    let (scheme, clients) = match &admin.tls {
        None => ("http", ""),
        Some(tls) if tls.client_ca.is_none() => ("https", " (anybody who reaches it reads them)"),
        Some(_) => ("https", " (for clients with a certificate of client_ca)"),
    };
    info!("admin on {scheme}://{bind}: /live /ready /status /metrics{clients}");
    if admin.token.is_none() {
        info!("admin.token_file is not set: relays cannot be drained while this runs");
    }
}
