//! A doorway: a listening service of Pingora's that lets in when the life of the process says so.
//!
//! PINGORA: (0.9.1) a service opens its sockets when the server starts, and lets in until the server stops. It takes sockets
//! that it finds in a table instead, and stops letting in when its shutdown watch turns true, while the connections that it
//! let in go on in tasks of their own: with a table and a watch of ours, both are ours to say.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::poll;
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::Service;

use super::life::{Entry, Life, Phase};
use super::pulse::Pulse;
use super::sockets::Sockets;

/// A listening service of which we say when it lets in.
pub struct Doorway<S> {
    service: S,
    entry: Entry,
    life: Arc<Life>,
    sockets: ListenFds,
    pulse: Arc<Pulse>,
}

/// Hangs services into doorways.
pub struct Doors<'s> {
    sockets: &'s Sockets,
    life: &'s Arc<Life>,
}

impl<'s> Doors<'s> {
    /// Doors at these sockets.
    pub fn at(sockets: &'s Sockets, life: &'s Arc<Life>) -> Self {
        Self { sockets, life }
    }

    /// A doorway for this service, the only one of its entry.
    ///
    /// # Errors
    /// There are no file descriptors left.
    pub fn hang<S>(&self, service: S, entry: Entry) -> io::Result<Doorway<S>> {
        let pulse = Arc::<Pulse>::default();
        self.life.watch(pulse.clone());
        Ok(Doorway {
            service,
            entry,
            life: self.life.clone(),
            sockets: self.sockets.table(entry)?,
            pulse,
        })
    }
}

#[async_trait]
impl<S: Service> Service for Doorway<S> {
    async fn start_service(
        &mut self,
        _fds: Option<ListenFds>,
        _shutdown: ShutdownWatch,
        listeners_per_fd: usize,
    ) {
        tokio::spawn(self.pulse.clone().beat());
        let opens = match self.entry {
            Entry::Public => Phase::Opening,
            Entry::Operator => Phase::Serving,
        };
        self.life.until(opens).await;
        let closing = self.life.closing(self.entry);
        // Told to end before it served: whoever were let in now would get no answer.
        if *closing.borrow() || self.life.phase() == Phase::Ending {
            return;
        }
        let sockets = Some(self.sockets.clone());
        let serving = self
            .service
            .start_service(sockets, closing, listeners_per_fd);
        let mut serving = pin!(serving);
        // PINGORA: (0.9.1) the first poll takes the sockets and starts to accept; what it waits for then is the end of that.
        if poll!(&mut serving).is_pending() {
            self.life.note_open(self.entry, true);
            serving.await;
        }
        self.life.note_open(self.entry, false);
    }

    fn name(&self) -> &str {
        self.service.name()
    }

    fn threads(&self) -> Option<usize> {
        self.service.threads()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use pingora::server::Fds;
    use tokio::sync::watch;

    use super::*;

    #[derive(Default)]
    struct Room {
        has_let_in: Arc<AtomicBool>,
    }

    #[async_trait]
    impl Service for Room {
        async fn start_service(&mut self, _: Option<ListenFds>, _: ShutdownWatch, _: usize) {
            self.has_let_in.store(true, Ordering::Relaxed);
        }

        fn name(&self) -> &'static str {
            "room"
        }
    }

    /// Whether a doorway of this entry lets in when its process goes through these phases before the doorway looks.
    async fn lets_in(entry: Entry, phases: &[Phase]) -> bool {
        let life = Arc::new(Life::default());
        let room = Room::default();
        let has_let_in = room.has_let_in.clone();
        let mut doorway = Doorway {
            service: room,
            entry,
            life: life.clone(),
            sockets: Arc::new(Fds::new().into()),
            pulse: Arc::default(),
        };
        for phase in phases {
            life.advance(*phase);
        }
        let (_process, shutdown) = watch::channel(false);
        doorway.start_service(None, shutdown, 1).await;
        has_let_in.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_process_that_ends_before_it_served_lets_nobody_in() {
        for entry in [Entry::Public, Entry::Operator] {
            assert!(!lets_in(entry, &[Phase::Ending]).await, "{entry:?}");
        }
    }

    #[tokio::test]
    async fn one_that_is_told_to_stop_as_it_begins_answers_until_then() {
        for entry in [Entry::Public, Entry::Operator] {
            let phases = [Phase::Serving, Phase::Leaving];
            assert!(lets_in(entry, &phases).await, "{entry:?}");
        }
    }
}
