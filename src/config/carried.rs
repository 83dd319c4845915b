//! What carried streams need to be told: `[stream]`, `[[rule]]`, and who may move them about.
//!
//! In: a section of the file under its variables. Out: its typed part of the configuration.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::{Fault, Spot};
use super::section::{Read, Section};
use super::value::{self, Given};
use super::{ListenerRule, Rebalance, Stream, Token, secret, settings};

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
const PATTERN_EXPECTED: &str = "a regular expression such as \"^Sonos\"";

/// A token that can be guessed is none.
const TOKEN_LEAST_CHARS: usize = 16;

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

/// Reads every `[[rule]]`; in the place of a refused one stands `None`.
pub(super) fn rules(root: &mut Section<'_, '_>) -> Vec<Option<ListenerRule>> {
    let mut count = 0;
    let tried = root.tables("rule", |section| {
        count += 1;
        if count == RULE_LIMIT + 1 {
            refuse_more(section);
        }
        rule(section)
    });
    tried.into_iter().map(Option::flatten).collect()
}

fn refuse_more(section: &mut Section<'_, '_>) {
    let spot = Spot {
        place: section.reader.place(section.at.start),
        key: Some(section.path.clone()),
    };
    let expected = format!("at most {RULE_LIMIT} sections [[rule]]");
    let fault = Fault::expected(expected, "another one");
    section.reader.refuse(spot, fault);
}

fn rule(section: &mut Section<'_, '_>) -> Option<ListenerRule> {
    let user_agent = section.scalar("user_agent", pattern);
    let mode = section.scalar("mode", settings::mode);
    if let Read::Absent = user_agent {
        section.refuse_missing("user_agent", PATTERN_EXPECTED);
    }
    if let Read::Absent = mode {
        section.refuse_missing("mode", "\"redirect\" or \"proxy\"");
    }
    Some(ListenerRule {
        user_agent: user_agent.value()?,
        mode: mode.value()?,
    })
}

/// Reads a pattern that is searched in a `User-Agent`.
///
/// SECURITY: without Unicode, because what a listener sends is bytes: a word's boundary beside others than ASCII would cost
/// many times as much, and `.` would not fit a letter of Latin-1. `(?u)` in a pattern turns it on.
fn pattern(given: &Given<'_>) -> Result<Regex, Fault> {
    let text = given.text().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| given.instead_of(PATTERN_EXPECTED))?;
    let built = RegexBuilder::new(text)
        .case_insensitive(true)
        .unicode(false)
        .size_limit(PATTERN_LIMIT_BYTES)
        .build();
    built.map_err(|error| given.instead_of(format!("{PATTERN_EXPECTED} ({})", reason(&error))))
}

/// What is wrong with a pattern, in one line.
fn reason(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(_) = error {
        return "this one needs too much memory".to_owned();
    }
    // The last line of the library's words says what; those before it draw where.
    let words = error.to_string();
    let last = words.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// Reads the token that guards changes.
pub(super) fn token(section: &mut Section<'_, '_>) -> Option<Token> {
    let file = section.scalar("token_file", value::text);
    let (file, spot) = file.given()?;
    let path: PathBuf = section.reader.beside_file(&file);
    let loaded = secret::load(&path).map_err(|fault| fault.of(path));
    match loaded.and_then(strong) {
        Ok(token) => Some(token),
        Err(fault) => {
            section.reader.refuse(spot, fault);
            None
        }
    }
}

/// SECURITY: of a weak token no letter is told: it may be another secret.
fn strong(token: SecretString) -> Result<Token, Fault> {
    let text = token.expose_secret();
    let found = match text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true if text.len() >= TOKEN_LEAST_CHARS => return Ok(Token(token)),
        true => "a shorter one",
        false => "one with other characters",
    };
    let expected = format!(
        "a token of at least {TOKEN_LEAST_CHARS} printable ASCII characters without spaces"
    );
    Err(Fault::expected(expected, found))
}
