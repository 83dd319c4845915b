//! The terms: versions, ciphers and resumption of TLS, towards listeners and towards operators.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};

use super::certificates::Certificates;
use super::clients::ClientAuthority;

/// A listener opens one connection after the other, rarely several at once.
const TICKETS: usize = 1;

/// Makes aws-lc the process's cryptography. New connections cost less with it than with ring, Pingora's own choice, which
/// it drops where another was made before (docs/tls.md).
pub fn install_provider() {
    // Only the first call counts; which is the same.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// The configuration of an acceptor that speaks `protocols` (ALPN).
///
/// Sessions are resumed by tickets, which hold across all connections and need no memory here; rustls changes their key
/// every six hours.
///
/// # Errors
/// No randomness for the tickets' key.
pub fn server_config(
    certificates: Arc<Certificates>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, Error> {
    let mut config = made(certificates, None)?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = TICKETS;
    Ok(Arc::new(config))
}

/// The configuration of an acceptor for operators; with `clients` only theirs come in.
///
/// SECURITY: no session is resumed: rustls does not ask again whether the certificate in a ticket is still wanted.
///
/// # Errors
/// The versions and the cryptography do not fit together.
pub fn admin_config(
    certificates: Arc<Certificates>,
    clients: Option<Arc<ClientAuthority>>,
) -> Result<Arc<ServerConfig>, Error> {
    let mut config = made(certificates, clients)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn made(
    certificates: Arc<Certificates>,
    clients: Option<Arc<ClientAuthority>>,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(certificates);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // AES-256 before the rest, whatever a player would rather have: what profiles ask of a server.
    config.ignore_client_order = true;
    Ok(config)
}
