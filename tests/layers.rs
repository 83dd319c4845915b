//! The house's one rule: a lower room never knows a higher one. Reads the `use crate::` lines of `src`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy takes only #[test] functions for tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the lowest to the highest, as `src/lib.rs` lists them.
const ROOMS: [&str; 18] = [
    "terminal",
    "logging",
    "fleet",
    "tls",
    "acme",
    "config",
    "service",
    "discovery",
    "select",
    "poll",
    "stream",
    "front",
    "admin",
    "app",
    "demo",
    "cli",
    "control",
    "documents",
];

/// Puts the app before the demo's fleet: the outermost room.
const OUTSIDE: [&str; 3] = ["tryout", "main", "lib"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix("src").unwrap();
    let first = inside.components().next().unwrap();
    first
        .as_os_str()
        .to_str()
        .unwrap()
        .trim_end_matches(".rs")
        .to_owned()
}

/// The rooms that a file names: `crate::room`, in whatever line.
fn named_rooms(text: &str) -> Vec<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mentions = code.flat_map(|line| line.split("crate::").skip(1));
    let word = |rest: &str| {
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    mentions.map(word).collect()
}

/// What waits, asks the clock or touches the world.
const BANNED_IN_PURE_ROOMS: [&str; 7] = [
    "async fn",
    ".await",
    "tokio::",
    "std::net::Tcp",
    "std::fs",
    "pingora",
    "Instant::now()",
];

fn is_of_tests(file: &Path) -> bool {
    file.ends_with("tests.rs") || file.components().any(|part| part.as_os_str() == "tests")
}

#[test]
fn no_room_knows_a_higher_one() {
    let files = sources(Path::new("src"));
    assert!(files.len() > 50, "only {} files were found", files.len());
    let height: BTreeMap<&str, usize> = ROOMS.into_iter().zip(0..).collect();
    let mut named = 0;
    for file in &files {
        let room = room_of(file);
        let Some(own) = height.get(room.as_str()) else {
            assert!(
                OUTSIDE.contains(&room.as_str()),
                "{room} is in no list of this test"
            );
            continue;
        };
        for other in named_rooms(&fs::read_to_string(file).unwrap()) {
            assert!(
                !other.is_empty(),
                "{}: name each room in a line of its own",
                file.display()
            );
            let Some(theirs) = height.get(other.as_str()) else {
                continue;
            };
            named += 1;
            assert!(
                theirs <= own,
                "{} knows {other}, which is above {room}",
                file.display()
            );
        }
    }
    assert!(named > 50, "only {named} imports were read");
}

#[test]
fn the_pure_rooms_wait_for_nothing() {
    let pure = ["fleet", "select"];
    let files = sources(Path::new("src"));
    let inside: Vec<_> = files
        .iter()
        .filter(|file| pure.contains(&room_of(file).as_str()))
        .collect();
    assert!(inside.len() > 10);
    for file in inside {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        // The adapter for Pingora's trait is the one exception, and the one clock.
        if is_of_tests(file) || file.ends_with("select/backend.rs") {
            continue;
        }
        for word in BANNED_IN_PURE_ROOMS {
            assert!(!code.contains(word), "{} has {word}", file.display());
        }
    }
}
