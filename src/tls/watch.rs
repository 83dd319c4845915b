//! The watch: looks whether the files of certificates have changed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use log::debug;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::time::{MissedTickBehavior, interval};

/// How often. Looking costs two system calls for a pair; links that are flipped, moved folders and network file systems are
/// seen as well, which is not so with the kernel's notices.
const INTERVAL: Duration = Duration::from_secs(2);

/// What was read from files that may change.
pub trait Fresh: Send + Sync + 'static {
    /// Reads again what has changed since it was read last.
    fn refresh(&self);
}

/// Looks after these.
pub struct Watch<T>(pub Arc<T>);

#[async_trait]
impl<T: Fresh> BackgroundService for Watch<T> {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = shutdown.changed() => return,
            }
            let watched = self.0.clone();
            let refreshed = tokio::task::spawn_blocking(move || watched.refresh());
            if let Err(error) = refreshed.await {
                debug!("the look at the certificates' files broke off: {error}");
            }
        }
    }
}
