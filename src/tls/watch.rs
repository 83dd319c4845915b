//! The watch: looks whether the files of certificates have changed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use log::debug;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::time::{MissedTickBehavior, interval};

use super::certificates::Certificates;

/// How often. Looking costs two system calls for a pair; links that are flipped, moved folders and network file systems are
/// seen as well, which is not so with the kernel's notices.
const INTERVAL: Duration = Duration::from_secs(2);

/// Looks after these certificates.
pub struct Watch(pub Arc<Certificates>);

#[async_trait]
impl BackgroundService for Watch {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = shutdown.changed() => return,
            }
            let certificates = self.0.clone();
            let refreshed = tokio::task::spawn_blocking(move || certificates.refresh());
            if let Err(error) = refreshed.await {
                debug!("the look at the certificates' files broke off: {error}");
            }
        }
    }
}
