//! A real ACME server on loopback: Debian's pebble, with a name server to which every name is the test's own address.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::{Folder, Kept, eventually, made, own_ip, quick};
use crate::acme::Settings;
use crate::acme::clock::Clock;
use crate::acme::schedule::Pace;

const API_PORT: u16 = 14_000;
const DNS_PORT: u16 = 14_053;
const NAMES_API_PORT: u16 = 14_055;
const PLAIN_PORT: u16 = 14_080;

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct Manner {
    /// How long its certificates are good.
    pub validity_seconds: u32,
    /// Domains that it refuses.
    pub blocked: Vec<&'static str>,
    /// How many good nonces it refuses.
    pub refused_nonces_percent: u32,
    /// The keys of its customers, each with its id, when it takes bound accounts only.
    pub keys: Vec<(&'static str, &'static str)>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            validity_seconds: 90 * 24 * 3600,
            blocked: Vec::new(),
            refused_nonces_percent: 0,
            keys: Vec::new(),
        }
    }
}

/// The server; it ends with its test.
#[derive(Debug)]
pub struct Authority {
    manner: Manner,
    ip: Ipv4Addr,
    folder: Folder,
    names: Child,
    server: Option<Child>,
}

impl Authority {
    /// A server that runs; none, and a loud word, where pebble is not installed.
    pub async fn open(manner: Manner) -> Option<Self> {
        let mut authority = Self::shut(manner).await?;
        authority.start().await;
        Some(authority)
    }

    /// One that does not run yet.
    pub async fn shut(manner: Manner) -> Option<Self> {
        if !is_installed("pebble") || !is_installed("pebble-challtestsrv") {
            say_skipped();
            return None;
        }
        let (ip, folder) = (own_ip(), Folder::new());
        write_certificates(ip, folder.path());
        let names = start_names(ip, &folder);
        let authority = Self {
            manner,
            ip,
            folder,
            names,
            server: None,
        };
        authority.is_up(NAMES_API_PORT).await;
        Some(authority)
    }

    /// Starts it; it knows nothing of an earlier life.
    pub async fn start(&mut self) {
        let config = self.folder.join("pebble.json");
        fs::write(&config, self.config()).unwrap();
        let mut command = mortal("pebble", &self.folder);
        command
            .arg("-config")
            .arg(&config)
            .args(["-dnsserver", &format!("{}:{DNS_PORT}", self.ip)])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .env(
                "PEBBLE_WFE_NONCEREJECT",
                self.manner.refused_nonces_percent.to_string(),
            );
        self.server = Some(command.spawn().unwrap());
        self.is_up(API_PORT).await;
    }

    /// Kills it.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            end(&mut server);
        }
    }

    /// Settings for a keeper that asks this server.
    pub fn settings(&self, domains: &[&str]) -> Settings {
        Settings {
            domains: domains.iter().map(|&name| name.to_owned()).collect(),
            email: Some("operator@radio.test".to_owned()),
            directory: format!("https://{}:{API_PORT}/dir", self.ip),
            state_dir: self.folder.join("state"),
            binding: None,
            ca_file: Some(self.folder.join("authorities.pem")),
        }
    }

    /// A keeper whose plain bind this server visits.
    pub async fn keep(&self, domains: &[&str]) -> Kept {
        self.keep_with(self.settings(domains)).await
    }

    /// The same, with other settings.
    pub async fn keep_with(&self, settings: Settings) -> Kept {
        self.keep_at(settings, quick()).await
    }

    /// The same, at another pace.
    pub async fn keep_at(&self, settings: Settings, pace: Pace) -> Kept {
        Kept::begin(settings, pace, (self.ip, PLAIN_PORT).into()).await
    }

    /// The same, by another clock.
    pub async fn keep_by(&self, clock: Clock, settings: Settings) -> Kept {
        Kept::begin_at(clock, settings, quick(), (self.ip, PLAIN_PORT).into()).await
    }

    /// What it wrote to its log since its last start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("pebble.log")).unwrap()
    }

    fn config(&self) -> String {
        let (ip, seconds) = (self.ip, self.manner.validity_seconds);
        let (certificate, key) = (self.folder.join("server.pem"), self.folder.join("key.pem"));
        serde_json::json!({ "pebble": {
            "listenAddress": format!("{ip}:{API_PORT}"),
            "certificate": certificate,
            "privateKey": key,
            "httpPort": PLAIN_PORT,
            "tlsPort": PLAIN_PORT + 1,
            "domainBlocklist": self.manner.blocked,
            // Pebble 2.4 reads the first, later ones the second.
            "certificateValidityPeriod": seconds,
            "profiles": { "default": { "description": "the only one", "validityPeriod": seconds } },
            "externalAccountBindingRequired": !self.manner.keys.is_empty(),
            "externalAccountMACKeys": BTreeMap::from_iter(self.manner.keys.iter().copied()),
            "retryAfter": { "authz": 1, "order": 1 },
        }})
        .to_string()
    }

    async fn is_up(&self, port: u16) {
        let address = SocketAddr::from((self.ip, port));
        eventually("the server listens", || TcpStream::connect(address).is_ok()).await;
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.kill();
        end(&mut self.names);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Past the test harness, which keeps the words of tests that do not fail.
fn say_skipped() {
    let test = std::thread::current();
    let name = test.name().unwrap_or("a test");
    let text = format!("SKIPPED: {name}: pebble is not installed (apt-get install pebble)\n");
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// A program that the kernel ends with us.
fn mortal(program: &str, folder: &Folder) -> Command {
    let log = File::create(folder.join(&format!("{program}.log"))).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command.stdout(log.try_clone().unwrap()).stderr(log);
    command
}

fn start_names(ip: Ipv4Addr, folder: &Folder) -> Child {
    let mut command = mortal("pebble-challtestsrv", folder);
    let at = |port: u16| format!("{ip}:{port}");
    command
        .args(["-dns01", &at(DNS_PORT), "-management", &at(NAMES_API_PORT)])
        .args(["-defaultIPv4", &ip.to_string(), "-defaultIPv6", ""])
        .args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
    command.spawn().unwrap()
}

/// The server's own certificate, and a file of authorities of which the second vouches for it.
fn write_certificates(ip: Ipv4Addr, folder: &Path) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new([ip.to_string()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    let day = Duration::from_secs(24 * 3600);
    let (stranger, _) = made(&["stranger.test"], day, day);
    let authorities = format!("{stranger}{}", authority.pem());
    fs::write(folder.join("authorities.pem"), authorities).unwrap();
    fs::write(folder.join("server.pem"), server.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}
