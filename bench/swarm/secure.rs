//! TLS as listeners speak it: whom they believe, and what they offer.
//!
//! Comes in: flags. Goes out: secured connections. Key exchanges and, where wished, the cipher are chosen, so that all
//! servers of a benchmark do the same work.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use clap::{Args, ValueEnum};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// More than connections of a benchmark are open at once, or a ticket is lost before it is used.
const REMEMBERED_SESSIONS: usize = 4_096;

/// How TLS is spoken.
#[derive(Debug, Clone, Args)]
pub struct Terms {
    /// The authority that is believed (PEM). Without it no TLS is spoken.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// The name that is asked for, and that the certificate must have.
    #[arg(long, default_value = "radio.example")]
    name: String,
    /// The only version that is offered.
    #[arg(long, value_enum, default_value = "1.3")]
    tls_version: Version,
    /// The key exchanges that are offered, by their names in rustls (X25519, X25519MLKEM768, secp256r1, secp384r1), separated
    /// by commas; the first one is tried at once.
    #[arg(long, value_delimiter = ',', default_value = "X25519")]
    group: Vec<String>,
    /// The only cipher suite that is offered, by its name in rustls. Default: all of the version.
    #[arg(long)]
    suite: Option<String>,
    /// Resumes sessions.
    #[arg(long)]
    resume: bool,
    /// The protocols that are offered, separated by commas.
    #[arg(long, value_delimiter = ',')]
    alpn: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Version {
    #[value(name = "1.2")]
    Tls12,
    #[value(name = "1.3")]
    Tls13,
}

impl Terms {
    /// Whether TLS is spoken at all.
    pub fn are_given(&self) -> bool {
        self.ca.is_some()
    }

    /// What makes connections; `None` where no TLS is spoken.
    ///
    /// # Errors
    /// When the authority cannot be read, or nothing is left to offer.
    pub fn agree(&self) -> io::Result<Option<Secure>> {
        let Some(ca) = &self.ca else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).map_err(io::Error::other)? {
            let certificate = certificate.map_err(io::Error::other)?;
            roots.add(certificate).map_err(io::Error::other)?;
        }
        let version = match self.tls_version {
            Version::Tls12 => &TLS12,
            Version::Tls13 => &TLS13,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(self.provider()?));
        let builder = builder.with_protocol_versions(&[version]);
        let builder = builder.map_err(io::Error::other)?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = self.alpn.iter().map(|name| name.clone().into()).collect();
        config.resumption = match self.resume {
            true => Resumption::in_memory_sessions(REMEMBERED_SESSIONS),
            false => Resumption::disabled(),
        };
        let name = ServerName::try_from(self.name.clone()).map_err(io::Error::other)?;
        Ok(Some(Secure {
            config: Arc::new(config),
            name,
        }))
    }

    fn provider(&self) -> io::Result<CryptoProvider> {
        let mut provider = aws_lc_rs::default_provider();
        // Not all of these are in the default list.
        let known = |name: &String| {
            let mut groups = aws_lc_rs::ALL_KX_GROUPS.iter().copied();
            groups.find(|group| format!("{:?}", group.name()) == *name)
        };
        let groups: Option<Vec<_>> = self.group.iter().map(known).collect();
        provider.kx_groups = groups.unwrap_or_default();
        if let Some(suite) = &self.suite {
            provider
                .cipher_suites
                .retain(|known| format!("{:?}", known.suite()) == *suite);
        }
        if provider.kx_groups.is_empty() || provider.cipher_suites.is_empty() {
            return Err(io::Error::other("--group, --suite: expected a known name"));
        }
        Ok(provider)
    }
}

/// What secures connections.
#[derive(Debug, Clone)]
pub struct Secure {
    /// What is offered, and the sessions that are remembered.
    pub config: Arc<ClientConfig>,
    /// Who must answer.
    pub name: ServerName<'static>,
}

impl Secure {
    /// Shakes hands.
    ///
    /// # Errors
    /// As the handshake's.
    pub async fn shake_hands(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(self.name.clone(), socket).await
    }
}

/// A connection, secured or not.
#[derive(Debug)]
pub enum Line {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS; boxed, since its state is a kilobyte.
    Secured(Box<TlsStream<TcpStream>>),
}

impl Line {
    /// Secures a connection where that is wished.
    ///
    /// # Errors
    /// As the handshake's.
    pub async fn on(socket: TcpStream, secure: Option<&Secure>) -> io::Result<Self> {
        match secure {
            None => Ok(Self::Plain(socket)),
            Some(secure) => Ok(Self::Secured(Box::new(secure.shake_hands(socket).await?))),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Secured(socket) => Pin::new(socket.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Secured(socket) => Pin::new(socket.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(context),
            Self::Secured(socket) => Pin::new(socket.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Secured(socket) => Pin::new(socket.as_mut()).poll_shutdown(context),
        }
    }
}
