//! A balancer that speaks TLS, and those who come by it.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use rcgen::PKCS_ECDSA_P256_SHA256 as ECDSA;
use rustls::{ClientConnection, StreamOwned};

use super::authority::{Authority, PairFiles};
use super::balancer::Balancer;
use super::config_text::ConfigText;
use super::multiplexed::Multiplexed;
use super::radio::{Radio, TuneIn};
use super::tls::TlsClient;
use super::wait::seconds;

/// A balancer with a plain bind and two with TLS, whose certificate an authority of the story's own gave.
#[derive(Debug)]
pub struct Door {
    /// The balancer.
    pub balancer: Balancer,
    /// Where it speaks TLS.
    pub tls: SocketAddr,
    /// Where it speaks HTTP/2 too.
    pub h2: SocketAddr,
    /// Whose certificate it shows.
    pub authority: Authority,
    /// That certificate.
    pub files: PairFiles,
}

impl Door {
    /// The name in its certificate.
    pub const NAME: &str = "radio.example";

    /// With this configuration and its binds.
    #[track_caller]
    pub fn with(config: ConfigText) -> Self {
        let (authority, files) = (Authority::new(), PairFiles::nowhere_yet());
        files.put(&authority, &[Self::NAME], &ECDSA);
        let (config, tls) = config.and_tls_bind("");
        let (config, h2) = config.and_tls_bind("h2 = true");
        let balancer = Balancer::with_config(&config.with_section(&files.section()));
        Self {
            balancer,
            tls,
            h2,
            authority,
            files,
        }
    }

    /// A client that believes it.
    pub fn client(&self) -> TlsClient {
        TlsClient::asking_for(Self::NAME, &self.authority)
    }

    /// The URL of a mount, as a person would type it.
    pub fn url(&self, mount: &str) -> String {
        format!("https://{}{mount}", self.tls)
    }

    /// `n` radios that play a mount from now on.
    pub fn radios(&self, n: usize, mount: &str) -> Vec<Radio> {
        let near = self.client().tunnel_to(self.tls);
        let tuned = (0..n).map(|_| TuneIn::to(mount).at(near).unwrap());
        tuned.collect()
    }

    /// A player that speaks HTTP/2.
    pub fn player(&self) -> Multiplexed {
        Multiplexed::of(&self.client(), self.h2).unwrap()
    }

    /// TLS of one who has agreed on HTTP/2 and says `first`, and no more.
    pub fn mute(&self, first: &[u8]) -> StreamOwned<ClientConnection, TcpStream> {
        let (config, name) = self.client().offering(b"h2");
        let socket = TcpStream::connect(self.h2).unwrap();
        socket.set_read_timeout(Some(seconds(20))).unwrap();
        let tls = ClientConnection::new(config, name.try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(tls, socket);
        stream.flush().unwrap();
        stream.write_all(first).unwrap();
        stream
    }
}
