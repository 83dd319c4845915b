//! Control: the commands with which an operator asks a running balancer how its relays are, or tells it what he wants of one.
//!
//! In: flags, and the configuration that the running balancer reads too. Out: one request to its admin address, a table or
//! a line for the operator, an exit code. Knows the admin bind by its JSON only: the balancer that runs may be another
//! version.

mod client;
mod error;
mod refusal;
mod reply;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod trust;
mod upgrade;

use std::io::Write as _;
use std::process::ExitCode;

use crate::cli::{AdminFlag, OrderFlags, StatusFlags};
use crate::config::Sources;
use crate::fleet::AdminState;
use crate::terminal::{print_error, print_line};
use error::ControlError;

/// Shows what a running balancer knows of its relays.
pub fn status(flags: &StatusFlags, sources: &Sources) -> ExitCode {
    conclude(shown(flags, sources))
}

/// Tells a running balancer what is wanted of a relay.
pub fn order(state: AdminState, flags: &OrderFlags, sources: &Sources) -> ExitCode {
    conclude(told(state, flags, sources))
}

/// Asks whether a running balancer is ready; 1 where it is not, whatever is wrong.
///
/// Docker keeps every other exit code of a health check for itself.
pub fn healthcheck(flags: &AdminFlag, sources: &Sources) -> ExitCode {
    match asked_ready(flags, sources) {
        Ok(said) => {
            print_line(said);
            ExitCode::SUCCESS
        }
        Err(error) => {
            print_error(error);
            ExitCode::FAILURE
        }
    }
}

fn asked_ready(flags: &AdminFlag, sources: &Sources) -> Result<String, ControlError> {
    let place = target::to_ask(flags, sources)?;
    let reply = client::ask(&place, "/ready")?;
    reply::ready(&reply, &place.address)
}

/// Has a new process take over from a running balancer on this machine.
pub fn upgrade(flags: &AdminFlag, sources: &Sources) -> ExitCode {
    conclude(upgrade::run(flags, sources))
}

fn shown(flags: &StatusFlags, sources: &Sources) -> Result<Vec<u8>, ControlError> {
    let place = target::to_ask(&flags.admin, sources)?;
    let reply = client::ask(&place, "/status")?;
    let fleet = reply::fleet(&reply, &place.address)?;
    Ok(match flags.json {
        true => reply.body,
        false => table::of(&fleet).into_bytes(),
    })
}

fn told(state: AdminState, flags: &OrderFlags, sources: &Sources) -> Result<Vec<u8>, ControlError> {
    let target = target::to_tell(flags, sources)?;
    let reply = client::order(&target, &flags.relay, state)?;
    let relay = reply::relay(&reply, &target.place.address)?;
    Ok(format!("{relay}\n").into_bytes())
}

fn conclude(done: Result<Vec<u8>, ControlError>) -> ExitCode {
    match done {
        Ok(text) => {
            // Whoever closed the pipe has read enough.
            let _ = std::io::stdout().write_all(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            print_error(&error);
            error.exit_code()
        }
    }
}
