//! The sections that are there once, each with its ranges and defaults.
//!
//! In: a section of the file under its variables. Out: its typed part of the configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::error::{Fault, Spot};
use super::section::{Read, Section};
use super::value::{self, Given, shown};
use super::{
    Discovery, Limits, Log, Mode, Policy, Poll, Redirect, Select, Stop, WithoutHttps, address,
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A university or a mobile operator behind one address; far more is an attack.
const DEFAULT_CONNECTIONS_PER_ADDRESS: usize = 1000;
const DEFAULT_LISTENERS_PER_ADDRESS: usize = 500;

const HOUR: Duration = seconds(3600);

/// Faster polls would be noise on the relays, slower ones no supervision.
pub(super) const INTERVALS: RangeInclusive<Duration> = millis(100)..=HOUR;
const TIMEOUTS: RangeInclusive<Duration> = millis(100)..=seconds(60);
const STALE: RangeInclusive<Duration> = millis(100)..=seconds(24 * 3600);
const SLOW_STARTS: RangeInclusive<Duration> = Duration::ZERO..=seconds(600);
const REFRESHES: RangeInclusive<Duration> = seconds(1)..=HOUR;

/// A service manager waits longer than that for nobody.
const DRAIN_DELAYS: RangeInclusive<Duration> = Duration::ZERO..=seconds(300);
const DRAIN_TIMEOUTS: RangeInclusive<Duration> = Duration::ZERO..=seconds(24 * 3600);

const DEFAULT_INTERVAL: Duration = seconds(5);
/// Long beside a healthy relay's answer (milliseconds), short beside the interval.
const DEFAULT_TIMEOUT: Duration = seconds(2);
const DEFAULT_STALE_AFTER: Duration = seconds(30);
/// Two, so that one lost packet moves nobody.
const DEFAULT_FALL: u32 = 2;
const DEFAULT_RISE: u32 = 1;
const DEFAULT_SLOW_START: Duration = seconds(30);
/// Two looks of a balancer before us that asks /ready every two seconds.
const DEFAULT_DRAIN_DELAY: Duration = seconds(5);
const DEFAULT_DRAIN_TIMEOUT: Duration = seconds(600);
const DEFAULT_REFRESH: Duration = seconds(30);
/// It keeps the method, and is the Python project's.
const DEFAULT_STATUS: u16 = 307;

/// Reads how listeners are served; `shared` is a name of a later version.
pub(super) fn mode(given: &Given<'_>) -> Result<Mode, Fault> {
    match given.text() {
        Some("redirect") => Ok(Mode::Redirect),
        Some("proxy") => Ok(Mode::Proxy),
        Some("shared") => Err(given.instead_of(
            "one of \"redirect\", \"proxy\" (shared is not available in this version)",
        )),
        _ => Err(given.instead_of("one of \"redirect\", \"proxy\"")),
    }
}

/// Reads the worker threads of the front door.
pub(super) fn threads(given: &Given<'_>) -> Result<usize, Fault> {
    value::count(given, 1..=256).map(|threads| threads as usize)
}

/// Reads `[poll]`.
pub(super) fn poll(section: &mut Section<'_, '_>) -> Poll {
    let interval = section.scalar("interval", |given| value::duration(given, INTERVALS));
    let timeout = section.scalar("timeout", |given| value::duration(given, TIMEOUTS));
    let fall = section.scalar("fall", |given| value::count(given, 1..=100));
    let rise = section.scalar("rise", |given| value::count(given, 1..=100));
    let stale_after = section.scalar("stale_after", |given| value::duration(given, STALE));
    let sound = !matches!(interval, Read::Refused) && !matches!(timeout, Read::Refused);
    let interval = interval.or(DEFAULT_INTERVAL);
    if sound {
        refuse_long_timeout(section, &timeout, interval);
    }
    let timeout = timeout.or(DEFAULT_TIMEOUT.min(interval));
    if sound {
        refuse_early_stale(section, &stale_after, interval + timeout);
    }
    Poll {
        interval,
        timeout,
        fall: fall.or(DEFAULT_FALL),
        rise: rise.or(DEFAULT_RISE),
        stale_after: stale_after.or(DEFAULT_STALE_AFTER.max(interval * 3)),
    }
}

/// A longer timeout would let the polls of one relay overtake each other.
fn refuse_long_timeout(
    section: &mut Section<'_, '_>,
    timeout: &Read<Duration>,
    interval: Duration,
) {
    if let Read::Value(timeout, spot) = timeout
        && *timeout > interval
    {
        let expected = format!("at most poll.interval, {}", shown(interval));
        refuse_duration(section, spot, expected, *timeout);
    }
}

/// A report may be as old as an interval and the poll after it without anything being wrong.
fn refuse_early_stale(section: &mut Section<'_, '_>, stale: &Read<Duration>, least: Duration) {
    if let Read::Value(stale, spot) = stale
        && *stale < least
    {
        let sum = shown(least);
        let expected = format!("at least poll.interval and poll.timeout together, {sum}");
        refuse_duration(section, spot, expected, *stale);
    }
}

fn refuse_duration(section: &mut Section<'_, '_>, at: &Spot, expected: String, found: Duration) {
    let found = format!("{:?}", shown(found));
    section
        .reader
        .refuse(at.clone(), Fault::expected(expected, found));
}

/// Reads `[limits]`.
pub(super) fn limits(section: &mut Section<'_, '_>) -> Limits {
    let mut count = |name| {
        let read = section.scalar(name, |given| value::count(given, 1..=10_000_000));
        read.value().map(|count| count as usize)
    };
    let [connections, of_one, listeners] = [
        "connections",
        "connections_per_address",
        "listeners_per_address",
    ]
    .map(&mut count);
    let exempt = section.list("exempt", address::network).value();
    let networks: Option<Vec<_>> =
        exempt.map(|list| list.into_iter().map(|(network, _)| network).collect());
    Limits {
        connections,
        connections_per_address: of_one.unwrap_or(DEFAULT_CONNECTIONS_PER_ADDRESS),
        listeners_per_address: listeners.unwrap_or(DEFAULT_LISTENERS_PER_ADDRESS),
        exempt_by_name: networks.clone().unwrap_or_default(),
        exempt: networks.unwrap_or_else(private_networks),
    }
}

/// Reads `[select]`.
pub(super) fn select(section: &mut Section<'_, '_>) -> Select {
    let policies = [
        ("least-listeners", Policy::LeastListeners),
        ("power-of-two", Policy::PowerOfTwo),
        ("weighted-random", Policy::WeightedRandom),
    ];
    let policy = section.scalar("policy", |given| value::word(given, &policies));
    let slow_start = section.scalar("slow_start", |given| value::duration(given, SLOW_STARTS));
    Select {
        policy: policy.or(Policy::LeastListeners),
        slow_start: slow_start.or(DEFAULT_SLOW_START),
    }
}

/// Reads `[redirect]`.
pub(super) fn redirect(section: &mut Section<'_, '_>) -> Redirect {
    let status = section.scalar("status", |given| {
        let status = value::count(given, 302..=307).ok();
        let status = status.filter(|status| matches!(status, 302 | 303 | 307));
        let status = status.and_then(|status| u16::try_from(status).ok());
        status.ok_or_else(|| given.instead_of("302, 303 or 307"))
    });
    let ways = [
        ("proxy", WithoutHttps::Proxy),
        ("refuse", WithoutHttps::Refuse),
    ];
    let without_https = section.scalar("without_https", |given| value::word(given, &ways));
    let hosts = section.list("https_hosts", address::https_host).value();
    let hosts = hosts.unwrap_or_default().into_iter();
    Redirect {
        https_hosts: hosts.map(|(host, _)| host).collect(),
        status: status.or(DEFAULT_STATUS),
        without_https: without_https.or(WithoutHttps::Proxy),
    }
}

/// Reads `[discovery]`.
pub(super) fn discovery(section: &mut Section<'_, '_>) -> Discovery {
    let refresh = section.scalar("refresh", |given| value::duration(given, REFRESHES));
    Discovery {
        refresh: refresh.or(DEFAULT_REFRESH),
    }
}

/// Reads `[log]`.
pub(super) fn log(section: &mut Section<'_, '_>) -> Log {
    let levels = [
        ("off", log::LevelFilter::Off),
        ("error", log::LevelFilter::Error),
        ("warn", log::LevelFilter::Warn),
        ("info", log::LevelFilter::Info),
        ("debug", log::LevelFilter::Debug),
        ("trace", log::LevelFilter::Trace),
    ];
    let level = section.scalar("level", |given| value::word(given, &levels));
    Log {
        level: level.or(log::LevelFilter::Info),
    }
}

/// Reads `[stop]`.
pub(super) fn stop(section: &mut Section<'_, '_>) -> Stop {
    let delay = section.scalar("drain_delay", |given| value::duration(given, DRAIN_DELAYS));
    let limit = section.scalar("drain_timeout", |given| {
        value::duration(given, DRAIN_TIMEOUTS)
    });
    Stop {
        drain_delay: delay.or(DEFAULT_DRAIN_DELAY),
        drain_timeout: limit.or(DEFAULT_DRAIN_TIMEOUT),
    }
}

/// Loopback and the private ranges: where a proxy of one's own stands.
pub(super) fn private_networks() -> Vec<IpNet> {
    let v4 = |a, b, prefix| Ipv4Net::new(Ipv4Addr::new(a, b, 0, 0), prefix).map(IpNet::V4);
    let unique_local = Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0);
    let networks = [
        v4(127, 0, 8),
        v4(10, 0, 8),
        v4(172, 16, 12),
        v4(192, 168, 16),
        Ok(IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))),
        Ipv6Net::new(unique_local, 7).map(IpNet::V6),
    ];
    networks.into_iter().flatten().collect()
}
