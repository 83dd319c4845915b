//! A balancer whose operator's address has TLS, and those who ask there: the commands and curl.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::authority::{Authority, PairFiles};
use super::balancer::Balancer;
use super::config_text::ConfigText;
use super::ended::Ended;
use super::fake_relay::FakeRelay;
use super::operator::{TOKEN, TokenFile};
use super::ports::own_address;
use super::wait::{eventually, seconds};

/// The kind of every key there.
pub const ECDSA: &rcgen::SignatureAlgorithm = &rcgen::PKCS_ECDSA_P256_SHA256;

/// A balancer whose operator's address has TLS.
#[derive(Debug)]
pub struct Secured {
    /// The balancer.
    pub balancer: Balancer,
    /// Its one relay.
    pub relay: FakeRelay,
    /// The file with its token.
    pub token: TokenFile,
    /// Whose certificate it shows there.
    pub authority: Authority,
    /// That certificate.
    pub shown: PairFiles,
}

impl Secured {
    /// With a certificate for its address and these keys of `[admin]`.
    #[track_caller]
    pub fn with(keys: &str) -> Self {
        let admin = own_address();
        Self::showing_a_certificate_for(&admin.ip().to_string(), admin, keys)
    }

    /// With a certificate for this name.
    #[track_caller]
    pub fn showing_a_certificate_for(name: &str, admin: SocketAddr, keys: &str) -> Self {
        let (relay, token) = (FakeRelay::of("/live.mp3"), TokenFile::of(TOKEN));
        let (authority, shown) = (Authority::new(), PairFiles::nowhere_yet());
        shown.put(&authority, &[name], ECDSA);
        let config = ConfigText::of_none()
            .and_relay_at(relay.address())
            .with_admin(&named(&shown, ["cert", "key"]))
            .with_admin(&format!("token_file = \"{}\"\n{keys}", token.path()));
        let secured = Self {
            balancer: Balancer::starting_with_admin_at(admin, &config),
            relay,
            token,
            authority,
            shown,
        };
        eventually(seconds(8), "the balancer is ready", || {
            secured.command(&["healthcheck"]).code == Some(0)
        });
        secured
    }

    /// Runs one of the commands, which reads the balancer's own configuration.
    pub fn command(&self, words: &[&str]) -> Ended {
        let file = self.balancer.config_file();
        let config = ["--config", file.to_str().unwrap()];
        Ended::of(&[words, &config].concat())
    }

    /// Runs one of the commands with flags and no configuration.
    pub fn command_by_flags(&self, words: &[&str]) -> Ended {
        let admin = format!("https://{}", self.balancer.admin());
        Ended::of(&[words, &["--admin", &admin]].concat())
    }

    /// What curl gets of a page as its exit code and text, believing the authority.
    pub fn curl(&self, page: &str, flags: &[&str]) -> (Option<i32>, String) {
        let believed = self.authority.file();
        let url = format!("https://{}{page}", self.balancer.admin());
        let ca = ["--cacert", believed.to_str().unwrap()];
        curl(&[&ca, flags, &[&url]].concat())
    }
}

/// The keys of the configuration that name a pair.
fn named(pair: &PairFiles, [cert, key]: [&str; 2]) -> String {
    let [chain, private] = ["cert.pem", "key.pem"].map(|name| pair.path(name));
    let (chain, private) = (chain.display(), private.display());
    format!("{cert} = \"{chain}\"\n{key} = \"{private}\"")
}

/// Asks with curl; its exit code and all that it says.
pub fn curl(flags: &[&str]) -> (Option<i32>, String) {
    let fixed = ["--silent", "--show-error", "--max-time", "8", "-q"];
    let ended = Command::new("curl").args(fixed).args(flags).output();
    let ended = ended.unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8_lossy(&said).into())
}

/// An authority's own pair for a client.
pub fn client_of(authority: &Authority) -> PairFiles {
    let pair = PairFiles::nowhere_yet();
    pair.put(authority, &["operator.example"], ECDSA);
    pair
}

/// The flags that show a pair, as the commands and curl have them.
pub fn flags_of(pair: &PairFiles) -> [String; 4] {
    let [chain, private] = ["cert.pem", "key.pem"].map(|name| text(&pair.path(name)));
    let [cert, key] = ["--cert", "--key"].map(str::to_owned);
    [cert, chain, key, private]
}

/// Flags as they are handed on.
pub fn words(flags: &[String; 4]) -> [&str; 4] {
    flags.each_ref().map(String::as_str)
}

/// `client_ca` of this authority, and what the commands show.
pub fn wanting(authority: &Authority, client: &PairFiles) -> String {
    let ca = authority.file();
    let client = named(client, ["client_cert", "client_key"]);
    format!("client_ca = \"{}\"\n{client}", ca.display())
}

/// A path as it is handed on.
pub fn text(path: &Path) -> String {
    path.display().to_string()
}
