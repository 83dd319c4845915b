//! Reading the configuration again while we serve: at SIGHUP, and when its file changes where that is wanted.
//!
//! In: the sources that were read at the start. Out: parts that have taken what is there now, or a line in the log that says why
//! they have not; either way no listener hears of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use log::{error, info, warn};
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::signal::unix::Signal;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use super::parts::Parts;
use super::waiting::waiting;
use crate::config::{self, Config, LastReading, Loaded, Reading, Sources};
use crate::fleet::Reform;
use crate::logging;
use crate::service::{Life, Notifier, Phase};
use crate::tls::stamp;

/// How often it is looked whether the file has changed; one that changed is read when it did not change again until the next
/// look.
const LOOK: Duration = Duration::from_secs(1);

/// More lines of problems than this help nobody who looks at /status.
const SHOWN_PROBLEMS: usize = 20;

/// Reads again.
pub(super) struct Reload {
    shared: Arc<Shared>,
    asked: Mutex<Signal>,
}

struct Shared {
    parts: Arc<Parts>,
    sources: Sources,
    /// The configuration that the process was built on.
    started: Config,
    last: LastReading,
    watches: AtomicBool,
    notifier: Arc<Notifier>,
    life: Arc<Life>,
    /// Held from the first look at the file to its last effect: at a take-over two want that, and the later one has the newer file.
    turn: std::sync::Mutex<()>,
}

impl Reload {
    /// Reads what the operator writes, when he asks for it, for `parts`, which were built on the configuration `started`.
    /// The service manager hears of each reading.
    pub fn new(
        parts: Arc<Parts>,
        (sources, asked): (Sources, Signal),
        started: Config,
        last: LastReading,
        notifier: Arc<Notifier>,
        life: Arc<Life>,
    ) -> Self {
        Self {
            asked: Mutex::new(asked),
            shared: Arc::new(Shared {
                turn: std::sync::Mutex::default(),
                watches: AtomicBool::new(started.reload.watch),
                parts,
                sources,
                started,
                last,
                notifier,
                life,
            }),
        }
    }

    /// Reads again what a predecessor may have read after this process began.
    pub fn catch_up(&self) -> impl Fn() + Send + Sync + use<> {
        let shared = self.shared.clone();
        move || {
            info!("taking over: reading the configuration again");
            shared.read_again();
        }
    }

    async fn read_again(&self, why: &str) {
        info!("{why}: reading the configuration again");
        let shared = self.shared.clone();
        shared.notifier.reloading();
        let reading = tokio::task::spawn_blocking(move || shared.read_again());
        if let Err(error) = reading.await {
            error!("reading the configuration broke off: {error}");
        }
        self.shared.notifier.reloaded();
    }
}

#[async_trait]
impl BackgroundService for Reload {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut asked = self.asked.lock().await;
        let file = self.shared.sources.config_file();
        let stamp = || file.as_deref().and_then(stamp);
        let (mut read, mut seen) = (stamp(), stamp());
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(()) = asked.recv() => {
                    read = stamp();
                    self.read_again("SIGHUP").await;
                }
                _ = looks.tick(), if self.shared.watches.load(Ordering::Relaxed) => {
                    let now = stamp();
                    if now != read && now == seen {
                        read = now;
                        self.read_again("its file has changed").await;
                    }
                    seen = now;
                }
                _ = shutdown.changed() => return,
            }
        }
    }
}

impl Shared {
    /// Reads and hands out; whatever is wrong is told, and changes nothing.
    fn read_again(&self) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = config::load(&self.sources)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
            .and_then(|loaded| self.take(loaded).map_err(|error| vec![error]));
        let (refused, waiting) = match taken {
            Ok(waiting) => (None, waiting),
            Err(problems) => (
                Some(tell_problems(&problems)),
                self.last.load().waiting.clone(),
            ),
        };
        self.last.store(Arc::new(Reading {
            at: SystemTime::now(),
            refused,
            waiting,
        }));
    }

    fn take(&self, loaded: Loaded) -> Result<Vec<&'static str>, String> {
        let Loaded {
            config, notices, ..
        } = loaded;
        for notice in notices {
            warn!("{notice}");
        }
        let reform = self.parts.take(&config, &self.started);
        let reform = reform.map_err(|error| error.to_string())?;
        logging::at(config.log.level);
        // Before and after, the file is that of another process.
        if self.life.phase() == Phase::Serving {
            let keep = || self.parts.states.keep(&self.parts.fleet);
            // A failure is in the log, and the next order tries again and reports it to the
            // operator.
            let _ = self.life.while_in_charge(keep);
        }
        self.watches.store(config.reload.watch, Ordering::Relaxed);
        let waiting = waiting(&self.started, &config);
        tell_news(&reform, &waiting);
        Ok(waiting)
    }
}

fn tell_news(reform: &Reform, waiting: &[&str]) {
    for (what, names) in [
        ("new", &reform.came),
        ("changed", &reform.changed),
        ("no longer there", &reform.left),
    ] {
        if !names.is_empty() {
            info!("relays {what}: {}", names.join(", "));
        }
    }
    for key in waiting {
        warn!("{key} changed: takes effect at the next restart or upgrade");
    }
    info!("the configuration is in force");
}

/// Tells every problem in the log; returns the first of them for who looks later.
fn tell_problems(problems: &[String]) -> String {
    for problem in problems {
        error!("{problem}");
    }
    error!("the configuration is refused, the one of before stays in force");
    let shown = problems.iter().take(SHOWN_PROBLEMS).cloned();
    shown.collect::<Vec<_>>().join("\n")
}
