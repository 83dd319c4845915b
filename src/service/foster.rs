//! The foster parent: a short-lived process between us and our successor. It starts the successor, tells how that ends, and is
//! ended itself once the successor is ready: whose child that is then is the first process, or the service manager.
//!
//! SYSTEMD: it does not hear of the death of a main process that is not its own child, and stops such a one with SIGKILL
//! (252, measured).

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode, Stdio};

use crate::terminal::print_line;

/// The word that makes a foster parent of our program.
pub(super) const WORD: &str = "foster";

/// Starts the program that the first of `words` names with the rest of them, waits until it ends, and says on standard output
/// what became of it. All that is open beyond standard output is the program's.
pub fn run(words: &[OsString]) -> ExitCode {
    let Some((program, words)) = words.split_first() else {
        return ExitCode::FAILURE;
    };
    let mut command = Command::new(program);
    // Standard output is for our word alone.
    command.args(words).stdout(Stdio::from(io::stderr()));
    match command.status() {
        Ok(status) => {
            print_line(format_args!(
                "the new process ended before it was ready ({status}); its own words are above"
            ));
        }
        Err(error) => {
            let program = program.to_string_lossy();
            print_line(format_args!("{program} cannot be started: {error}"));
        }
    }
    ExitCode::FAILURE
}
