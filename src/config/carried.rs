//! What carried streams need to be told: `[stream]`, `[upstream]`, `[[rule]]`, and who may move them about.
//!
//! In: a section of the file under its variables. Out: its typed part of the configuration.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};
use secrecy::ExposeSecret as _;

use super::error::{Fault, quoted};
use super::section::{Read, Section};
use super::value::{self, Given};
use super::{ListenerRule, Rebalance, Stream, Token, Upstream, secret, settings};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const MINUTE: Duration = millis(60_000);

/// A relay that needs longer is of no use to a listener who waits.
const CONNECTS: RangeInclusive<Duration> = millis(100)..=MINUTE;
/// Shorter silences are the network's own; longer ones are heard.
const STALLS: RangeInclusive<Duration> = millis(500)..=millis(30_000);
const HOLDS: RangeInclusive<Duration> = Duration::ZERO..=millis(600_000);
const SLOW: RangeInclusive<Duration> = millis(1_000)..=millis(600_000);
const DRAINS: RangeInclusive<Duration> = Duration::ZERO..=millis(3_600_000);

/// Each tune-in is compared with every rule.
const RULE_LIMIT: usize = 100;
/// A pattern that needs more is no player's name.
const PATTERN_LIMIT_BYTES: usize = 1024 * 1024;

/// A token that can be guessed is none.
const TOKEN_LEAST_CHARS: usize = 16;

/// The bundle of all public authorities has a quarter of it.
const CA_LIMIT_BYTES: u64 = 1024 * 1024;
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Reads `[stream]`.
pub(super) fn stream(section: &mut Section<'_, '_>) -> Stream {
    let mut duration = |name, range: RangeInclusive<Duration>| {
        section.scalar(name, |given| value::duration(given, range))
    };
    let usual = usual();
    let read = Stream {
        connect_timeout: duration("connect_timeout", CONNECTS).or(usual.connect_timeout),
        answer_timeout: duration("answer_timeout", CONNECTS).or(usual.answer_timeout),
        stall_timeout: duration("stall_timeout", STALLS).value(),
        hold: duration("hold", HOLDS).or(usual.hold),
        slow_listener_timeout: duration("slow_listener_timeout", SLOW)
            .or(usual.slow_listener_timeout),
        drain_time: duration("drain_time", DRAINS).or(usual.drain_time),
        rebalance: usual.rebalance,
    };
    let pace = section.scalar("rebalance", |given| value::count(given, 0..=1000));
    let difference = section.scalar("rebalance_difference", |given| value::count(given, 1..=100));
    let rebalance = Rebalance {
        listeners_per_second: pace.or(usual.rebalance.listeners_per_second),
        difference_percent: difference.or(usual.rebalance.difference_percent),
    };
    Stream { rebalance, ..read }
}

/// `[stream]` where nobody said anything.
fn usual() -> Stream {
    Stream {
        connect_timeout: millis(2_000),
        answer_timeout: millis(5_000),
        stall_timeout: None,
        hold: millis(30_000),
        slow_listener_timeout: millis(30_000),
        drain_time: millis(30_000),
        rebalance: Rebalance {
            listeners_per_second: 0,
            difference_percent: 20,
        },
    }
}

/// Reads `[upstream]`.
pub(super) fn upstream(section: &mut Section<'_, '_>) -> Upstream {
    let file = section.scalar("ca_file", value::text);
    let Some((file, spot)) = file.with_spot().filter(|(file, _)| !file.is_empty()) else {
        return Upstream::default();
    };
    let path = section.reader.beside_file(&file);
    if let Err(fault) = inspect_authorities(&path) {
        section.reader.refuse(spot, fault);
    }
    Upstream {
        ca_file: Some(path),
    }
}

fn inspect_authorities(path: &Path) -> Result<(), Fault> {
    let expected = format!("a file of certificates (PEM), at most {CA_LIMIT_BYTES} bytes");
    let is_small =
        std::fs::metadata(path).map(|file| file.is_file() && file.len() <= CA_LIMIT_BYTES);
    let text = is_small.and_then(|small| match small {
        true => std::fs::read_to_string(path),
        false => Ok(String::new()),
    });
    match text {
        Ok(text) if text.contains(CERTIFICATE) => Ok(()),
        Ok(_) => Err(Fault::expected(expected, quoted(&path.to_string_lossy()))),
        Err(error) => Err(Fault::expected(
            expected,
            format!("{} ({error})", quoted(&path.to_string_lossy())),
        )),
    }
}

/// Reads one `[[rule]]`.
pub(super) fn rule(section: &mut Section<'_, '_>) -> Option<ListenerRule> {
    let user_agent = section.scalar("user_agent", pattern);
    let mode = section.scalar("mode", settings::mode);
    if let Read::Absent = user_agent {
        section.refuse_missing("user_agent", "a regular expression such as \"^Sonos\"");
    }
    if let Read::Absent = mode {
        section.refuse_missing("mode", "\"redirect\" or \"proxy\"");
    }
    Some(ListenerRule {
        user_agent: user_agent.value()?,
        mode: mode.value()?,
    })
}

/// Refuses more rules than every tune-in can be compared with.
pub(super) fn count_rules(section: &mut Section<'_, '_>, rules: usize) {
    if rules > RULE_LIMIT {
        let spot = section.spot_of("rule", section.at);
        let expected = format!("at most {RULE_LIMIT} sections [[rule]]");
        let fault = Fault::expected(expected, rules.to_string());
        section.reader.refuse(spot, fault);
    }
}

fn pattern(given: &Given<'_>) -> Result<Regex, Fault> {
    let expected = "a regular expression such as \"^Sonos\"";
    let text = given.text().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| given.instead_of(expected))?;
    let mut builder = RegexBuilder::new(text);
    builder
        .case_insensitive(true)
        .size_limit(PATTERN_LIMIT_BYTES);
    builder.build().map_err(|error| {
        // The last line of the library's words says what; those before it draw where.
        let words = error.to_string();
        let why = words.lines().last().unwrap_or_default();
        given.instead_of(format!(
            "{expected} ({})",
            why.trim_start_matches("error: ")
        ))
    })
}

/// Reads the token that guards changes.
pub(super) fn token(section: &mut Section<'_, '_>) -> Option<Token> {
    let file = section.scalar("token_file", value::text);
    let (file, spot) = file.with_spot().filter(|(file, _)| !file.is_empty())?;
    let path: PathBuf = section.reader.beside_file(&file);
    let loaded = secret::load(&path);
    match loaded {
        Ok(token) if is_strong(token.expose_secret()) => Some(Token(token)),
        Ok(_) => {
            let expected = format!(
                "a token of at least {TOKEN_LEAST_CHARS} printable ASCII characters without spaces"
            );
            let fault = Fault::expected(expected, "another one in the file");
            section.reader.refuse(spot, fault);
            None
        }
        Err(fault) => {
            section.reader.refuse(spot, fault.of(path));
            None
        }
    }
}

fn is_strong(token: &str) -> bool {
    token.len() >= TOKEN_LEAST_CHARS && token.bytes().all(|byte| byte.is_ascii_graphic())
}
