//! The life: what the process is about at this moment. Every part may ask; only the keeper moves it on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use pingora::server::ShutdownWatch;
use tokio::sync::watch;
use tokio::time::timeout;

use super::pulse::Pulse;

/// Silence of the threads that serve from which on the process is not ready. Twenty beats: no machine that serves is so busy.
const SILENCE_LIMIT: Duration = Duration::from_secs(5);

/// What the process is about; later ones are greater, and none comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nobody is let in yet.
    Starting,
    /// Listeners are let in; the operator's address may still be a predecessor's.
    Opening,
    /// Listeners and operators are answered.
    Serving,
    /// Not ready any more, but still letting in: whoever sends us listeners looks elsewhere first.
    Leaving,
    /// Nobody is let in any more; who is there is served to his end.
    Draining,
    /// Who is there is sent away.
    Ending,
}

impl Phase {
    /// Its name in `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting | Self::Opening => "starting",
            Self::Serving => "serving",
            Self::Leaving | Self::Draining | Self::Ending => "stopping",
        }
    }
}

/// Who comes in by a doorway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Listeners.
    Public,
    /// Operators and their machines.
    Operator,
}

/// What became of the last upgrade that this process had a part in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upgrade {
    /// A successor is being started.
    UnderWay,
    /// This process took over from one with this id.
    TookOver(u32),
    /// The successor was no good, and this process goes on.
    Failed(String),
}

/// The state of a doorway.
#[derive(Debug)]
struct Hinge {
    is_open: watch::Sender<bool>,
    closing: watch::Sender<bool>,
}

impl Hinge {
    fn new() -> Self {
        Self {
            is_open: watch::Sender::new(false),
            closing: watch::Sender::new(false),
        }
    }
}

/// The life of this process.
#[derive(Debug)]
pub struct Life {
    started: SystemTime,
    phase: watch::Sender<Phase>,
    leaving: watch::Sender<bool>,
    public: Hinge,
    operator: Hinge,
    errands: Arc<AtomicUsize>,
    is_in_charge: Mutex<bool>,
    upgrade: Mutex<Option<(SystemTime, Upgrade)>>,
    pulses: Mutex<Vec<Arc<Pulse>>>,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            phase: watch::Sender::new(Phase::Starting),
            leaving: watch::Sender::new(false),
            public: Hinge::new(),
            operator: Hinge::new(),
            errands: Arc::default(),
            is_in_charge: Mutex::new(true),
            upgrade: Mutex::default(),
            pulses: Mutex::default(),
        }
    }
}

impl Life {
    /// What the process is about.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// When it was started.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// Becomes true when connections are not to be kept for another request.
    pub fn leaving(&self) -> ShutdownWatch {
        self.leaving.subscribe()
    }

    /// Waits for a phase, or a later one.
    pub fn until(&self, phase: Phase) -> impl Future<Output = ()> + use<> {
        let mut phases = self.phase.subscribe();
        async move {
            // A life that is gone has no later phase: it is waited for no longer either.
            let _ = phases.wait_for(|now| *now >= phase).await;
        }
    }

    /// Counts a request that is served, until it is dropped.
    pub fn begin_errand(&self) -> Errand {
        self.errands.fetch_add(1, Ordering::Relaxed);
        Errand(self.errands.clone())
    }

    /// How many requests are served at this moment.
    pub fn errands(&self) -> usize {
        self.errands.load(Ordering::Relaxed)
    }

    /// Does what nobody but the process that serves may do, such as what an operator wants of a relay; `None` when another
    /// process has taken over, which would not know of it.
    pub fn while_in_charge<R>(&self, act: impl FnOnce() -> R) -> Option<R> {
        let is_in_charge = self.charge();
        is_in_charge.then(act)
    }

    /// Leaves all that to another process; returns when nobody does any of it.
    pub(super) fn leave_charge(&self) {
        *self.charge() = false;
    }

    fn charge(&self) -> MutexGuard<'_, bool> {
        self.is_in_charge
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the threads of one more runtime among those that serve.
    pub(super) fn watch(&self, pulse: Arc<Pulse>) {
        self.pulses().push(pulse);
    }

    /// Time since all threads that serve were last seen to get on.
    pub fn silence(&self) -> Duration {
        let pulses = self.pulses();
        let silences = pulses.iter().map(|pulse| pulse.silence());
        silences.max().unwrap_or_default()
    }

    /// The silence of the threads that serve, when it is too long for a process that is ready.
    pub fn unresponsive_for(&self) -> Option<Duration> {
        Some(self.silence()).filter(|silence| *silence > SILENCE_LIMIT)
    }

    /// Has its threads be silent for this time.
    #[cfg(test)]
    pub fn fall_silent_for(&self, silence: Duration) {
        self.watch(Arc::new(Pulse::silent_for(silence)));
    }

    fn pulses(&self) -> MutexGuard<'_, Vec<Arc<Pulse>>> {
        self.pulses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of the last upgrade, and when.
    pub fn upgrade(&self) -> Option<(SystemTime, Upgrade)> {
        let upgrade = self.upgrade.lock().unwrap_or_else(PoisonError::into_inner);
        upgrade.clone()
    }

    pub(super) fn note_upgrade(&self, upgrade: Upgrade) {
        let mut last = self.upgrade.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((SystemTime::now(), upgrade));
    }

    /// Moves on to a later phase.
    pub(super) fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let is_later = phase > *now;
            *now = phase.max(*now);
            is_later
        });
        // Whoever waits for a change waits for this one.
        let is_leaving = self.phase() >= Phase::Leaving;
        self.leaving
            .send_if_modified(|leaving| is_leaving && !std::mem::replace(leaving, true));
    }

    /// Lets nobody in by an entry any more; returns when nobody is let in, or after `patience`.
    pub(super) async fn close(&self, entry: Entry, patience: Duration) {
        let hinge = self.hinge(entry);
        hinge.closing.send_replace(true);
        let mut is_open = hinge.is_open.subscribe();
        // The hinge lives as long as `self`; a doorway that hangs is told by nobody letting in.
        let _ = timeout(patience, is_open.wait_for(|is_open| !is_open)).await;
    }

    /// Waits until somebody is let in by an entry.
    pub(super) async fn opened(&self, entry: Entry) {
        let mut is_open = self.hinge(entry).is_open.subscribe();
        // The hinge lives as long as `self`.
        let _ = is_open.wait_for(|is_open| *is_open).await;
    }

    pub(super) fn note_open(&self, entry: Entry, is_open: bool) {
        self.hinge(entry).is_open.send_replace(is_open);
    }

    /// Becomes true when nobody is to be let in by an entry any more.
    pub(super) fn closing(&self, entry: Entry) -> ShutdownWatch {
        self.hinge(entry).closing.subscribe()
    }

    fn hinge(&self, entry: Entry) -> &Hinge {
        match entry {
            Entry::Public => &self.public,
            Entry::Operator => &self.operator,
        }
    }
}

/// A request that is served.
#[derive(Debug)]
#[must_use = "it counts for as long as it is kept"]
pub struct Errand(Arc<AtomicUsize>);

impl Drop for Errand {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
