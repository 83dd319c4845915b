//! The binary run as a command that ends by itself, and the clean environment of every run of it.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use super::folder::Folder;
use super::process::{Process, mortal};
use super::wait::{eventually_some, seconds};

/// The real binary, as it was built with the stories.
pub const BINARY: &str = env!("CARGO_BIN_EXE_icecast-balancer");

/// What the binary reads; nothing of it may reach a story from outside.
const ENVIRONMENT: [&str; 6] = [
    "ICECAST_RELAYS",
    "PORT",
    "ICECAST_RELAY_SCHEME",
    "CACHE_TTL",
    "BALANCER_CONFIG",
    "STATE_DIRECTORY",
];

/// How a run of the binary ended that ends by itself.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub output: String,
    /// What it wrote to standard error.
    pub errors: String,
}

impl Ended {
    /// Runs the binary with these arguments and nothing in its environment, for at most ten seconds.
    #[track_caller]
    pub fn of(arguments: &[&str]) -> Self {
        let folder = Folder::new("command");
        let mut command = mortal(BINARY);
        clear_environment(&mut command);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(File::create(folder.path().join("output")).unwrap());
        command.stderr(File::create(folder.path().join("errors")).unwrap());
        let mut process = Process::start(command);
        let what = format!("icecast-balancer {arguments:?} ends");
        let status = eventually_some(seconds(10), &what, || process.ended());
        let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
        Self {
            code: status.code(),
            output: read("output"),
            errors: read("errors"),
        }
    }

    /// Runs `check` or `run` on a configuration with this text.
    #[track_caller]
    pub fn of_config(subcommand: &str, text: &str) -> Self {
        let folder = Folder::new("config");
        let file: &Path = &folder.write("balancer.toml", text);
        Self::of(&[subcommand, "--config", file.to_str().unwrap()])
    }

    /// All that it wrote.
    pub fn said(&self) -> String {
        format!("{}{}", self.output, self.errors)
    }
}

/// Takes out of the environment what the binary would read.
pub fn clear_environment(command: &mut Command) {
    let ours = |name: &str| ENVIRONMENT.contains(&name) || name.starts_with("BALANCER__");
    for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if ours(&name) {
            command.env_remove(name);
        }
    }
}
