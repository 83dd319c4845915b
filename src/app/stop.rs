//! When and how the process stops.

use async_trait::async_trait;
use log::{info, warn};
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{SignalKind, signal};

/// When to stop.
pub enum Stop {
    /// At SIGTERM or SIGINT.
    Signal,
    /// At a signal too, or when this side's partner is dropped.
    Dropped(tokio::sync::watch::Receiver<()>),
}

/// PINGORA: (0.9.1) its own watch takes SIGQUIT for an upgrade that ends in an outage without a successor.
#[async_trait]
impl ShutdownSignalWatch for Stop {
    async fn recv(&self) -> ShutdownSignal {
        let partner = async {
            match self {
                Self::Signal => std::future::pending().await,
                Self::Dropped(partner) => {
                    // Only the drop matters: nothing is ever sent.
                    let _ = partner.clone().changed().await;
                }
            }
        };
        tokio::select! {
            () = asked_to(SignalKind::terminate(), "SIGTERM") => {}
            () = asked_to(SignalKind::interrupt(), "SIGINT") => {}
            () = partner => {}
        }
        // Nobody hears a redirect being cut: there is no stream here to wait for.
        ShutdownSignal::FastShutdown
    }
}

async fn asked_to(kind: SignalKind, name: &str) {
    match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
            info!("{name}: stopping");
        }
        Err(error) => {
            warn!("cannot listen for {name}: {error}");
            std::future::pending().await
        }
    }
}
