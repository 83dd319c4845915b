//! The notifier: tells the service manager how we are (`sd_notify`). Without one it tells nobody.

use std::sync::atomic::{AtomicBool, Ordering};

use log::debug;
use sd_notify::NotifyState;

/// Speaks to the service manager.
#[derive(Debug, Default)]
pub struct Notifier {
    is_mute: AtomicBool,
    /// Whether it was said that we serve. A reload before that is a part of the start: its end would say so.
    is_ready: AtomicBool,
}

impl Notifier {
    /// We serve. The service manager follows the process that says so: after an upgrade that is another one.
    pub(super) fn ready(&self) {
        self.is_ready.store(true, Ordering::Relaxed);
        self.tell(&[NotifyState::MainPid(std::process::id()), NotifyState::Ready]);
    }

    /// The configuration is being read again; [`Self::reloaded`] follows.
    pub fn reloading(&self) {
        if !self.is_ready.load(Ordering::Relaxed) {
            return;
        }
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => debug!("the clock cannot be read: {error}"),
        }
    }

    /// The configuration was read again, whatever came of it.
    pub fn reloaded(&self) {
        if self.is_ready.load(Ordering::Relaxed) {
            self.tell(&[NotifyState::Ready]);
        }
    }

    /// We stop.
    pub(super) fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// A line for `systemctl status`.
    pub(super) fn status(&self, line: &str) {
        self.tell(&[NotifyState::Status(line)]);
    }

    /// All threads live.
    pub(super) fn watchdog(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    /// Says nothing from now on: a successor speaks for the service.
    pub(super) fn mute(&self) {
        self.is_mute.store(true, Ordering::Relaxed);
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if self.is_mute.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = sd_notify::notify(states) {
            debug!("the service manager does not hear us: {error}");
        }
    }
}
