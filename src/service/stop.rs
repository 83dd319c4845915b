//! What the process is told to do: by signals, or by whoever runs it as a part of himself.

use std::io;

use log::{info, warn};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Who says when to stop.
#[derive(Debug, Clone)]
pub enum Stop {
    /// Signals.
    Signal,
    /// Signals, or this side's partner when it is dropped.
    Dropped(watch::Receiver<()>),
}

/// The signals that would end a process which serves, and are remembered from its first moment on instead.
#[derive(Debug)]
pub struct Signals {
    /// SIGHUP: the configuration is to be read again.
    pub reload: Signal,
    /// SIGUSR2: a new process is to take over.
    pub upgrade: Signal,
}

impl Signals {
    /// From here on they end nothing. What is told before somebody waits for it is found by whoever does, once for each.
    ///
    /// # Errors
    /// There is not even a file descriptor to hear them with.
    pub fn remember() -> io::Result<Self> {
        // TOKIO: (1.54) a signal is caught for as long as the process lives, and kept for each `Signal`, until the next runtime, of
        // whomever it is, finds it in a pipe that all of them have.
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let _inside = runtime.enter();
        Ok(Self {
            reload: signal(SignalKind::hangup())?,
            upgrade: signal(SignalKind::user_defined2())?,
        })
    }
}

/// What the process is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Let nobody be cut off who listens.
    Stop,
    /// Stop at once.
    StopNow,
    /// Let a new process take over.
    Upgrade,
}

/// Hears what the process is told.
pub(super) struct Orders {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    upgrade: Option<Signal>,
    stop: Stop,
}

impl Orders {
    /// From here on signals are orders; those to upgrade may have been remembered.
    pub(super) fn listen(stop: Stop, upgrade: Option<Signal>) -> Self {
        Self {
            terminate: heard(SignalKind::terminate(), "SIGTERM"),
            interrupt: heard(SignalKind::interrupt(), "SIGINT"),
            upgrade: upgrade.or_else(|| heard(SignalKind::user_defined2(), "SIGUSR2")),
            stop,
        }
    }

    /// The next order.
    pub(super) async fn next(&mut self) -> Order {
        let (order, from) = tokio::select! {
            () = next(&mut self.terminate) => (Order::Stop, "SIGTERM"),
            () = next(&mut self.interrupt) => (Order::StopNow, "SIGINT"),
            () = next(&mut self.upgrade) => (Order::Upgrade, "SIGUSR2"),
            () = dropped(&mut self.stop) => (Order::StopNow, "the end of the show"),
        };
        info!(
            "{from}: {}",
            match order {
                Order::Stop => "stopping",
                Order::StopNow => "stopping at once",
                Order::Upgrade => "upgrading",
            }
        );
        order
    }

    /// Waits until the process is told to stop, and returns how; nothing else counts meanwhile.
    pub(super) async fn until_stop(&mut self) -> Order {
        loop {
            match self.next().await {
                Order::Upgrade => info!("no upgrade now"),
                stop => return stop,
            }
        }
    }
}

fn heard(kind: SignalKind, name: &str) -> Option<Signal> {
    let signals = signal(kind);
    signals
        .inspect_err(|error| warn!("cannot listen for {name}: {error}"))
        .ok()
}

async fn next(signals: &mut Option<Signal>) {
    if let Some(signals) = signals
        && signals.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

async fn dropped(stop: &mut Stop) {
    match stop {
        // Only the drop matters: nothing is ever sent.
        Stop::Dropped(partner) => while partner.changed().await.is_ok() {},
        Stop::Signal => std::future::pending().await,
    }
}
