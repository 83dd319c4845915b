//! The variables of the Python project of the same name, so that this one can take its place without a file.
//!
//! In: `ICECAST_RELAYS`, `ICECAST_RELAY_SCHEME`, `PORT`, `CACHE_TTL`. Out: relays, a bind and the poll interval.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::env::Setting;
use super::error::{Fault, Spot};
use super::reader::Reader;
use super::relay::{DEFAULT_WEIGHT, Entry};
use super::value::{Given, relay_name, shown, word};
use super::{Address, Bind, RelayConfig, Stats, address, settings};
use crate::fleet::{Origin, Relay, Scheme};

/// What these variables say beside single keys.
#[derive(Debug)]
pub(super) struct DropIn {
    /// The relays of `ICECAST_RELAYS`; empty when it names none, `None` in the place of one that was refused.
    pub(super) relays: Vec<Option<Entry>>,
    /// The bind of `PORT`.
    pub(super) bind: Option<(Bind, Spot)>,
}

impl DropIn {
    /// Takes these variables; `CACHE_TTL` then stands over `poll.interval`.
    pub(super) fn read(reader: &mut Reader) -> Self {
        if let Some(setting) = reader.take_drop_in("CACHE_TTL") {
            interval(reader, setting);
        }
        let bind = reader.take_drop_in("PORT");
        let scheme = reader.take_drop_in("ICECAST_RELAY_SCHEME");
        let scheme = scheme.map_or(Scheme::Http, |setting| {
            checked(reader, &setting, read_scheme).unwrap_or(Scheme::Http)
        });
        let relays = reader.take_drop_in("ICECAST_RELAYS");
        Self {
            relays: relays.map_or_else(Vec::new, |setting| relays_of(reader, &setting, scheme)),
            bind: bind.and_then(|setting| Some((checked(reader, &setting, port)?, setting.spot()))),
        }
    }
}

fn checked<T>(
    reader: &mut Reader,
    setting: &Setting,
    parse: impl FnOnce(&Given<'_>) -> Result<T, Fault>,
) -> Option<T> {
    let read = parse(&Given::Variable(&setting.text));
    read.map_err(|fault| reader.refuse(setting.spot(), fault))
        .ok()
}

fn read_scheme(given: &Given<'_>) -> Result<Scheme, Fault> {
    word(given, &[("http", Scheme::Http), ("https", Scheme::Https)])
}

fn port(given: &Given<'_>) -> Result<Bind, Fault> {
    let port = given.text().and_then(|text| text.trim().parse().ok());
    let port = port.filter(|port: &u16| *port != 0);
    port.map(|port| {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        Bind::plain(Address::Tcp(address))
    })
    .ok_or_else(|| given.instead_of("a port from 1 to 65535"))
}

fn interval(reader: &mut Reader, setting: Setting) {
    let Some(interval) = checked(reader, &setting, seconds) else {
        return;
    };
    let text = shown(interval);
    let name = setting.name;
    reader.stand_in("poll.interval", Setting { name, text });
}

/// What `CACHE_TTL=0` becomes: in the Python project it asked the relays at each request.
const NO_CACHE: Duration = Duration::from_secs(1);

/// Whole milliseconds are finer than any poll needs, and stay short as text.
fn seconds(given: &Given<'_>) -> Result<Duration, Fault> {
    let parse = |text: &str| {
        let seconds: f64 = text.trim().parse().ok()?;
        let millis = Duration::try_from_secs_f64(seconds).ok()?.as_millis();
        let interval = Duration::from_millis(u64::try_from(millis).ok()?);
        Some(if interval.is_zero() {
            NO_CACHE
        } else {
            interval
        })
    };
    given
        .text()
        .and_then(parse)
        .filter(|interval| settings::INTERVALS.contains(interval))
        .ok_or_else(|| given.instead_of("seconds from 0.1 to 3600"))
}

fn relays_of(reader: &mut Reader, setting: &Setting, scheme: Scheme) -> Vec<Option<Entry>> {
    let entries = setting.text.split(',').map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            relay(entry, scheme)
                .map(|config| Entry::at(config, &setting.spot()))
                .map_err(|fault| reader.refuse(setting.spot(), fault))
                .ok()
        })
        .collect()
}

/// Reads `host[:port]`.
fn relay(entry: &str, scheme: Scheme) -> Result<RelayConfig, Fault> {
    let expected =
        "host[:port] such as relay1.example.com:8000 (the scheme is ICECAST_RELAY_SCHEME's)";
    if entry.contains('@') {
        // SECURITY: what stands before the @ may be a password.
        return Err(Fault::expected(expected, "an entry with @"));
    }
    let given = Given::Variable(entry);
    if entry.contains(['/', '?', '#']) || entry.ends_with(':') {
        return Err(given.instead_of(expected));
    }
    let text = format!("{}://{entry}", scheme.as_str());
    let url = address::origin(&Given::Variable(&text)).map_err(|_| given.instead_of(expected))?;
    let url = address::of_server(url, &given)?;
    let name = relay_name(&Given::Variable(&entry.to_ascii_lowercase()))?;
    Ok(plain(name, public_of(&url, entry), url))
}

/// Where listeners are sent: the listener's scheme decides, as `X-Forwarded-Proto` did in the Python project, unless
/// the relays are https only.
fn public_of(url: &Origin, entry: &str) -> Vec<Origin> {
    if url.scheme == Scheme::Https {
        return vec![url.clone()];
    }
    let has_port = entry
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.ends_with(']'));
    let https = Origin {
        scheme: Scheme::Https,
        host: url.host.clone(),
        port: if has_port {
            url.port
        } else {
            Scheme::Https.default_port()
        },
    };
    vec![url.clone(), https]
}

fn plain(name: String, public: Vec<Origin>, url: Origin) -> RelayConfig {
    let relay = Relay {
        name,
        url,
        public,
        weight: DEFAULT_WEIGHT,
        capacity_listeners: None,
        mounts: BTreeMap::new(),
    };
    RelayConfig {
        relay,
        stats: Stats::Auto,
        credentials: None,
        stream_credentials: None,
    }
}
