//! The herald: keeps the service manager told how many listen, and that the threads that serve are alive.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use log::{info, warn};
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::census::Census;
use super::life::Life;
use super::notify::Notifier;

/// How often the line for `systemctl status` is looked at. It is sent when it changed.
const STATUS_STEP: Duration = Duration::from_secs(5);

/// Tells the service manager how we are.
pub struct Herald {
    /// What the process is about.
    pub life: Arc<Life>,
    /// Counts who is there.
    pub census: Census,
    /// The way to the service manager.
    pub notifier: Arc<Notifier>,
}

#[async_trait]
impl BackgroundService for Herald {
    async fn start(&self, _shutdown: ShutdownWatch) {
        tokio::join!(self.tell_status(), self.feed_watchdog());
    }
}

impl Herald {
    async fn tell_status(&self) {
        let mut ticks = interval(STATUS_STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = String::new();
        loop {
            ticks.tick().await;
            let line = format!("{}: {}", self.life.phase().as_str(), self.census.count());
            if line != told {
                self.notifier.status(&line);
                told = line;
            }
        }
    }

    /// Feeds it while no thread is silent for half of the time that the service manager waits.
    async fn feed_watchdog(&self) {
        let Some(limit) = sd_notify::watchdog_enabled() else {
            return;
        };
        info!(
            "the watchdog of the service manager is fed: {limit:?} without that, and it starts us anew"
        );
        let mut ticks = interval((limit / 4).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told_at: Option<Instant> = None;
        loop {
            ticks.tick().await;
            if self.life.silence() <= limit / 2 {
                self.notifier.watchdog();
            } else if told_at.is_none_or(|at| at.elapsed() > STATUS_STEP) {
                warn!("threads that serve hang: the watchdog is not fed");
                told_at = Some(Instant::now());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pulse::Pulse;
    use super::*;

    #[test]
    fn one_runtime_that_hangs_is_enough_for_no_food() {
        let runtime = || {
            let builder = &mut tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(1).enable_all().build().unwrap()
        };
        let (good, bad) = (runtime(), runtime());
        let life = Life::default();
        let pulses = [Arc::new(Pulse::default()), Arc::new(Pulse::default())];
        for (runtime, pulse) in [&good, &bad].into_iter().zip(&pulses) {
            runtime.spawn(pulse.clone().beat());
            life.watch(pulse.clone());
        }
        let limit = Duration::from_secs(1);
        let is_alive = || life.silence() <= limit;
        let eventually = |holds: &dyn Fn() -> bool| {
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            while !holds() {
                assert!(std::time::Instant::now() < deadline, "{pulses:?}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        // Older than the limit, so that only beats keep it alive.
        let since = std::time::Instant::now();
        eventually(&|| since.elapsed() > limit && is_alive());

        let (free, hang) = std::sync::mpsc::channel::<()>();
        bad.spawn(async move {
            // A thread of the runtime is taken by something that never lets go.
            let _ = hang.recv();
        });
        eventually(&|| !is_alive());

        assert!(pulses[0].silence() <= limit);
        drop(free);
        eventually(&|| is_alive());
    }
}
