//! A tenure: background work that one process does at a time, and leaves to whoever comes after it.

use std::sync::Arc;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use super::life::Life;

/// Work that ends when this process begins to leave.
pub struct Tenure<S> {
    /// What is done.
    pub work: S,
    /// What the process is about.
    pub life: Arc<Life>,
}

#[async_trait]
impl<S: BackgroundService + Send + Sync> BackgroundService for Tenure<S> {
    async fn start(&self, _shutdown: ShutdownWatch) {
        self.work.start(self.life.leaving()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::life::Phase;
    use super::*;

    struct Work;

    #[async_trait]
    impl BackgroundService for Work {
        async fn start(&self, mut shutdown: ShutdownWatch) {
            // Done once it is told to stop.
            let _ = shutdown.wait_for(|stops| *stops).await;
        }
    }

    #[tokio::test]
    async fn it_ends_when_the_process_leaves_and_not_before() {
        let life = Arc::new(Life::default());
        let tenure = Tenure {
            work: Work,
            life: life.clone(),
        };
        let never = tokio::sync::watch::channel(false).1;
        let done = tokio::spawn(async move { tenure.start(never).await });
        life.advance(Phase::Serving);
        tokio::task::yield_now().await;
        assert!(!done.is_finished());
        life.advance(Phase::Leaving);
        done.await.unwrap();
    }
}
