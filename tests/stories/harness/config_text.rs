//! The text of a configuration file for a fleet, put together from what a story cares about.
//!
//! Keys at the top come before tables, as TOML wants it; addresses to listen on are added by the balancer's start.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use super::authority::Authority;
use super::fleet::Fleet;
use super::ports;
use super::running_relay::RunningRelay;

/// A configuration in the making.
#[derive(Debug, Clone)]
pub struct ConfigText {
    top: String,
    admin: String,
    poll: String,
    sections: String,
    relays: Vec<String>,
}

impl ConfigText {
    /// All relays of the fleet, polled every half second.
    pub fn of(fleet: &Fleet) -> Self {
        let addresses = fleet.relays().iter().map(RunningRelay::address);
        addresses.fold(Self::of_none(), Self::and_relay_at)
    }

    /// All relays of the fleet, whose streams the balancer carries.
    pub fn proxied(fleet: &Fleet) -> Self {
        Self::of(fleet).with("mode = \"proxy\"")
    }

    /// All relays of the fleet, whose streams the balancer carries by https.
    pub fn proxied_by_https(fleet: &Fleet) -> Self {
        let addresses = fleet.relays().iter().map(RunningRelay::secure_address);
        let config = addresses.fold(Self::of_none(), Self::and_secure_relay_at);
        config.with("mode = \"proxy\"")
    }

    /// No relay yet.
    pub fn of_none() -> Self {
        let poll = "interval = \"500ms\"\ntimeout = \"500ms\"".to_owned();
        Self {
            top: String::new(),
            admin: String::new(),
            poll,
            sections: String::new(),
            relays: Vec::new(),
        }
    }

    /// The relays of the fleet with these numbers; the first is 1.
    pub fn of_some(fleet: &Fleet, numbers: &[usize]) -> Self {
        let addresses = numbers.iter().map(|number| fleet.relay(*number).address());
        addresses.fold(Self::of_none(), Self::and_relay_at)
    }

    /// One more relay.
    pub fn and_relay_at(self, address: SocketAddr) -> Self {
        self.and_relay("http", address)
    }

    /// One more relay, which speaks TLS there.
    pub fn and_secure_relay_at(self, address: SocketAddr) -> Self {
        self.and_relay("https", address)
    }

    fn and_relay(mut self, scheme: &str, address: SocketAddr) -> Self {
        self.relays
            .push(format!("[[relay]]\nurl = \"{scheme}://{address}\"\n"));
        self
    }

    /// One more relay, at this port of a name.
    pub fn and_relay_named(mut self, host: &str, port: u16) -> Self {
        self.relays
            .push(format!("[[relay]]\nurl = \"http://{host}:{port}\"\n"));
        self
    }

    /// Relays must have certificates of this authority.
    pub fn trusting(self, authority: &Authority) -> Self {
        let file = authority.file();
        self.with_section(&format!("[upstream]\nca_file = \"{}\"", file.display()))
    }

    /// One more address to listen on, with TLS and these keys beside it; tells which.
    pub fn and_tls_bind(self, keys: &str) -> (Self, SocketAddr) {
        self.and_plain_bind(&format!("tls = true\n{keys}"))
    }

    /// One more address to listen on, with these keys beside it; tells which.
    pub fn and_plain_bind(self, keys: &str) -> (Self, SocketAddr) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::open_port()));
        let bind = format!("[[bind]]\naddress = \"{address}\"\n{keys}");
        (self.with_section(&bind), address)
    }

    /// A line at the top of the file.
    pub fn with(mut self, line: &str) -> Self {
        self.top.push_str(&format!("{line}\n"));
        self
    }

    /// A table with its keys.
    pub fn with_section(mut self, section: &str) -> Self {
        self.sections.push_str(&format!("{section}\n"));
        self
    }

    /// A line of `[admin]`, which the balancer's start writes with its address.
    pub fn with_admin(mut self, line: &str) -> Self {
        self.admin.push_str(&format!("{line}\n"));
        self
    }

    /// The lines of `[admin]` so far.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// The keys of `[poll]`, instead of those that were there.
    pub fn polled(mut self, keys: &str) -> Self {
        self.poll = keys.to_owned();
        self
    }

    /// A line more for the relay with this number; the first is 1.
    pub fn with_relay(mut self, number: usize, line: &str) -> Self {
        self.relays[number - 1].push_str(&format!("{line}\n"));
        self
    }
}

impl fmt::Display for ConfigText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            top,
            poll,
            sections,
            relays,
            ..
        } = self;
        write!(
            f,
            "{top}\n[poll]\n{poll}\n\n{sections}\n{}",
            relays.join("\n")
        )
    }
}
