//! `[admin]`: the operator's address, what guards it, and TLS as its clients see it.
//!
//! In: the section. Out: files of which it is known that they can be used; half of a pair, or a file that needs another one,
//! is a mistake.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::draft::AdminDraft;
use super::error::{Fault, Spot};
use super::reader::Reader;
use super::section::{Read, Section};
use super::value::{self, Given};
use crate::tls::{ClientAuthority, Files, Pair};

/// The operator's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where status, metrics and readiness are asked; `None` (`bind = ""`) turns it off.
    pub bind: Option<SocketAddr>,
    /// What is spoken there instead of plain HTTP.
    pub tls: Option<AdminTls>,
    /// What a request must know to change anything; `None` refuses every change.
    pub token: Option<Token>,
    /// Names under which it answers besides IP addresses and `localhost`: in lower case, without
    /// port and last dot.
    pub hosts: Vec<String>,
    /// Where it is kept what an operator wants of relays; `None` forgets it at the end.
    pub state_file: Option<PathBuf>,
}

/// The secret that guards changes over the admin bind, read from a file.
#[derive(Debug, Clone)]
pub struct Token(pub SecretString);

/// Two tokens are the same when their texts are.
impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for Token {}

/// TLS at the operator's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminTls {
    /// The certificate that is shown there, and its key.
    pub pair: Files,
    /// The authority (PEM) whose certificates clients must have; `None` asks for none.
    pub client_ca: Option<PathBuf>,
    /// What the commands show when they read this configuration.
    pub client: Option<Files>,
}

/// A path and where it was given.
type Path = (PathBuf, Spot);

/// Reads what `[admin]` says of TLS; without a certificate there is none.
pub(super) fn tls(section: &mut Section<'_, '_>) -> Option<AdminTls> {
    let server = pair(section, ["cert", "key"]);
    let client_ca = path(section, "client_ca");
    let client = pair(section, ["client_cert", "client_key"]);
    let (Ok(server), Ok(client_ca), Ok(client)) = (server, client_ca, client) else {
        return None;
    };
    if let (None, Some((_, spot))) = (&server, &client_ca) {
        let expected = "cert and key for client_ca";
        miss(section, spot, "cert", expected);
    }
    if let (None, Some((_, spot))) = (&client_ca, &client) {
        let expected = "client_ca for client_cert and client_key";
        miss(section, spot, "client_ca", expected);
    }
    if let Some((file, spot)) = &client_ca
        && let Err(bad) = ClientAuthority::load(file)
    {
        let expected = "a file with certificates of authorities (PEM)";
        let fault = Fault::expected(expected, bad.to_string());
        section.reader.refuse(spot.clone(), fault);
    }
    server.map(|(pair, _)| AdminTls {
        pair,
        client_ca: client_ca.map(|(file, _)| file),
        client: client.map(|(files, _)| files),
    })
}

/// Largest number of names; one balancer has a few.
const HOST_LIMIT: usize = 100;

/// Reads the names under which the address answers.
pub(super) fn hosts(section: &mut Section<'_, '_>) -> Vec<String> {
    let Some((hosts, spot)) = section.list("hosts", host).with_spot() else {
        return Vec::new();
    };
    if hosts.len() > HOST_LIMIT {
        let expected = format!("at most {HOST_LIMIT} names");
        let fault = Fault::expected(expected, hosts.len().to_string());
        section.reader.refuse(spot, fault);
    }
    hosts.into_iter().map(|(host, _)| host).collect()
}

/// Reads a name as it stands in a request's `Host`, there perhaps with a port.
fn host(given: &Given<'_>) -> Result<String, Fault> {
    let expected = "a host name such as \"balancer.example.com\", without scheme, port and path";
    let text = given.text().unwrap_or_default();
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(fits)
    };
    match name.len() <= 253 && name.split('.').all(is_label) {
        true => Ok(name.to_ascii_lowercase()),
        false => Err(given.instead_of(expected)),
    }
}

/// Notes that whoever is on the way reads along.
pub(super) fn note_exposed(admin: &AdminDraft, reader: &mut Reader) {
    let Some(bind) = admin.bind.filter(|bind| !bind.ip().is_loopback()) else {
        return;
    };
    let seen = match (&admin.tls, &admin.token) {
        (Some(_), _) => return,
        (None, Some(_)) => "the token and what the fleet looks like",
        (None, None) => "what the fleet looks like",
    };
    reader.notices.push(format!(
        "admin.bind is {bind}, which other machines may reach, and without admin.cert and admin.key {seen} travels in the clear"
    ));
}

/// Reads the path of a file; an empty one is as good as none, so that a template may leave it empty.
fn path(section: &mut Section<'_, '_>, name: &'static str) -> Result<Option<Path>, Refused> {
    match section.scalar(name, value::text) {
        Read::Refused => Err(Refused),
        Read::Value(text, spot) if !text.is_empty() => {
            Ok(Some((section.reader.beside_file(&text), spot)))
        }
        Read::Value(..) | Read::Absent => Ok(None),
    }
}

/// Reads a certificate and its key.
fn pair(
    section: &mut Section<'_, '_>,
    [cert, key]: [&'static str; 2],
) -> Result<Option<(Files, Spot)>, Refused> {
    let (chain, key_file) = (path(section, cert), path(section, key));
    let (chain, spot, key) = match (chain?, key_file?) {
        (None, None) => return Ok(None),
        (Some((chain, spot)), Some((key, _))) => (chain, spot, key),
        (Some((_, spot)), None) => {
            return Err(miss(section, &spot, key, "the key of the certificate"));
        }
        (None, Some((_, spot))) => {
            return Err(miss(section, &spot, cert, "the certificate of the key"));
        }
    };
    let files = Files { chain, key };
    match Pair::load(&files) {
        Ok(_) => Ok(Some((files, spot))),
        Err(bad) => {
            let expected = "a certificate and its key that can be used";
            let fault = Fault::expected(expected, bad.to_string());
            section.reader.refuse(spot, fault);
            Err(Refused)
        }
    }
}

/// What was refused is told already.
struct Refused;

fn miss(section: &mut Section<'_, '_>, at: &Spot, name: &str, expected: &str) -> Refused {
    section.refuse_missing_beside(at, name, expected);
    Refused
}
