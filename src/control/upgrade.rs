//! The `upgrade` command: has a new process take over from the running balancer, and tells what came of it.
//!
//! The running balancer says on its admin address which process it is; that process is sent SIGUSR2, and from there on either
//! another process answers there, or the same one says why not.

use std::fs;
use std::net::{IpAddr, ToSocketAddrs as _, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::client;
use super::error::ControlError;
use super::reply::{self, ProcessReply, UpgradeReply, printable};
use super::target::{self, Place};
use crate::cli::AdminFlag;
use crate::config::Sources;
use crate::terminal::print_line;

/// Longer than the running balancer gives the new process.
const PATIENCE: Duration = Duration::from_secs(45);
const STEP: Duration = Duration::from_millis(100);
/// How long nobody may answer when the old process is gone: it has ended, or a new one is about to answer.
const SILENCE: Duration = Duration::from_secs(3);
/// How often whoever waits is told that it goes on.
const NEWS: Duration = Duration::from_secs(5);

/// Upgrades the running balancer.
pub(super) fn run(flags: &AdminFlag, sources: &Sources) -> Result<Vec<u8>, ControlError> {
    let place = target::to_ask(flags, sources)?;
    if !is_here(&place.address) {
        let address = place.address;
        return Err(ControlError::Elsewhere { address });
    }
    let old = process_at(&place)?;
    if !is_one_of_us(old.pid) {
        return Err(ControlError::NoProcess {
            address: place.address,
            pid: old.pid,
        });
    }
    if !(old.ready && old.phase == "serving") {
        return Err(ControlError::NotNow { pid: old.pid });
    }
    signal(old.pid)?;
    print_line(format_args!("process {} is starting a new one", old.pid));
    // An upgrade may bring another admin address: the configuration says it, and --admin where the old process answers.
    let later = target::later(flags, sources);
    let new = settled(&old, || {
        let successor = || {
            process_at(later.as_ref()?)
                .ok()
                .filter(|now| is_of(now, &old))
        };
        process_at(&place).ok().or_else(successor)
    })?;
    let line = format!(
        "process {} has taken over from {}, version {}\n",
        new.pid,
        old.pid,
        printable(&new.version)
    );
    Ok(line.into_bytes())
}

fn process_at(place: &Place) -> Result<ProcessReply, ControlError> {
    reply::process(&client::ask(place, "/status")?, &place.address)
}

fn signal(pid: i32) -> Result<(), ControlError> {
    kill(Pid::from_raw(pid), Signal::SIGUSR2).map_err(|source| ControlError::Signal { pid, source })
}

/// Waits until another process answers, or this one says why not.
fn settled(
    old: &ProcessReply,
    ask: impl Fn() -> Option<ProcessReply>,
) -> Result<ProcessReply, ControlError> {
    let began = Instant::now();
    let (mut told, mut answered) = (began, began);
    while began.elapsed() < PATIENCE {
        sleep(STEP);
        // Between the two nobody may answer for a moment.
        if let Some(now) = ask() {
            answered = Instant::now();
            if now.pid != old.pid && now.phase == "serving" {
                return Ok(now);
            }
            if now.pid == old.pid
                && let Some(why) = failure(old.upgrade.as_ref(), now.upgrade)
            {
                let pid = old.pid;
                return Err(ControlError::NoUpgrade { pid, why });
            }
        }
        if answered.elapsed() >= SILENCE && !is_one_of_us(old.pid) {
            return Err(ControlError::Gone { pid: old.pid });
        }
        if told.elapsed() >= NEWS {
            let seconds = began.elapsed().as_secs();
            print_line(format_args!("not ready yet after {seconds} s"));
            told = Instant::now();
        }
    }
    Err(ControlError::Unsettled {
        pid: old.pid,
        patience: PATIENCE,
    })
}

/// Whether it took over from that one. The configuration may be that of another balancer, which answers, too.
fn is_of(now: &ProcessReply, old: &ProcessReply) -> bool {
    let upgrade = now.upgrade.as_ref();
    upgrade.and_then(|upgrade| upgrade.predecessor) == Some(old.pid)
}

/// Why an upgrade failed, unless that is an old story.
fn failure(before: Option<&UpgradeReply>, now: Option<UpgradeReply>) -> Option<String> {
    let now = now.filter(|now| now.outcome == "failed" && before != Some(now))?;
    Some(printable(&now.reason.unwrap_or_default()))
}

/// Whether `host:port` is on this machine.
fn is_here(address: &str) -> bool {
    let addresses = address.to_socket_addrs();
    // Nobody else's address can be bound.
    let is_ours = |ip: IpAddr| UdpSocket::bind((ip, 0)).is_ok();
    addresses.is_ok_and(|mut all| all.any(|address| is_ours(address.ip())))
}

/// SECURITY: SIGUSR2 ends most programs. Whoever answers may run in a container, where ids mean others than here.
fn is_one_of_us(pid: i32) -> bool {
    let name = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    name("self").is_some_and(|own| pid > 1 && name(&pid.to_string()) == Some(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade(at: &str, outcome: &str) -> UpgradeReply {
        UpgradeReply {
            at: at.to_owned(),
            outcome: outcome.to_owned(),
            reason: Some("bad\u{1b}[2J".to_owned()),
            predecessor: None,
        }
    }

    #[test]
    fn a_failure_of_before_is_an_old_story() {
        let (old, new) = (upgrade("1", "failed"), upgrade("2", "failed"));
        assert_eq!(failure(Some(&old), Some(upgrade("1", "failed"))), None);
        assert_eq!(failure(Some(&old), Some(new)).as_deref(), Some("bad?[2J"));
        assert_eq!(failure(None, Some(old)).as_deref(), Some("bad?[2J"));
        for going_on in ["under way", "done"] {
            assert_eq!(failure(None, Some(upgrade("3", going_on))), None);
        }
        assert_eq!(failure(None, None), None);
    }

    #[test]
    fn only_who_took_over_from_the_old_one_is_the_new_one() {
        let answer = |pid, predecessor| ProcessReply {
            pid,
            ready: true,
            phase: "serving".to_owned(),
            version: String::new(),
            upgrade: Some(UpgradeReply {
                predecessor,
                ..upgrade("1", "done")
            }),
        };
        let old = answer(7, None);
        assert!(is_of(&answer(8, Some(7)), &old));
        for other in [None, Some(6)] {
            assert!(!is_of(&answer(8, other), &old));
        }
    }

    #[test]
    fn only_addresses_of_this_machine_are_here() {
        for here in ["127.0.0.1:1", "127.9.9.9:80", "localhost:80"] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in [
            "192.0.2.1:80",
            "[2001:db8::1]:80",
            "no-such-host.invalid:80",
        ] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }
}
