//! The real programs that the stories need: missing ones fail the run and say how to get them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

/// Each program with arguments that make it say its version and end.
const NEEDED: [(&str, &str); 4] = [
    ("icecast2", "-v"),
    ("ffmpeg", "-version"),
    ("curl", "--version"),
    ("setpriv", "--version"),
];

/// Fails the run when a program is missing.
pub fn require() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let missing: Vec<_> = NEEDED
            .iter()
            .filter(|(name, flag)| !runs(name, flag))
            .map(|(name, _)| *name)
            .collect();
        assert!(
            missing.is_empty(),
            "the stories need {missing:?}: apt-get install icecast2 ffmpeg curl util-linux"
        );
    });
}

/// Whether a program that a story can do without is there.
pub fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn runs(name: &str, flag: &str) -> bool {
    Command::new(name)
        .arg(flag)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// Where this system keeps icecast2's pages (the folder with `web` and `admin`).
pub fn icecast_share() -> PathBuf {
    let places = [
        "/usr/share/icecast2",
        "/usr/share/icecast",
        "/usr/local/share/icecast",
    ];
    let found = places
        .iter()
        .map(Path::new)
        .find(|place| place.join("web").is_dir());
    found
        .expect("icecast2's web pages: apt-get install icecast2")
        .to_owned()
}

/// Reports a story that cannot run here, past the test runner, which keeps the output of tests that pass, and in the file
/// named by `SKIPPED_FILE`, from which `make stories` counts them at the end.
pub fn skipped(why: &str) {
    use std::io::Write as _;
    let line = format!("SKIPPED: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    let file = std::env::var_os("SKIPPED_FILE").and_then(|path| {
        std::fs::File::options()
            .append(true)
            .create(true)
            .open(path)
            .ok()
    });
    if let Some(mut file) = file {
        let _ = file.write_all(line.as_bytes());
    }
}
