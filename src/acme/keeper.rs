//! Keeps the certificate good: looks at it, orders a new one when it is time, waits after failures.

use std::collections::BTreeSet;
use std::future::pending;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use log::{Level, error, info, log};
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Settings;
use super::attempt::Attempt;
use super::certificate::Certificate;
use super::challenges::Challenges;
use super::clock::Clock;
use super::error::AcmeError;
use super::schedule::{Pace, Validity};
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
    clock: Clock,
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
        Self::at_pace(settings, Pace::PATIENT, Clock::default())
    }

    pub(super) fn at_pace(settings: watch::Receiver<Settings>, pace: Pace, clock: Clock) -> Self {
        Self {
            settings,
            pace,
            clock,
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
        self.store.shut_files();
        let mut failures = 0;
        let mut was_held = false;
        loop {
            let now = self.acme.clock.now();
            let pause = match self.need(now) {
                Ok(pause) => {
                    was_held = false;
                    pause
                }
                Err(need) => match self.held(&need, now) {
                    Some(left) => {
                        self.hold(&need, now, left, was_held);
                        was_held = true;
                        // The clock may be set at any moment: then the certificate is good as it
                        // is.
                        left.min(self.acme.pace.look)
                    }
                    None => match self.renew(&need, claim).await {
                        Ok(()) => {
                            failures = 0;
                            self.rest()
                        }
                        Err((error, asked_for)) => {
                            failures += 1;
                            was_held = matches!(error, AcmeError::ClockAhead(_));
                            let pause = self.failed(&error, asked_for, failures, &need);
                            match was_held {
                                true => pause.min(self.acme.pace.look),
                                false => pause,
                            }
                        }
                    },
                },
            };
            sleep(pause).await;
        }
    }

    /// The pause after a success: never none, so that nothing that spoils the files can make us order without end.
    fn rest(&self) -> Duration {
        let pause = self.need(self.acme.clock.now()).unwrap_or_default();
        pause.max(self.acme.pace.first_pause)
    }

    /// Time for which no other certificate is ordered although the present one is due: it was due
    /// when it was ordered, so the clock is ahead of the authority's, and another one would be due
    /// as well.
    ///
    /// Both times are by this machine's clock, and the first is in the order's file: a restart
    /// orders nothing either. When the clock was set back since, nothing follows from the first.
    fn held(&self, need: &Need, now: SystemTime) -> Option<Duration> {
        let Need::Due(validity) = need else {
            return None;
        };
        let ordered_at = self.store.ordered_at()?;
        if ordered_at < validity.renew_at(self.acme.chance) {
            return None;
        }
        let since = now.duration_since(ordered_at).ok()?;
        let pause = self.acme.pace.after_waste(Some(validity.lifetime()));
        pause
            .checked_sub(since)
            .filter(|left| *left > Duration::ZERO)
    }

    /// Shows why no certificate is ordered; logs it once.
    fn hold(&self, need: &Need, now: SystemTime, left: Duration, is_logged: bool) {
        let Need::Due(validity) = need else { return };
        let text = clock_ahead(validity, now).text();
        let next = now + left;
        if !is_logged {
            error!(
                "no other certificate for {}: {text}; next attempt at {}",
                list(&self.names),
                humantime::format_rfc3339_seconds(next)
            );
        }
        self.acme.status.change(|status| {
            status.last_error = Some(text);
            status.next_attempt = Some(next);
        });
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
            clock: &self.acme.clock,
        };
        let certificate = attempt.make().await?;
        let (validity, now) = (certificate.validity, self.acme.clock.now());
        if validity.renew_at(self.acme.chance) <= now {
            return Err(clock_ahead(&validity, now));
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
        let own_pause = match error {
            error if error.costs_a_certificate() => pace.after_waste(need.lifetime()),
            error if error.costs_an_order() => pace.pause(u32::MAX, None, chance),
            _ => pace.pause(failures, None, chance),
        };
        let pause = own_pause.max(pace.pause(failures, asked_for, chance));
        let why = match pause > own_pause {
            true => " (the authority asks to be left alone until then)",
            false => "",
        };
        let next = self.acme.clock.now() + pause;
        let text = error.text();
        // Nothing but an operator makes that better.
        let level = match error.costs_a_certificate() {
            true => Level::Error,
            false => Level::Warn,
        };
        log!(
            level,
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

/// Error of a certificate that is due as soon as it is there: the authority made it just now by its
/// own clock.
fn clock_ahead(validity: &Validity, now: SystemTime) -> AcmeError {
    AcmeError::ClockAhead(now.duration_since(validity.not_before).unwrap_or_default())
}

/// Addresses have several spellings, and so have domains.
fn as_in_certificates(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(ip) => ip.to_string(),
        Err(_) => name.to_ascii_lowercase(),
    }
}
