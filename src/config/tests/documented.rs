//! `conf/icecast-balancer.toml` says the truth: it loads, it names every key, and its defaults are the code's.

use std::path::{Path, PathBuf};

use super::super::{Loaded, Sources, Stream, load};
use super::{good, lines, read};

const FILE: &str = "conf/icecast-balancer.toml";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)
}

fn text() -> String {
    std::fs::read_to_string(path()).unwrap()
}

/// Whether the line is a setting behind `#`: a key or the head of a table follows at once.
fn is_optional(line: &str) -> bool {
    line.strip_prefix('#')
        .is_some_and(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()))
}

fn with_everything() -> Loaded {
    let text = text();
    let optional = text.lines().filter(|line| is_optional(line)).count();
    assert!(optional > 25, "only {optional} optional lines");
    let shown: Vec<_> = text
        .lines()
        .map(|line| if is_optional(line) { &line[1..] } else { line })
        .collect();
    good(&shown.join("\n"), &[])
}

#[test]
fn it_loads_as_it_is() {
    let sources = Sources {
        file: Some(path()),
        ..Sources::default()
    };
    let config = load(&sources)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config;
    assert_eq!(config.relays.len(), 1);
}

#[test]
fn it_loads_with_every_optional_line_and_those_are_the_defaults() {
    let (shown, silent) = (with_everything().config, good(&text(), &[]).config);
    assert_eq!(shown.mode, silent.mode);
    assert_eq!(shown.trusted_proxies, silent.trusted_proxies);
    assert_eq!(shown.binds, silent.binds);
    assert_eq!(shown.admin, silent.admin);
    assert_eq!(shown.poll, silent.poll);
    assert_eq!(shown.select, silent.select);
    assert_eq!(shown.redirect, silent.redirect);
    assert_eq!(shown.discovery, silent.discovery);
    assert_eq!(shown.log, silent.log);
    assert_eq!(shown.stop, silent.stop);
    assert_eq!(shown.upstream, silent.upstream);
    assert_eq!(shown.reload, silent.reload);
    let stall_timeout = None;
    let shown_stream = Stream {
        stall_timeout,
        ..shown.stream
    };
    assert_eq!(shown_stream, silent.stream);
    let (shown, silent) = (&shown.relays[0], &silent.relays[0]);
    assert_eq!(
        (&shown.relay.name, &shown.relay.url),
        (&silent.relay.name, &silent.relay.url)
    );
    assert_eq!(shown.relay.public, silent.relay.public);
    assert_eq!(
        (shown.relay.weight, shown.stats),
        (silent.relay.weight, silent.stats)
    );
    assert!(shown.credentials.is_none() && silent.credentials.is_none());
    assert!(shown.stream_credentials.is_none() && silent.stream_credentials.is_none());
}

#[test]
fn what_has_no_default_is_shown_as_an_example() {
    let config = with_everything().config;
    assert!(config.threads.is_some() && config.public_url.is_some());
    assert!(config.relays[0].relay.capacity_listeners.is_some());
    assert!(!config.relays[0].relay.mounts.is_empty());
    assert!(config.mounts["/live.mp3"].capacity_listeners.is_some());
    assert!(config.stream.stall_timeout.is_some() && config.listener_rules.len() == 1);
    let examples = text().matches("(Example.)").count();
    assert_eq!(
        examples, 9,
        "threads, public_url, connections, stall_timeout, capacity, mounts, [[mount]], its capacity, [[rule]]"
    );
}

/// The keys that a table knows, as it tells them when it refuses one.
fn known(toml: &str) -> Vec<String> {
    let refused = lines(read(toml, &[("ICECAST_RELAYS", "a")]));
    let line = refused
        .iter()
        .find(|line| line.contains("unknown key"))
        .unwrap();
    let (_, rest) = line.split_once("expected ").unwrap();
    let (keys, _) = rest.split_once(", found").unwrap();
    let keys = keys.trim_start_matches("one of ").split(", ");
    keys.map(str::to_owned).collect()
}

/// The text of one section, from its head to the next one's.
fn section(head: &str) -> String {
    let text = text();
    let plain = |line: &str| line.trim_start_matches('#').to_owned();
    let lines = text
        .lines()
        .filter(|line| is_optional(line) || !line.starts_with('#'));
    let mut inside = head.is_empty();
    let mut kept = Vec::new();
    for line in lines.map(plain) {
        if line.starts_with('[') {
            inside = line == head;
        } else if inside {
            kept.push(line);
        }
    }
    kept.join("\n")
}

#[test]
fn it_names_every_key() {
    let heads = [
        "[limits]",
        "[admin]",
        "[poll]",
        "[select]",
        "[redirect]",
        "[discovery]",
        "[log]",
        "[stop]",
        "[stream]",
        "[upstream]",
        "[reload]",
        "[[rule]]",
        "[[bind]]",
        "[tls]",
        "[[tls.certificate]]",
        "[tls.acme]",
        "[[relay]]",
        "[[mount]]",
    ];
    let names = heads.map(|head| head.trim_matches(['[', ']']));
    for (head, name) in heads.into_iter().zip(names) {
        let keys = known(&format!("{head}\nzzzzzzzz = 1"));
        assert!(!keys.is_empty());
        let section = section(head);
        let is_table = |key: &String| names.contains(&format!("{name}.{key}").as_str());
        for key in keys.into_iter().filter(|key| !is_table(key)) {
            let shown = section
                .lines()
                .any(|line| line.starts_with(&format!("{key} =")));
            assert!(shown, "{head} {key} is not documented");
        }
    }
    let tables = |key: &str| names.contains(&key);
    let scalars: Vec<_> = known("zzzzzzzz = 1")
        .into_iter()
        .filter(|key| !tables(key))
        .collect();
    assert_eq!(
        scalars,
        ["mode", "threads", "public_url", "trusted_proxies"]
    );
    assert!(
        scalars
            .iter()
            .all(|key| section("").contains(&format!("{key} =")))
    );
}
