//! Keeps the certificate good: looks at it, orders a new one when it is time, waits after failures.

use std::collections::BTreeSet;
use std::future::pending;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use log::{info, warn};
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Settings;
use super::attempt::Attempt;
use super::certificate::Certificate;
use super::challenges::Challenges;
use super::error::AcmeError;
use super::schedule::Pace;
use super::status::SharedStatus;
use super::store::{Claim, Need, Store, StoreError, list};
use super::wire::{AskedToWait, Wire};

/// Nobody waits for it: who is alone never does.
const CLAIM_PAUSE: Duration = Duration::from_millis(200);

/// The keeper of the certificate.
#[derive(Debug)]
pub struct Acme {
    settings: watch::Receiver<Settings>,
    pace: Pace,
    /// Where in the window of renewal this process renews, from 0 to 1.
    chance: f64,
    challenges: Challenges,
    status: SharedStatus,
}

#[async_trait]
impl BackgroundService for Acme {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.keep() => {}
            _ = shutdown.changed() => {}
        }
    }
}

impl Acme {
    /// A keeper that has not begun yet. What `settings` say may change, but not the state directory.
    pub fn new(settings: watch::Receiver<Settings>) -> Self {
        Self::at_pace(settings, Pace::PATIENT)
    }

    pub(super) fn at_pace(settings: watch::Receiver<Settings>, pace: Pace) -> Self {
        Self {
            settings,
            pace,
            chance: fastrand::f64(),
            challenges: Challenges::default(),
            status: SharedStatus::default(),
        }
    }

    /// What the plain bind answers for us.
    pub fn challenges(&self) -> Challenges {
        self.challenges.clone()
    }

    /// How it goes.
    pub fn status(&self) -> SharedStatus {
        self.status.clone()
    }

    /// Keeps the certificate good, for ever. New settings break off what was done by the old ones: what an attempt has
    /// begun is found again by the next one.
    pub(super) async fn keep(&self) {
        let mut settings = self.settings.clone();
        let mut claim = None;
        loop {
            let now = settings.borrow_and_update().clone();
            let keeping = Keeping::of(self, now);
            tokio::select! {
                () = keeping.keep(&mut claim) => {}
                () = changed(&mut settings) => info!("[tls.acme] has changed"),
            }
        }
    }
}

/// Nobody changes settings any more whose owner is gone.
async fn changed(settings: &mut watch::Receiver<Settings>) {
    if settings.changed().await.is_err() {
        pending().await
    }
}

/// The keeping by some settings.
struct Keeping<'a> {
    acme: &'a Acme,
    settings: Settings,
    /// The configured domains, each once and in lower case.
    names: BTreeSet<String>,
    store: Store,
}

impl<'a> Keeping<'a> {
    fn of(acme: &'a Acme, settings: Settings) -> Self {
        let names = settings.domains.iter();
        Self {
            acme,
            names: names.map(|name| as_in_certificates(name)).collect(),
            store: Store::new(&settings.state_dir),
            settings,
        }
    }

    async fn keep(&self, claim: &mut Option<Claim>) {
        let mut failures = 0;
        loop {
            let pause = match self.need(SystemTime::now()) {
                Ok(pause) => pause,
                Err(need) => match self.renew(&need, claim).await {
                    Ok(()) => {
                        failures = 0;
                        self.rest()
                    }
                    Err((error, asked_for)) => {
                        failures += 1;
                        self.failed(&error, asked_for, failures, &need)
                    }
                },
            };
            sleep(pause).await;
        }
    }

    /// The pause after a success: never none, so that nothing that spoils the files can make us order without end.
    fn rest(&self) -> Duration {
        let pause = self.need(SystemTime::now()).unwrap_or_default();
        pause.max(self.acme.pace.first_pause)
    }

    /// How long the certificate may be left alone, or why it may not.
    fn need(&self, now: SystemTime) -> Result<Duration, Need> {
        let certificate = self.store.current(&self.names, &self.settings.directory)?;
        let renew_at = certificate.validity.renew_at(self.acme.chance);
        self.acme.status.change(|status| {
            status.valid_until = Some(certificate.validity.not_after);
            status.last_success = self.store.published_at();
            status.next_attempt = Some(renew_at);
        });
        match renew_at.duration_since(now) {
            Ok(left) if left > Duration::ZERO => {
                self.acme.status.change(|status| status.last_error = None);
                Ok(left.min(self.acme.pace.look))
            }
            _ => Err(Need::Due(certificate.validity)),
        }
    }

    /// Makes one attempt.
    async fn renew(
        &self,
        need: &Need,
        claim: &mut Option<Claim>,
    ) -> Result<(), (AcmeError, Option<Duration>)> {
        info!("ordering a certificate for {}: {need}", list(&self.names));
        let asked_to_wait = AskedToWait::default();
        let attempt = self.attempt(&asked_to_wait, claim);
        let attempt = timeout(self.acme.pace.attempt, attempt).await;
        let certificate = attempt
            .unwrap_or(Err(AcmeError::TimedOut))
            .map_err(|error| {
                let of_the_head = asked_to_wait.remaining(SystemTime::now());
                let asked_for = of_the_head.or_else(|| error.asks_for());
                (error, asked_for)
            })?;
        let until = certificate.validity.not_after;
        info!(
            "issued a certificate for {}, valid until {}",
            list(&certificate.names),
            humantime::format_rfc3339_seconds(until)
        );
        self.acme.status.change(|status| status.issued_total += 1);
        Ok(())
    }

    async fn attempt(
        &self,
        asked_to_wait: &AskedToWait,
        claim: &mut Option<Claim>,
    ) -> Result<Certificate, AcmeError> {
        if claim.is_none() {
            *claim = Some(self.claim().await?);
        }
        let wire = Wire::new(
            self.settings.ca_file.as_deref(),
            self.acme.pace.request,
            asked_to_wait.clone(),
        )?;
        let attempt = Attempt {
            settings: &self.settings,
            names: &self.names,
            store: &self.store,
            challenges: &self.acme.challenges,
            pace: &self.acme.pace,
            wire: &wire,
        };
        let certificate = attempt.make().await?;
        if certificate.validity.renew_at(self.acme.chance) <= SystemTime::now() {
            return Err(AcmeError::DueAtOnce);
        }
        Ok(certificate)
    }

    /// At an upgrade the process before us is about to let go.
    async fn claim(&self) -> Result<Claim, AcmeError> {
        let until = Instant::now() + self.acme.pace.request;
        loop {
            match self.store.claim() {
                Err(StoreError::Claimed(_)) if Instant::now() < until => sleep(CLAIM_PAUSE).await,
                claim => return claim.map_err(AcmeError::from),
            }
        }
    }

    /// Notes a failure; returns how long it is waited out.
    fn failed(
        &self,
        error: &AcmeError,
        asked_for: Option<Duration>,
        failures: u32,
        need: &Need,
    ) -> Duration {
        let pace = match need {
            Need::Due(validity) => self.acme.pace.for_lifetime(validity.lifetime()),
            _ => self.acme.pace,
        };
        let chance = fastrand::f64();
        let pause = pace.pause(failures, asked_for, chance);
        let why = match pause > pace.pause(failures, None, chance) {
            true => " (the authority asks to be left alone until then)",
            false => "",
        };
        let next = SystemTime::now() + pause;
        let text = error.text();
        warn!(
            "no certificate for {}: {text}; next attempt at {}{why}",
            list(&self.names),
            humantime::format_rfc3339_seconds(next)
        );
        self.acme.status.change(|status| {
            status.failed_total += 1;
            status.last_error = Some(text);
            status.next_attempt = Some(next);
        });
        pause
    }
}

/// Addresses have several spellings, and so have domains.
fn as_in_certificates(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(ip) => ip.to_string(),
        Err(_) => name.to_ascii_lowercase(),
    }
}
