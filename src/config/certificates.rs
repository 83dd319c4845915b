//! `[tls]`: who we are to listeners on TLS.
//!
//! In: a section of the file under its variables. Out: pairs of files of which it is known that they can be used.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::Tls;
use super::error::{Fault, Spot};
use super::secret;
use super::section::{Read, Section};
use super::value::{self, Given};
use crate::acme;
use crate::tls::{Files, Pair};

/// Longer than two years is of no use to anybody.
const HSTS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(63_115_200);

/// Reads `[tls]`.
pub(super) fn tls(section: &mut Section<'_, '_>) -> Tls {
    let pairs = section.tables("certificate", certificate);
    let acme = section.section("acme", acme);
    let hsts = section.scalar("hsts", |given| value::duration(given, HSTS));
    Tls {
        hsts: hsts.or(Duration::ZERO),
        acme,
        certificates: pairs.into_iter().flatten().flatten().collect(),
    }
}

/// Where a service keeps what it must not forget (FHS).
const STATE_DIR: &str = "/var/lib/icecast-balancer";

/// The most names that Let's Encrypt puts into a certificate.
const DOMAIN_LIMIT: usize = 100;

/// Reads `[tls.acme]`; without domains there is none.
fn acme(section: &mut Section<'_, '_>) -> Option<acme::Settings> {
    let domains = section.list("domains", domain);
    let email = section.scalar("email", value::text);
    let directory = section.scalar("directory", directory);
    let state_dir = section.scalar("state_dir", value::text);
    let ca_file = section.scalar("ca_file", value::text);
    let binding = binding(section);
    let (domains, spot) = domains
        .with_spot()
        .filter(|(domains, _)| !domains.is_empty())?;
    if domains.len() > DOMAIN_LIMIT {
        let fault = Fault::expected(
            format!("at most {DOMAIN_LIMIT} domains"),
            domains.len().to_string(),
        );
        section.reader.refuse(spot, fault);
    }
    let state_dir = state_dir_of(section, state_dir);
    let ca_file = ca_file
        .given()
        .map(|(path, _)| section.reader.beside_file(&path));
    Some(acme::Settings {
        domains: domains.into_iter().map(|(domain, _)| domain).collect(),
        email: email.given().map(|(email, _)| email),
        directory: directory.or(acme::LETS_ENCRYPT.to_owned()),
        binding,
        state_dir,
        ca_file,
    })
}

/// The directory for account and certificates. It need not be there yet; one that is there must be
/// a place for keys.
fn state_dir_of(section: &mut Section<'_, '_>, read: Read<String>) -> PathBuf {
    let (path, spot) = match read.given() {
        Some((path, spot)) => (path, spot),
        None => (
            STATE_DIR.to_owned(),
            section.spot_of("state_dir", section.at),
        ),
    };
    let folder = section.reader.beside_file(&path);
    if let Err(fault) = acme::judge_folder(&folder) {
        section.reader.refuse(
            spot,
            Fault::Folder {
                folder: folder.clone(),
                fault,
            },
        );
    }
    folder
}

/// Reads a name that an authority can visit. Wildcards need DNS, which is not ours.
fn domain(given: &Given<'_>) -> Result<String, Fault> {
    let expected = "a domain such as \"radio.example.com\" (no wildcard, no port, ASCII)";
    let text = given.text().unwrap_or_default();
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_domain = text.len() <= 253 && text.split('.').all(is_label);
    match is_domain {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(given.instead_of(expected)),
    }
}

/// Reads an ACME server's directory.
///
/// SECURITY: whoever could change its answers on the way could have the account.
fn directory(given: &Given<'_>) -> Result<String, Fault> {
    let text = given.text().unwrap_or_default();
    let url = url::Url::parse(text)
        .ok()
        .filter(|url| url.scheme() == "https" && url.has_host());
    match url {
        Some(_) => Ok(text.to_owned()),
        None => Err(given.instead_of("an https URL such as the one of Let's Encrypt")),
    }
}

/// Reads which customer of an ACME server we are; half of that is a mistake.
fn binding(section: &mut Section<'_, '_>) -> Option<acme::Binding> {
    section.forbid(
        "eab_key",
        "eab_key_file with the path of a file that holds the key",
        "a key in the configuration",
    );
    let key_id = section.scalar("eab_key_id", key_id);
    let file = section.scalar("eab_key_file", value::text);
    if let (Read::Refused, _) | (_, Read::Refused) = (&key_id, &file) {
        return None;
    }
    let (at, name, expected) = match (key_id.given(), file.given()) {
        (None, None) => return None,
        (Some((key_id, _)), Some((file, spot))) => return bound(section, key_id, &file, spot),
        (Some((_, at)), None) => (at, "eab_key_file", "a file with the key of eab_key_id"),
        (None, Some((_, at))) => (at, "eab_key_id", "the id of the key in eab_key_file"),
    };
    section.refuse_missing_beside(&at, name, expected);
    None
}

fn bound(
    section: &mut Section<'_, '_>,
    key_id: String,
    file: &str,
    spot: Spot,
) -> Option<acme::Binding> {
    let path = section.reader.beside_file(file);
    let fault = match secret::load(&path) {
        Ok(key) => match acme::Binding::new(key_id, &key) {
            Ok(binding) => return Some(binding),
            Err(acme::NotBase64Url) => Fault::expected(
                "a file whose first line is the key in base64url, as the authority gave it",
                "other characters",
            ),
        },
        Err(fault) => fault.of(path),
    };
    section.reader.refuse(spot, fault);
    None
}

/// It is told in the log.
fn key_id(given: &Given<'_>) -> Result<String, Fault> {
    let id = given.text().filter(|id| !id.contains(char::is_control));
    let expected = "the id of a key, without control characters";
    id.map(str::to_owned)
        .ok_or_else(|| given.instead_of(expected))
}

/// Reads one `[[tls.certificate]]`.
fn certificate(section: &mut Section<'_, '_>) -> Option<Files> {
    let [cert, key] = ["cert", "key"].map(|name| section.scalar(name, value::text));
    if let (Read::Refused, _) | (_, Read::Refused) = (&cert, &key) {
        return None;
    }
    let (cert, key) = match (cert.given(), key.given()) {
        (Some(cert), Some((key, _))) => (cert, key),
        // A template may leave both empty.
        (None, None) => return None,
        (cert, _) => {
            let name = if cert.is_none() { "cert" } else { "key" };
            section.refuse_missing(name, "the path of a file (PEM)");
            return None;
        }
    };
    let (cert, spot) = cert;
    let [chain, key] = [cert, key].map(|path| section.reader.beside_file(&path));
    let files = Files { chain, key };
    match Pair::load(&files) {
        Ok(pair) if pair.valid_until <= SystemTime::now() => section.reader.notices.push(format!(
            "{} ended at {}: players refuse it",
            files.chain.display(),
            humantime::format_rfc3339_seconds(pair.valid_until)
        )),
        Ok(_) => {}
        Err(bad) => {
            let expected = "a certificate and its key that can be used";
            let fault = Fault::expected(expected, bad.to_string());
            section.reader.refuse(spot, fault);
        }
    }
    Some(files)
}
