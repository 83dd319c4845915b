//! `[admin]` on TLS: pairs and authorities, and what only halves of them are.

use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair};

use super::disk::{Folder, loaded};
use super::{RELAY, good};

/// A certificate that stands for an authority's; nobody has its key any more.
const AUTHORITY: &str = include_str!("authority.pem");

/// A folder with `a.crt`, `a.key` and `ca.pem`.
fn folder() -> Folder {
    let folder = Folder::new();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["admin.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    folder.write("a.crt", certificate.pem(), 0o644);
    folder.write("a.key", key.serialize_pem(), 0o600);
    folder.write("ca.pem", AUTHORITY, 0o644);
    folder
}

fn with(folder: &Folder, keys: &str) -> PathBuf {
    let toml = format!("[[relay]]\nurl = \"http://a\"\n[admin]\n{keys}");
    folder.write("x.toml", toml, 0o644)
}

const PAIR: &str = "cert = \"a.crt\"\nkey = \"a.key\"\n";
const CLIENT: &str = "client_cert = \"a.crt\"\nclient_key = \"a.key\"\n";
const CA: &str = "client_ca = \"ca.pem\"\n";

#[test]
fn the_files_are_looked_for_beside_the_configuration() {
    let folder = folder();
    let tls = |keys: &str| {
        let loaded = loaded(&with(&folder, keys));
        let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
        loaded.config.admin.tls
    };
    let here = with(&folder, "").parent().unwrap().to_owned();
    let plain = tls(PAIR).unwrap();
    assert_eq!(plain.pair.chain, here.join("a.crt"));
    assert_eq!(plain.pair.key, here.join("a.key"));
    assert!(plain.client_ca.is_none() && plain.client.is_none());
    let mutual = tls(&format!("{PAIR}{CA}{CLIENT}")).unwrap();
    assert_eq!(mutual.client_ca, Some(here.join("ca.pem")));
    assert_eq!(mutual.client.unwrap(), plain.pair);
    let empty = "cert = \"\"\nkey = \"\"\nclient_ca = \"\"\nclient_cert = \"\"\nclient_key = \"\"";
    assert_eq!(tls(empty), None);
}

#[test]
fn half_of_it_is_refused_at_its_line() {
    let folder = folder();
    for (keys, expected) in [
        (
            "cert = \"a.crt\"",
            "x.toml:4: admin.key: expected the key of the certificate, found nothing",
        ),
        (
            "key = \"a.key\"",
            "x.toml:4: admin.cert: expected the certificate of the key, found nothing",
        ),
        (
            CA,
            "x.toml:4: admin.cert: expected cert and key for client_ca, found nothing",
        ),
        (
            &format!("{PAIR}{CA}client_cert = \"a.crt\""),
            "x.toml:7: admin.client_key: expected the key of the certificate, found nothing",
        ),
        (
            &format!("{PAIR}{CLIENT}"),
            "x.toml:6: admin.client_ca: expected client_ca for client_cert and client_key, found nothing",
        ),
        (
            "cert = 1",
            "x.toml:4: admin.cert: expected a string, found 1",
        ),
    ] {
        assert_eq!(folder.problems_of(&with(&folder, keys)), [expected]);
    }
}

#[test]
fn files_that_cannot_be_used_are_refused_at_their_line() {
    let folder = folder();
    let usable = "a certificate and its key that can be used";
    let all = format!("{PAIR}{CA}{CLIENT}");
    let key = std::fs::read_to_string(with(&folder, "").with_file_name("a.key")).unwrap();
    folder.write("open.key", key, 0o644);
    let other = KeyPair::generate().unwrap().serialize_pem();
    folder.write("other.key", other, 0o600);
    folder.write("empty.pem", "", 0o644);
    for (old, new, expected) in [
        (
            "cert = \"a.crt\"",
            "cert = \"b.crt\"",
            format!("4: admin.cert: expected {usable}, found b.crt: No such file"),
        ),
        (
            "key = \"a.key\"",
            "key = \"open.key\"",
            format!("4: admin.cert: expected {usable}, found open.key: others can read or write it"),
        ),
        (
            "client_key = \"a.key\"",
            "client_key = \"other.key\"",
            format!("7: admin.client_cert: expected {usable}, found other.key is not the key of a.crt"),
        ),
        (
            "ca.pem",
            "empty.pem",
            "6: admin.client_ca: expected a file with certificates of authorities (PEM), found empty.pem: no certificate"
                .to_owned(),
        ),
        (
            "ca.pem",
            "a.key",
            "6: admin.client_ca: expected a file with certificates of authorities (PEM), found a.key: no certificate"
                .to_owned(),
        ),
    ] {
        let problems = folder.problems_of(&with(&folder, &all.replacen(old, new, 1)));
        assert_eq!(problems.len(), 1, "{problems:?}");
        let expected = format!("x.toml:{expected}");
        assert!(problems[0].starts_with(&expected), "{problems:?}");
    }
}

#[test]
fn plain_http_that_other_machines_reach_is_noted() {
    let notes = |bind: &str| good(&format!("[admin]\nbind = \"{bind}\""), &[RELAY]).notices;
    for near in ["127.0.0.1:8081", "[::1]:8081", ""] {
        assert!(notes(near).is_empty(), "{near}");
    }
    for far in ["0.0.0.0:8081", "[::]:8081", "192.0.2.1:8081"] {
        let [note] = &notes(far)[..] else {
            panic!("{:?}", notes(far));
        };
        assert!(note.contains(far) && note.contains("admin.cert"), "{note}");
        assert!(!note.contains("token"), "{note}");
    }
    let folder = folder();
    folder.write("token", "0123456789abcdef", 0o600);
    let notes = |keys: &str| {
        let keys = format!("bind = \"0.0.0.0:8081\"\ntoken_file = \"token\"\n{keys}");
        loaded(&with(&folder, &keys)).unwrap().notices
    };
    assert!(notes("")[0].contains("the token and"), "{:?}", notes(""));
    assert!(notes(PAIR).is_empty());
}
