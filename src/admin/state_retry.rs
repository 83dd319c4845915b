//! Retries to store the relays' states while the last attempt failed: a full disk has room again at
//! some time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use log::error;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::time::{MissedTickBehavior, interval};

use super::States;
use crate::fleet::SharedFleet;
use crate::service::Life;

/// Pause between two attempts: each writes a few kilobytes at most.
const PAUSE: Duration = Duration::from_secs(10);

/// Background service that stores what an order could not.
#[derive(Debug)]
pub struct StateRetry {
    /// The states.
    pub states: Arc<States>,
    /// The relays whose states they are.
    pub fleet: SharedFleet,
    /// Only the process in charge writes the file.
    pub life: Arc<Life>,
}

impl StateRetry {
    async fn catch_up(&self) {
        let (states, fleet, life) = (self.states.clone(), self.fleet.clone(), self.life.clone());
        let attempt = move || life.while_in_charge(|| states.catch_up(&fleet)).is_some();
        if let Err(error) = tokio::task::spawn_blocking(attempt).await {
            error!("admin: storing relay states broke off: {error}");
        }
    }
}

#[async_trait]
impl BackgroundService for StateRetry {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    if self.states.is_behind() {
                        self.catch_up().await;
                    }
                }
                _ = shutdown.changed() => return,
            }
        }
    }
}
