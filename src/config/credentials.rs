//! Credentials for a relay: a user in the configuration, a password in a file.
//!
//! In: the table of a relay. Out: those of its status page and those of its streams, each both or neither. SECURITY: a
//! password in the configuration itself is refused unseen, and the two never share a user: what is sent with a stream is
//! in the hands of every listener.

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

/// A pair of keys that name credentials.
struct Keys {
    username: &'static str,
    password_file: &'static str,
}

const STATUS_PAGE: Keys = Keys {
    username: "username",
    password_file: "password_file",
};

const STREAMS: Keys = Keys {
    username: "stream_username",
    password_file: "stream_password_file",
};

/// Reads the credentials for a relay's status page; half of them is a mistake, and so is `admin-stats` without them.
pub(super) fn of_status_page(
    section: &mut Section<'_, '_>,
    stats: &Read<Stats>,
) -> Option<Credentials> {
    section.forbid(
        "password",
        "password_file with the path of a file that holds the password",
        "a password in the configuration",
    );
    let credentials = match read(section, &STATUS_PAGE) {
        Read::Value(credentials, _) => return Some(credentials),
        read => read,
    };
    if let (Read::Absent, Read::Value(Stats::AdminStats, spot)) = (credentials, stats) {
        section.refuse_missing_beside(
            spot,
            STATUS_PAGE.username,
            "username and password_file for stats = \"admin-stats\"",
        );
    }
    None
}

/// Reads the credentials that are sent with a relay's streams; `status_page` are those of its status page.
pub(super) fn of_streams(
    section: &mut Section<'_, '_>,
    status_page: Option<&Credentials>,
) -> Option<Credentials> {
    section.forbid(
        "stream_password",
        "stream_password_file with the path of a file that holds the password",
        "a password in the configuration",
    );
    let (credentials, spot) = read(section, &STREAMS).with_spot()?;
    let is_shared = |other: &Credentials| other.username == credentials.username;
    if status_page.is_some_and(is_shared) {
        let fault = Fault::expected(
            "another user than username, which is for the status page only: every listener has the rights of this one",
            "the same",
        );
        section.reader.refuse(spot, fault);
        return None;
    }
    Some(credentials)
}

fn read(section: &mut Section<'_, '_>, keys: &Keys) -> Read<Credentials> {
    let user = section.scalar(keys.username, username);
    let file = section.scalar(keys.password_file, value::text);
    if let (Read::Refused, _) | (_, Read::Refused) = (&user, &file) {
        return Read::Refused;
    }
    match (user.given(), file.given()) {
        (Some((username, user_spot)), Some((file, spot))) => {
            match load(section, username, &file, spot) {
                Some(credentials) => Read::Value(credentials, user_spot),
                None => Read::Refused,
            }
        }
        (Some((_, spot)), None) => {
            let expected = format!("a file with the password of {}", keys.username);
            section.refuse_missing_beside(&spot, keys.password_file, &expected);
            Read::Refused
        }
        (None, Some((_, spot))) => {
            let expected = format!("the user of {}", keys.password_file);
            section.refuse_missing_beside(&spot, keys.username, &expected);
            Read::Refused
        }
        (None, None) => Read::Absent,
    }
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
