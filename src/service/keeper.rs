//! The keeper of the process's life: opens the doors, has a new process take over, stops without cutting anybody off.
//!
//! PINGORA: (0.9.1) the server waits for this one future, and when it ends all runtimes are dropped with what runs on them.
//! So all that takes time at a stop happens in here, while everything still runs. Its own stop closes the doors at once, sleeps
//! for the whole grace period, and cuts every stream at one instant; its own SIGQUIT hands over to a successor that may not
//! be there.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use log::{error, info, warn};
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::Signal;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::census::Census;
use super::farewell::Farewell;
use super::life::{Entry, Life, Phase, Upgrade};
use super::notify::Notifier;
use super::predecessor::Predecessor;
use super::sockets::Sockets;
use super::stop::{Order, Orders, Stop};
use super::successor::Successor;
use crate::config;

/// How long doors may take to close: a turn of each accept loop.
const CLOSING_PATIENCE: Duration = Duration::from_secs(1);

/// How long connections that wait for nothing but another request are kept for one when somebody else serves them then, and
/// when nobody does.
const LINGER_BEHIND: Duration = Duration::from_secs(5);
const LINGER: Duration = Duration::from_millis(300);

/// How often a service manager says that a predecessor is to stop, whose listeners have their time nevertheless.
const MANAGERS_STOPS: usize = 2;

/// Keeps the process's life.
pub struct Keeper {
    parts: KeeperParts,
    sockets: Mutex<Sockets>,
    upgrade: Mutex<Option<Signal>>,
}

/// What a keeper needs.
pub struct KeeperParts {
    /// Who says when to stop.
    pub stop: Stop,
    /// How much time there is for it.
    pub times: Arc<ArcSwap<config::Stop>>,
    /// What the process is about.
    pub life: Arc<Life>,
    /// Counts who is there.
    pub census: Census,
    /// The way to the service manager.
    pub notifier: Arc<Notifier>,
    /// Reads once more what a predecessor may have been told since we read it.
    pub catch_up: Arc<dyn Fn() + Send + Sync>,
}

#[async_trait]
impl ShutdownSignalWatch for Keeper {
    async fn recv(&self) -> ShutdownSignal {
        let upgrade = self.upgrade.lock().await.take();
        let mut orders = Orders::listen(self.parts.stop.clone(), upgrade);
        self.keep(&mut orders).await;
        // All that was to be waited for was waited for.
        ShutdownSignal::FastShutdown
    }
}

impl Keeper {
    /// A keeper of these sockets, who upgrades at this signal.
    pub fn new(parts: KeeperParts, sockets: Sockets, upgrade: Option<Signal>) -> Self {
        Self {
            parts,
            sockets: Mutex::new(sockets),
            upgrade: Mutex::new(upgrade),
        }
    }

    async fn keep(&self, orders: &mut Orders) {
        let mut told = match self.begin_unless_stopped(orders).await {
            Ok(told) => told,
            Err(Order::Stop) if self.parts.life.phase() == Phase::Serving => {
                return self.stop(orders).await;
            }
            Err(_) => {
                if self.parts.life.phase() < Phase::Serving {
                    self.sockets.lock().await.give_back();
                }
                return self.end().await;
            }
        };
        loop {
            let order = match told.take() {
                Some(order) => order,
                None => orders.next().await,
            };
            match order {
                Order::Stop => return self.stop(orders).await,
                Order::StopNow => return self.end().await,
                Order::Upgrade => match self.upgrade(orders).await {
                    Upgraded::To(successor) => return self.stay_behind(orders, successor).await,
                    Upgraded::No => {}
                    Upgraded::Stopped(Order::StopNow) => return self.end().await,
                    Upgraded::Stopped(_) => return self.stop(orders).await,
                },
            }
        }
    }

    /// Begins, and returns what was told meanwhile and has to wait for that.
    async fn begin_unless_stopped(&self, orders: &mut Orders) -> Result<Option<Order>, Order> {
        let mut begins = pin!(self.begin());
        let mut told = None;
        loop {
            tokio::select! {
                () = &mut begins => return Ok(told),
                order = orders.next() => match order {
                    Order::Upgrade if told.is_none() => told = Some(order),
                    Order::Upgrade => info!("no upgrade now"),
                    Order::Stop if told == Some(Order::Stop) => return Err(Order::StopNow),
                    // It has listeners by now, and in a moment the predecessor lets nobody in any more: first all is its own.
                    Order::Stop if self.parts.life.phase() == Phase::Opening => told = Some(order),
                    Order::Stop | Order::StopNow => return Err(order),
                },
            }
        }
    }

    /// Opens the doors: at once, or in turn with a predecessor.
    async fn begin(&self) {
        let KeeperParts { life, notifier, .. } = &self.parts;
        let mut relieved = None;
        if let Some(predecessor) = Predecessor::find() {
            self.parts.census.surveyed().await;
            let id = predecessor.id;
            life.advance(Phase::Opening);
            life.opened(Entry::Public).await;
            relieved = Some(predecessor.take_over().await);
            // Files are read in it: not among those who serve. A panic in there is in the log, and no reason not to serve.
            let catch_up = self.parts.catch_up.clone();
            let _ = spawn_blocking(move || catch_up()).await;
            life.note_upgrade(Upgrade::TookOver(id));
            life.advance(Phase::Serving);
        } else {
            life.advance(Phase::Serving);
            self.parts.census.surveyed().await;
        }
        notifier.ready();
        if let Some(predecessor) = relieved {
            predecessor.let_go().await;
        }
    }

    /// Has a new process take over.
    async fn upgrade(&self, orders: &mut Orders) -> Upgraded {
        let life = &self.parts.life;
        life.note_upgrade(Upgrade::UnderWay);
        let mut sockets = self.sockets.lock().await;
        let raised = tokio::select! {
            raised = Successor::raise(&mut sockets) => raised,
            told = orders.until_stop() => {
                life.note_upgrade(Upgrade::Failed("told to stop meanwhile".to_owned()));
                return Upgraded::Stopped(told);
            }
        };
        drop(sockets);
        match raised {
            Ok(mut successor) => {
                self.hand_over(&mut successor).await;
                Upgraded::To(successor.into())
            }
            Err(why) => {
                error!("no upgrade: {why}; this process goes on");
                life.note_upgrade(Upgrade::Failed(why.to_string()));
                Upgraded::No
            }
        }
    }

    async fn hand_over(&self, successor: &mut Successor) {
        let KeeperParts { life, notifier, .. } = &self.parts;
        life.advance(Phase::Leaving);
        for entry in [Entry::Public, Entry::Operator] {
            life.close(entry, CLOSING_PATIENCE).await;
        }
        life.advance(Phase::Draining);
        life.leave_charge();
        notifier.mute();
        let id = successor.id().unwrap_or_default();
        successor.hand_over().await;
        let mut sockets = self.sockets.lock().await;
        sockets.leave_behind(Entry::Public);
        sockets.leave_behind(Entry::Operator);
        info!("process {id} has taken over");
    }

    /// Serves those who are there to their end, while a successor serves all others.
    ///
    /// SYSTEMD: (252) a stop is said to each process of the service, and once more to those that outlive the one that it follows.
    /// It starts no service anew that died before all of its processes are gone.
    async fn stay_behind(&self, orders: &mut Orders, mut successor: Box<Successor>) {
        let times = self.parts.times.load();
        let mut waits = pin!(self.farewell(times.drain_timeout, LINGER_BEHIND));
        if !successor.lives() {
            warn!(
                "the process that took over is gone at once: this one makes room for a new start"
            );
            return self.end().await;
        }
        for stops in 1..=MANAGERS_STOPS + 1 {
            let told = tokio::select! {
                () = &mut waits => break,
                told = orders.until_stop() => told,
            };
            if told == Order::StopNow {
                break;
            }
            if stops == 1 && !successor.lives() {
                warn!(
                    "the process that took over is gone: nobody is let in before this one is gone, too"
                );
                break;
            }
        }
        self.end().await;
    }

    /// Stops: first not ready, then nobody comes any more, then nobody is there any more.
    async fn stop(&self, orders: &mut Orders) {
        let KeeperParts {
            life,
            notifier,
            times,
            ..
        } = &self.parts;
        life.advance(Phase::Leaving);
        notifier.stopping();
        let stays = tokio::select! {
            () = sleep(times.load().drain_delay) => true,
            _ = orders.until_stop() => false,
        };
        life.close(Entry::Public, CLOSING_PATIENCE).await;
        self.sockets.lock().await.close(Entry::Public);
        life.advance(Phase::Draining);
        if stays {
            self.wait_for_the_last(orders).await;
        }
        self.end().await;
    }

    /// Waits until nobody is there, the time is over, or we are told to stop once more.
    async fn wait_for_the_last(&self, orders: &mut Orders) {
        let times = self.parts.times.load();
        tokio::select! {
            () = self.farewell(times.drain_timeout, LINGER) => {}
            _ = orders.until_stop() => {}
        }
    }

    /// Ready when nobody is there, or the time is over.
    async fn farewell(&self, drain_timeout: Duration, linger: Duration) {
        let KeeperParts { census, life, .. } = &self.parts;
        Farewell::new(census, life, drain_timeout, linger)
            .wait()
            .await;
    }

    /// Sends away who is still there.
    async fn end(&self) {
        let KeeperParts { census, life, .. } = &self.parts;
        let streams = census.count().streams;
        if streams > 0 {
            warn!("{streams} listeners are sent away");
        }
        life.close(Entry::Public, CLOSING_PATIENCE).await;
        self.sockets.lock().await.close(Entry::Public);
        life.advance(Phase::Ending);
        Farewell::until_nobody_listens(census).await;
    }
}

/// What came of an upgrade.
enum Upgraded {
    /// A successor serves.
    To(Box<Successor>),
    /// We go on.
    No,
    /// We were told to stop meanwhile.
    Stopped(Order),
}
