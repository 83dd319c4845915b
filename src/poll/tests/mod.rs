//! Tests of polling: captured documents, hostile documents, hostile servers, unknown servers.

mod addresses;
mod asking;
mod fetching;
mod finding;
mod fixtures;
mod full;
mod hostile;
mod laws;
mod server;

use std::fs;
use std::path::Path;

use super::Unreadable;
use crate::fleet::{MountKind, Report};

/// A dialect's reader.
type Parser = fn(&[u8]) -> Result<Report, Unreadable>;

/// A file of tests/data.
fn data(path: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    fs::read(root.join(path)).unwrap_or_else(|error| panic!("tests/data/{path}: {error}"))
}

/// The names of the files of a folder of tests/data, in order.
fn names_in(folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut names: Vec<_> = fs::read_dir(root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no files in tests/data/{folder}");
    names
}

/// A parsed document in one line: `listeners: kind path listeners[/max], ...`.
fn shown(parsed: Result<Report, Unreadable>) -> String {
    let report = match parsed {
        Ok(report) => report,
        Err(error) => return format!("unreadable, {error}"),
    };
    let mounts: Vec<_> = report
        .mounts
        .iter()
        .map(|mount| {
            let kind = match mount.kind {
                MountKind::Running => "running",
                MountKind::Virtual => "virtual",
                MountKind::Idle => "idle",
            };
            let max = mount.max_listeners.map(|max| format!("/{max}"));
            let max = max.unwrap_or_default();
            format!("{kind} {} {}{max}", mount.path, mount.listeners)
        })
        .collect();
    format!("{}: {}", report.listeners, mounts.join(", "))
}
