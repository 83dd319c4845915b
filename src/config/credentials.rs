//! Who the poller says it is: a user in the configuration, a password in a file.
//!
//! In: the table of a relay. Out: both or neither. SECURITY: a password in the configuration itself is refused unseen.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::error::{Fault, Spot};
use super::section::{Read, Section};
use super::value::{self, Given};
use super::{Stats, secret};

/// A name and a password whose `Debug` does not print it.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password, read from a file.
    pub password: SecretString,
}

/// Two are the same when their texts are.
impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        self.username == other.username
            && self.password.expose_secret() == other.password.expose_secret()
    }
}

/// Reads the credentials of a relay; half of them is a mistake, and so is `admin-stats` without them.
pub(super) fn read(section: &mut Section<'_, '_>, stats: &Read<Stats>) -> Option<Credentials> {
    section.forbid(
        "password",
        "password_file with the path of a file that holds the password",
        "a password in the configuration",
    );
    let username = section.scalar("username", username);
    let file = section.scalar("password_file", value::text);
    if let (Read::Refused, _) | (_, Read::Refused) = (&username, &file) {
        return None;
    }
    match (username.given(), file.given()) {
        (Some((username, _)), Some((file, spot))) => load(section, username, &file, spot),
        (Some((_, spot)), None) => missing(
            section,
            &spot,
            "password_file",
            "a file with the password of username",
        ),
        (None, Some((_, spot))) => missing(section, &spot, "username", "the user of password_file"),
        (None, None) => match stats {
            Read::Value(Stats::AdminStats, spot) => missing(
                section,
                spot,
                "username",
                "username and password_file for stats = \"admin-stats\"",
            ),
            _ => None,
        },
    }
}

fn missing<T>(section: &mut Section<'_, '_>, at: &Spot, name: &str, expected: &str) -> Option<T> {
    section.refuse_missing_beside(at, name, expected);
    None
}

fn load(
    section: &mut Section<'_, '_>,
    username: String,
    file: &str,
    spot: Spot,
) -> Option<Credentials> {
    let path: PathBuf = section.reader.beside_file(file);
    match secret::load(&path) {
        Ok(password) => Some(Credentials { username, password }),
        Err(fault) => {
            section.reader.refuse(spot, fault.of(path));
            None
        }
    }
}

/// Basic authentication ends the user at the first colon.
fn username(given: &Given<'_>) -> Result<String, Fault> {
    given
        .text()
        .filter(|text| !text.contains(|c: char| c.is_control() || c == ':'))
        .map(str::to_owned)
        .ok_or_else(|| given.instead_of("a user without colon and control characters"))
}
