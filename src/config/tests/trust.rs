//! Files that say whom to trust: the token of the operator, the authorities of the relays, the key of an ACME customer.

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::super::{Sources, load};
use super::disk::{Folder, loaded};
use super::environment;

const TOKEN: &str = "0123456789abcdef";

/// A certificate that stands for an authority's; nobody has its key any more.
const AUTHORITY: &str = include_str!("authority.pem");

fn with_token(folder: &Folder) -> std::path::PathBuf {
    let toml = "[admin]\ntoken_file = \"token\"\n[[relay]]\nurl = \"http://a\"";
    folder.write("x.toml", toml, 0o644)
}

#[test]
fn a_token_is_the_first_line_of_its_file_and_never_printed() {
    let folder = Folder::new();
    let file = with_token(&folder);
    for more in ["", "\n", "\r\n", "\nanother line\n"] {
        folder.write("token", format!("{TOKEN}{more}"), 0o600);
        let config = loaded(&file).unwrap().config;
        let token = config.admin.token.as_ref().unwrap();
        assert_eq!(token.0.expose_secret(), TOKEN);
        assert!(!format!("{config:?}").contains(TOKEN));
    }
}

#[test]
fn a_weak_or_exposed_token_is_refused_without_a_word_of_it() {
    let folder = Folder::new();
    let file = with_token(&folder);
    let strong = "a token of at least 16 printable ASCII characters without spaces, found";
    let cases: [(&str, u32, String); 8] = [
        ("0123456789abcde", 0o600, format!("{strong} a shorter one")),
        (
            "short\nline of a token",
            0o600,
            format!("{strong} a shorter one"),
        ),
        (
            "0123456789 abcdefgh",
            0o600,
            format!("{strong} one with other characters"),
        ),
        (
            "0123456789abcdef ",
            0o600,
            format!("{strong} one with other characters"),
        ),
        (
            "0123456789abcdef\u{e9}",
            0o600,
            format!("{strong} one with other characters"),
        ),
        (
            "0123456789\u{7f}abcdef",
            0o600,
            format!("{strong} one with other characters"),
        ),
        (
            "\n0123456789abcdef",
            0o600,
            "a file with the secret in its first line, found token: nothing there".to_owned(),
        ),
        (
            TOKEN,
            0o604,
            "a file that others can neither read nor write (chmod o-rw), found token: mode 0604"
                .to_owned(),
        ),
    ];
    for (content, mode, expected) in cases {
        folder.write("token", content, mode);
        let problems = folder.problems_of(&file);
        assert_eq!(
            problems,
            [format!("x.toml:2: admin.token_file: expected {expected}")]
        );
        assert!(!problems.concat().contains("012345"));
    }
}

#[test]
fn no_token_file_is_no_token() {
    let folder = Folder::new();
    let toml =
        "[admin]\ntoken_file = \"\"\n[upstream]\nca_file = \"\"\n[[relay]]\nurl = \"http://a\"";
    let file = folder.write("x.toml", toml, 0o644);
    let config = loaded(&file).unwrap().config;
    assert!(config.admin.token.is_none() && config.upstream.ca_file.is_none());
}

#[test]
fn both_files_can_be_named_by_variables() {
    let folder = Folder::new();
    let token = folder.write("token", TOKEN, 0o600);
    let authorities = folder.write("ca.pem", AUTHORITY, 0o644);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let variables = [
        ("ICECAST_RELAYS", "a"),
        ("BALANCER__ADMIN__TOKEN_FILE", &text(&token)),
        ("BALANCER__UPSTREAM__CA_FILE", &text(&authorities)),
    ];
    let sources = Sources {
        file: None,
        environment: environment(&variables),
    };
    let config = load(&sources).unwrap().config;
    assert_eq!(config.admin.token.unwrap().0.expose_secret(), TOKEN);
    assert_eq!(config.upstream.ca_file, Some(authorities));
}

fn with_authorities(folder: &Folder) -> std::path::PathBuf {
    let toml = "[upstream]\nca_file = \"ca.pem\"\n[[relay]]\nurl = \"https://a\"";
    folder.write("x.toml", toml, 0o644)
}

#[test]
fn authorities_are_looked_for_beside_the_file_and_may_be_several_with_words_between() {
    let folder = Folder::new();
    let file = with_authorities(&folder);
    let words: &[u8] = b"# our own, f\xfcr us\n";
    for content in [
        AUTHORITY.as_bytes().to_vec(),
        [words, AUTHORITY.as_bytes(), AUTHORITY.as_bytes()].concat(),
    ] {
        let path = folder.write("ca.pem", content, 0o644);
        assert_eq!(loaded(&file).unwrap().config.upstream.ca_file, Some(path));
    }
}

#[test]
fn what_the_connector_could_not_load_is_refused() {
    let folder = Folder::new();
    let file = with_authorities(&folder);
    let damaged = "a damaged certificate in it, or something else such as a key";
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let cut = AUTHORITY.lines().take(4).collect::<Vec<_>>().join("\n");
    let cases = [
        (String::new(), "no certificate in it"),
        ("hello\n".to_owned(), "no certificate in it"),
        (format!("{AUTHORITY}{key}"), damaged),
        (format!("{AUTHORITY}{cut}"), damaged),
        (AUTHORITY.replacen('M', "?", 1), damaged),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            damaged,
        ),
        (
            AUTHORITY.to_owned() + &"#".repeat(1024 * 1024 + 1 - AUTHORITY.len()),
            "larger than 1 MiB",
        ),
    ];
    for (content, found) in cases {
        folder.write("ca.pem", content, 0o644);
        assert_eq!(
            folder.problems_of(&file),
            [format!(
                "x.toml:2: upstream.ca_file: expected a file with certificates of authorities (PEM) and nothing else, \
                 found \"ca.pem\" ({found})"
            )]
        );
    }
}

#[test]
fn the_key_of_an_acme_customer_is_read_from_beside_the_file_and_never_printed() {
    let folder = Folder::new();
    let acme = "domains = [\"a.example\"]\neab_key_id = \"kid-1\"\neab_key_file = \"key\"";
    let toml = format!("[tls.acme]\n{acme}\n[[relay]]\nurl = \"http://a\"");
    let file = folder.write("x.toml", toml, 0o644);
    let secret = "c2VjcmV0-_";
    for more in ["", "\n", "=\r\n", "\nanother line\n"] {
        folder.write("key", format!("{secret}{more}"), 0o600);
        let config = loaded(&file).unwrap().config;
        let binding = config.tls.acme.as_ref().unwrap().binding.as_ref();
        assert_eq!(binding.unwrap().key_id, "kid-1");
        assert!(!format!("{config:?}").contains(secret));
    }
    let letters = "a file whose first line is the key in base64url, as the authority gave it, found other characters";
    let mode = "a file that others can neither read nor write (chmod o-rw), found key: mode 0644";
    for (content, permissions, expected) in [
        ("c2VjcmV0/+", 0o600, letters),
        ("c2VjcmV0-_ ", 0o640, letters),
        (secret, 0o644, mode),
    ] {
        folder.write("key", content, permissions);
        let problems = folder.problems_of(&file);
        let told = format!("x.toml:4: tls.acme.eab_key_file: expected {expected}");
        assert_eq!(problems, [told]);
        assert!(!problems.concat().contains("c2VjcmV0"));
    }
}
