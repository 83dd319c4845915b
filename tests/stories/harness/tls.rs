//! TLS as a listener speaks it: what a handshake tells, and a tunnel for those who speak none.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore,
    SignatureAlgorithm, SupportedProtocolVersion,
};
use tokio::io::copy_bidirectional;
use tokio_rustls::TlsConnector;

use super::authority::Authority;
use super::ports;

/// No handshake of the stories takes longer.
const PATIENCE: Duration = Duration::from_secs(8);

/// A client that believes one authority and remembers its sessions.
#[derive(Debug, Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    name: String,
}

/// What a handshake told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The server's certificate.
    pub certificate: CertificateDer<'static>,
    /// The version spoken.
    pub version: ProtocolVersion,
    /// No new session: the server knew the client.
    pub resumed: bool,
    /// The server said that the answer was over (`close_notify`).
    pub told_the_end: bool,
}

impl TlsClient {
    /// A client that asks for `name`.
    pub fn asking_for(name: &str, authority: &Authority) -> Self {
        Self::speaking(rustls::ALL_VERSIONS, name, authority)
    }

    /// A client that asks for `name` and believes whoever is in this file.
    pub fn believing(file: &Path, name: &str) -> Self {
        Self::made(rustls::ALL_VERSIONS, name, file)
    }

    /// A client that speaks these versions.
    pub fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        name: &str,
        authority: &Authority,
    ) -> Self {
        Self::made(versions, name, &authority.file())
    }

    fn made(versions: &[&'static SupportedProtocolVersion], name: &str, believed: &Path) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).unwrap();
        let mut config = builder
            .with_root_certificates(roots(believed))
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(16);
        Self {
            config: Arc::new(config),
            name: name.to_owned(),
        }
    }

    /// A client that can check signatures of this kind only.
    pub fn knowing_only(kind: SignatureAlgorithm, name: &str, authority: &Authority) -> Self {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        let word = match kind {
            SignatureAlgorithm::RSA => "ECDHE_RSA",
            _ => "ECDHE_ECDSA",
        };
        let suits = |suite: &rustls::SupportedCipherSuite| {
            suite
                .suite()
                .as_str()
                .is_some_and(|name| name.contains(word))
        };
        provider.cipher_suites.retain(suits);
        let builder = ClientConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS12]);
        let config = builder
            .unwrap()
            .with_root_certificates(roots(&authority.file()))
            .with_no_client_auth();
        Self {
            config: Arc::new(config),
            name: name.to_owned(),
        }
    }

    /// What it needs to speak `protocol` (ALPN), and whom it asks for.
    pub fn offering(&self, protocol: &[u8]) -> (Arc<ClientConfig>, String) {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![protocol.to_vec()];
        (Arc::new(config), self.name.clone())
    }

    /// Shakes hands, asks for `target` and reads the answer to its end, or the first 4 KiB of it.
    ///
    /// # Errors
    /// No hands were shaken, or no answer came.
    pub fn shake_hands(&self, server: SocketAddr, target: &str) -> io::Result<Handshake> {
        self.shake_hands_after(b"", server, target)
    }

    /// As [`Self::shake_hands`], once these bytes are sent.
    ///
    /// # Errors
    /// No hands were shaken, or no answer came.
    pub fn shake_hands_after(
        &self,
        first: &[u8],
        server: SocketAddr,
        target: &str,
    ) -> io::Result<Handshake> {
        let mut socket = TcpStream::connect_timeout(&server, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.write_all(first)?;
        let name = ServerName::try_from(self.name.clone()).unwrap();
        let mut tls = ClientConnection::new(self.config.clone(), name).map_err(io::Error::other)?;
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        write!(
            stream,
            "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = vec![0; 4096];
        let mut length = 0;
        let ended = loop {
            match stream.read(answer.get_mut(length..).unwrap_or_default()) {
                Ok(0) => break length < 4096,
                Ok(read) => length += read,
                // Whoever closes without a word has answered all the same.
                Err(_) => break false,
            }
        };
        answer.truncate(length);
        if !answer.starts_with(b"HTTP/1.1 ") {
            return Err(io::Error::other("no answer"));
        }
        let chain = tls.peer_certificates().unwrap_or_default();
        Ok(Handshake {
            certificate: chain[0].clone().into_owned(),
            version: tls.protocol_version().unwrap(),
            resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
            told_the_end: ended,
        })
    }

    /// A plain address at which this client's TLS to `server` begins, for as long as the process lives.
    pub fn tunnel_to(&self, server: SocketAddr) -> SocketAddr {
        let near = ports::own_address();
        let door = std::net::TcpListener::bind(near).unwrap();
        door.set_nonblocking(true).unwrap();
        let this = self.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(this.carry(door, server));
        });
        near
    }

    async fn carry(self, door: std::net::TcpListener, server: SocketAddr) {
        let door = tokio::net::TcpListener::from_std(door).unwrap();
        let connector = TlsConnector::from(self.config);
        let name = ServerName::try_from(self.name).unwrap();
        while let Ok((mut near, _)) = door.accept().await {
            let (connector, name) = (connector.clone(), name.clone());
            tokio::spawn(async move {
                let far = tokio::net::TcpStream::connect(server).await?;
                let mut far = connector.connect(name, far).await?;
                copy_bidirectional(&mut near, &mut far).await
            });
        }
    }
}

fn roots(file: &Path) -> RootCertStore {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).unwrap() {
        store.add(certificate.unwrap()).unwrap();
    }
    store
}
