//! Whom to ask and with which token: flags before the configuration, which is not read where the flags say all.

use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use secrecy::SecretString;

use super::error::ControlError;
use crate::cli::{OrderFlags, StatusFlags};
use crate::config::{self, Admin, SecretFault, Sources, Token};

/// A balancer that can be told something.
#[derive(Debug)]
pub struct Target {
    /// `host:port` of its admin address.
    pub address: String,
    /// What lets us.
    pub token: Token,
}

/// Whom `status` asks.
///
/// # Errors
/// Neither the flag nor the configuration says so.
pub fn to_ask(flags: &StatusFlags, sources: &Sources) -> Result<String, ControlError> {
    match &flags.admin.admin {
        Some(address) => Ok(address.clone()),
        None => address_of(&configured(sources, "--admin HOST:PORT")?),
    }
}

/// Whom an order goes to.
///
/// # Errors
/// Flags and configuration together do not say so, or the file of the token cannot be used.
pub fn to_tell(flags: &OrderFlags, sources: &Sources) -> Result<Target, ControlError> {
    let (address, file) = (flags.admin.admin.clone(), flags.token_file.as_deref());
    if let (Some(address), Some(file)) = (&address, file) {
        let (address, token) = (address.clone(), load(file)?);
        return Ok(Target { address, token });
    }
    let admin = configured(sources, "--admin HOST:PORT --token-file FILE")?;
    Ok(Target {
        address: address.map_or_else(|| address_of(&admin), Ok)?,
        token: match file {
            Some(file) => load(file)?,
            None => admin.token.ok_or(ControlError::NoToken)?,
        },
    })
}

fn configured(sources: &Sources, flags: &'static str) -> Result<Admin, ControlError> {
    match config::load(sources) {
        Ok(loaded) => Ok(loaded.config.admin),
        Err(problems) => Err(ControlError::Configuration { problems, flags }),
    }
}

fn address_of(admin: &Admin) -> Result<String, ControlError> {
    let bind = admin.bind.ok_or(ControlError::BindOff)?;
    Ok(reachable(bind).to_string())
}

/// Who listens on every address of the machine listens on loopback too.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, bind.port())
}

/// As the configuration's: a larger file is the wrong one.
const TOKEN_LIMIT_BYTES: u64 = 4096;

fn load(file: &Path) -> Result<Token, ControlError> {
    read(file).map_err(|fault| ControlError::TokenFile {
        file: file.to_owned(),
        fault,
    })
}

/// Unlike the configuration's it may be a pipe, so that a password manager can give it, and anybody's.
fn read(file: &Path) -> Result<Token, SecretFault> {
    let mut bytes = Vec::new();
    let file = File::open(file)?;
    file.take(TOKEN_LIMIT_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TOKEN_LIMIT_BYTES {
        return Err(SecretFault::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretFault::NotText)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    match line.strip_suffix('\r').unwrap_or(line) {
        "" => Err(SecretFault::Empty),
        token => Ok(Token(SecretString::from(token))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_loopback() {
        for (bind, expected) in [
            ("0.0.0.0:8081", "127.0.0.1:8081"),
            ("[::]:8081", "[::1]:8081"),
            ("10.0.0.1:8081", "10.0.0.1:8081"),
        ] {
            let bind = bind.parse().unwrap();
            assert_eq!(reachable(bind).to_string(), expected);
        }
    }
}
