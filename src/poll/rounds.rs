//! The rounds: lets Pingora's load balancer discover and poll, as often as is wanted now.
//!
//! PINGORA: (0.9.1) its own service takes both times at the start, and keeps them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use log::warn;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::check::{RelayCheck, pulse};
use crate::select::RelayBackends;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The longest time between two polls of one relay.
    pub interval: Duration,
    /// From one discovery to the next.
    pub refresh: Duration,
}

/// Goes the rounds.
pub struct Rounds {
    /// What discovers and polls.
    pub backends: Arc<RelayBackends>,
    /// What is polled.
    pub check: RelayCheck,
    /// How often; whatever is sent there brings a discovery, and a poll of those that were never polled, at once.
    pub pace: watch::Receiver<Pace>,
}

impl Rounds {
    async fn discover(&self) {
        if let Err(error) = self.backends.update().await {
            warn!("the relays could not be looked for: {error}");
        }
    }

    async fn go(&self) {
        let mut pace = self.pace.clone();
        let mut is_wanted = true;
        let mut wanted = *pace.borrow_and_update();
        self.discover().await;
        let (mut discovered, mut polled) = (Instant::now(), Instant::now());
        self.backends.backends().run_health_check(true).await;
        loop {
            let discovery = discovered + wanted.refresh;
            let poll = polled + pulse(wanted.interval);
            tokio::select! {
                () = sleep_until(poll) => {
                    polled = Instant::now();
                    self.backends.backends().run_health_check(true).await;
                }
                () = sleep_until(discovery) => {
                    discovered = Instant::now();
                    self.discover().await;
                }
                changed = pace.changed(), if is_wanted => {
                    // Where nobody is left who could want another pace, this one stays.
                    is_wanted = changed.is_ok();
                    wanted = *pace.borrow_and_update();
                    discovered = Instant::now();
                    self.discover().await;
                    self.check.meet_newcomers();
                }
            }
        }
    }
}

#[async_trait]
impl BackgroundService for Rounds {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.go() => {}
            _ = shutdown.changed() => {}
        }
    }
}
