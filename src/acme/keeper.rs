//! Keeps the certificate good: looks at it, orders a new one when it is time, waits after failures.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use log::{info, warn};
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use tokio::time::{sleep, timeout};

use super::certificate::Certificate;
use super::challenges::Challenges;
use super::error::AcmeError;
use super::schedule::Pace;
use super::status::SharedStatus;
use super::store::{Need, Store, list};
use super::wire::{AskedToWait, Wire};
use super::{Settings, account, order};

/// The keeper of the certificate.
#[derive(Debug)]
pub struct Acme {
    settings: Settings,
    /// The configured domains, each once and in lower case.
    names: BTreeSet<String>,
    store: Store,
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
    /// A keeper that has not begun yet.
    pub fn new(settings: Settings) -> Self {
        Self::at_pace(settings, Pace::PATIENT)
    }

    pub(super) fn at_pace(settings: Settings, pace: Pace) -> Self {
        let names = settings.domains.iter();
        Self {
            names: names.map(|name| as_in_certificates(name)).collect(),
            store: Store::new(&settings.state_dir),
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

    /// Keeps the certificate good, for ever.
    pub(super) async fn keep(&self) {
        let mut failures = 0;
        loop {
            let pause = match self.need(SystemTime::now()) {
                Ok(pause) => pause,
                Err(need) => match self.renew(&need).await {
                    Ok(()) => {
                        failures = 0;
                        self.rest()
                    }
                    Err((error, asked_for)) => {
                        failures += 1;
                        self.failed(&error, asked_for, failures)
                    }
                },
            };
            sleep(pause).await;
        }
    }

    /// The pause after a success: never none, so that nothing that spoils the files can make us order without end.
    fn rest(&self) -> Duration {
        let pause = self.need(SystemTime::now()).unwrap_or_default();
        pause.max(self.pace.first_pause)
    }

    /// How long the certificate may be left alone, or why it may not.
    fn need(&self, now: SystemTime) -> Result<Duration, Need> {
        let certificate = self.store.current(&self.names, &self.settings.directory)?;
        let renew_at = certificate.validity.renew_at(self.chance);
        self.status.change(|status| {
            status.valid_until = Some(certificate.validity.not_after);
            status.last_success = self.store.published_at();
            status.next_attempt = Some(renew_at);
        });
        match renew_at.duration_since(now) {
            Ok(left) if left > Duration::ZERO => {
                self.status.change(|status| status.last_error = None);
                Ok(left.min(self.pace.look))
            }
            _ => Err(Need::Due),
        }
    }

    /// Makes one attempt.
    async fn renew(&self, need: &Need) -> Result<(), (AcmeError, Option<Duration>)> {
        info!("ordering a certificate for {}: {need}", list(&self.names));
        let asked_to_wait = AskedToWait::default();
        let attempt = timeout(self.pace.attempt, self.attempt(&asked_to_wait)).await;
        let certificate = attempt
            .unwrap_or(Err(AcmeError::TimedOut))
            .map_err(|error| {
                let of_the_head = asked_to_wait.remaining(SystemTime::now());
                let asked_for = of_the_head.max(error.asks_for());
                (error, asked_for)
            })?;
        let until = certificate.validity.not_after;
        info!(
            "issued a certificate for {}, valid until {}",
            list(&certificate.names),
            humantime::format_rfc3339_seconds(until)
        );
        self.status.change(|status| status.issued_total += 1);
        Ok(())
    }

    async fn attempt(&self, asked_to_wait: &AskedToWait) -> Result<Certificate, AcmeError> {
        let wire = Wire::new(
            self.settings.ca_file.as_deref(),
            self.pace.request,
            asked_to_wait.clone(),
        )?;
        let key = KeyPair::generate().map_err(AcmeError::Request)?;
        let draft = self
            .store
            .draft(&key.serialize_pem(), &self.settings.directory)?;
        let csr = self.request_for(&key)?;
        let chain = self.order(&wire, &csr).await?;
        let certificate = Certificate::parse(chain.as_bytes(), key.serialize_pem().as_bytes())?;
        if certificate.names != self.names {
            return Err(AcmeError::OtherNames(list(&certificate.names)));
        }
        draft.publish(&chain)?;
        if certificate.validity.renew_at(self.chance) <= SystemTime::now() {
            return Err(AcmeError::DueAtOnce);
        }
        Ok(certificate)
    }

    /// Orders with the kept account, or with a new one when the server does not know that any more.
    async fn order(&self, wire: &Wire, csr: &[u8]) -> Result<String, AcmeError> {
        let (names, challenges) = (&self.names, &self.challenges);
        let account = account::enter(&self.settings, &self.store, wire).await?;
        match order::order(&account, names, csr, challenges, &self.pace).await {
            Err(error) if error.is_unknown_account() => {
                warn!("the ACME server has forgotten our account: making a new one");
                let account = account::register(&self.settings, &self.store, wire).await?;
                order::order(&account, names, csr, challenges, &self.pace).await
            }
            outcome => outcome,
        }
    }

    fn request_for(&self, key: &KeyPair) -> Result<Vec<u8>, AcmeError> {
        let names: Vec<String> = self.names.iter().cloned().collect();
        let mut params = CertificateParams::new(names).map_err(AcmeError::Request)?;
        // The common name is of the past, and rcgen's own would be "rcgen self signed cert".
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(key).map_err(AcmeError::Request)?;
        Ok(request.der().to_vec())
    }

    /// Notes a failure; returns how long it is waited out.
    fn failed(&self, error: &AcmeError, asked_for: Option<Duration>, failures: u32) -> Duration {
        let pause = self.pace.pause(failures, asked_for, fastrand::f64());
        let next = SystemTime::now() + pause;
        let text = error.text();
        warn!(
            "no certificate for {}: {text}; next attempt at {}",
            list(&self.names),
            humantime::format_rfc3339_seconds(next)
        );
        self.status.change(|status| {
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
