//! The census: who is there at one moment, for those who wait until nobody is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use log::warn;
use tokio::time::{sleep, timeout};

/// How long the first round of polls is waited for before the service manager is told that we serve. Each poll has a
/// deadline of its own; a fleet that is dead must not keep us from saying why.
const SURVEY_PATIENCE: Duration = Duration::from_secs(5);
const SURVEY_STEP: Duration = Duration::from_millis(20);

/// Who is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Listeners whose stream is carried.
    pub streams: usize,
    /// Connections at the public binds.
    pub connections: usize,
    /// Relays that answer.
    pub relays_up: usize,
    /// All relays.
    pub relays: usize,
    /// Whether each relay was polled.
    pub is_surveyed: bool,
}

impl fmt::Display for Count {
    /// As `systemctl status` shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} listeners carried, {} connections, {} of {} relays up",
            self.streams, self.connections, self.relays_up, self.relays
        )
    }
}

/// Counts who is there.
#[derive(Clone)]
pub struct Census(Arc<dyn Fn() -> Count + Send + Sync>);

impl Census {
    /// Counts in this way.
    pub fn new(count: impl Fn() -> Count + Send + Sync + 'static) -> Self {
        Self(Arc::new(count))
    }

    /// Who is there now.
    pub fn count(&self) -> Count {
        (self.0)()
    }

    /// Waits for the first round of polls, but not for ever.
    pub(super) async fn surveyed(&self) {
        let surveyed = async {
            while !self.count().is_surveyed {
                sleep(SURVEY_STEP).await;
            }
        };
        if timeout(SURVEY_PATIENCE, surveyed).await.is_err() {
            warn!("some relays have not answered within {SURVEY_PATIENCE:?}; they are asked again");
        }
    }
}
