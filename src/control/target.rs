//! Whom to ask and with which token: flags before the configuration, which is not read where the flags say all.

use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::error::ControlError;
use super::trust::{Server, Trust};
use crate::cli::{AdminAddress, AdminFlag, OrderFlags, Scheme};
use crate::config::{self, Admin, SecretFault, Sources, Token};
use crate::tls::Files;

/// Where a balancer is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `host:port` of its admin address.
    pub address: String,
    /// Whom to believe there; `None` for plain HTTP.
    pub tls: Option<Trust>,
}

impl Place {
    /// What every URL there begins with.
    pub fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

/// A balancer that can be told something.
#[derive(Debug)]
pub struct Target {
    /// Where.
    pub place: Place,
    /// What lets us.
    pub token: Token,
}

/// Whom `status` and `healthcheck` ask.
///
/// # Errors
/// Neither the flags nor the configuration say so.
pub fn to_ask(flags: &AdminFlag, sources: &Sources) -> Result<Place, ControlError> {
    match &flags.admin {
        Some(address) => named(address, flags),
        None => configured_place(&configured(sources, "--admin HOST:PORT")?, flags),
    }
}

/// Where whom `--admin` names is asked once he has the configuration: it may name another place.
pub fn later(flags: &AdminFlag, sources: &Sources) -> Option<Place> {
    flags.admin.as_ref()?;
    let admin = config::load(sources).ok()?.config.admin;
    configured_place(&admin, flags).ok()
}

/// Whom an order goes to.
///
/// # Errors
/// Flags and configuration together do not say so, or the file of the token cannot be used.
pub fn to_tell(flags: &OrderFlags, sources: &Sources) -> Result<Target, ControlError> {
    let (address, file) = (&flags.admin.admin, flags.token_file.as_deref());
    if let (Some(address), Some(file)) = (address, file) {
        let (place, token) = (named(address, &flags.admin)?, load(file)?);
        return Ok(Target { place, token });
    }
    let admin = configured(sources, "--admin HOST:PORT --token-file FILE")?;
    let place = match address {
        Some(address) => named(address, &flags.admin)?,
        None => configured_place(&admin, &flags.admin)?,
    };
    // SECURITY: who has put TLS before that token does not want it to go in the clear.
    if file.is_none() && admin.tls.is_some() && place.tls.is_none() {
        return Err(ControlError::PlainToken);
    }
    Ok(Target {
        place,
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

/// The place of `--admin`. Nothing of it comes from the configuration: that is another balancer's, perhaps.
fn named(address: &AdminAddress, flags: &AdminFlag) -> Result<Place, ControlError> {
    let (ca_file, client) = trust_of(flags);
    let is_meant = ca_file.is_some() || client.is_some();
    if is_meant && address.scheme == Some(Scheme::Http) {
        return Err(ControlError::PlainWithTrust);
    }
    let is_tls = is_meant || address.scheme == Some(Scheme::Https);
    let server = ca_file.map_or(Server::System, Server::Authorities);
    Ok(Place {
        address: address.authority.clone(),
        tls: is_tls.then_some(Trust { server, client }),
    })
}

/// The place of the configuration. It names the very certificate that is shown there, which is believed on any address.
fn configured_place(admin: &Admin, flags: &AdminFlag) -> Result<Place, ControlError> {
    let bind = admin.bind.ok_or(ControlError::BindOff)?;
    let (ca_file, client) = trust_of(flags);
    let tls = match &admin.tls {
        Some(tls) => Some(Trust {
            server: ca_file.map_or_else(
                || Server::Pinned(tls.pair.chain.clone()),
                Server::Authorities,
            ),
            client: client.or_else(|| tls.client.clone()),
        }),
        None if ca_file.is_some() || client.is_some() => return Err(ControlError::PlainWithTrust),
        None => None,
    };
    Ok(Place {
        address: reachable(bind).to_string(),
        tls,
    })
}

fn trust_of(flags: &AdminFlag) -> (Option<PathBuf>, Option<Files>) {
    let (chain, key) = (flags.cert.clone(), flags.key.clone());
    let client = chain.zip(key).map(|(chain, key)| Files { chain, key });
    (flags.ca_file.clone(), client)
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
