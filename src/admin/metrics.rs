//! `GET /metrics`: the fleet and the front door's counters as Prometheus text.
//!
//! SECURITY: labels are relay names of the configuration and words of ours; nothing a listener or a relay sent.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::{Instant, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use std::sync::Arc;

use super::process;
use crate::acme::SharedStatus;
use crate::config::LastReading;
use crate::discovery::AddressBook;
use crate::fleet::{Fleet, Health, Record, SharedFleet, Standing};
use crate::front::{AccessLog, Budget, Tally};
use crate::logging;
use crate::select::relay_barrier;
use crate::service::Life;
use crate::stream::Streams;
use crate::tls::{Certificates, Known, Reloads};

mod reading;

use reading::encode_reading;

/// What a scrape reads.
#[derive(Debug)]
pub struct Source {
    /// The fleet.
    pub fleet: SharedFleet,
    /// The front door's counters.
    pub tally: Arc<Tally>,
    /// The streams that are carried.
    pub streams: Arc<Streams>,
    /// The addresses of relays.
    pub book: AddressBook,
    /// Who we are on TLS.
    pub certificates: Arc<Certificates>,
    /// Who we are at the admin bind, where that has TLS.
    pub admin_certificates: Option<Arc<Certificates>>,
    /// Who is let in.
    pub budget: Arc<Budget>,
    /// The lines that proxied streams leave.
    pub access_log: Arc<AccessLog>,
    /// What came of reading the configuration last.
    pub reading: LastReading,
    /// What comes of ordering certificates, where they are ordered.
    pub acme: Option<SharedStatus>,
    /// What the process is about.
    pub life: Arc<Life>,
}

/// The metrics of this process.
#[derive(Debug)]
pub struct Metrics(Registry);

impl Metrics {
    /// Metrics read from `source` at each scrape.
    pub fn new(source: Source) -> Self {
        let mut registry = Registry::with_prefix("icecast_balancer");
        registry.register_collector(Box::new(source));
        Self(registry)
    }

    /// The text of one scrape.
    ///
    /// # Errors
    /// None in practice: writing to a `String` does not fail.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.0)?;
        Ok(out)
    }
}

/// A gauge of each relay: its name, what it means, how it is read.
type RelayGauge = (&'static str, &'static str, fn(&Standing, &Record) -> i64);

const GAUGES: [RelayGauge; 6] = [
    ("relay_up", "Whether the relay answers its polls", |s, _| {
        i64::from(s.health == Health::Up)
    }),
    (
        "relay_eligible",
        "Whether the relay may take listeners",
        |s, _| i64::from(relay_barrier(s, Instant::now()).is_none()),
    ),
    (
        "relay_listeners",
        "Listeners as the relay last reported",
        |s, _| i64::from(s.listeners),
    ),
    (
        "relay_pending_listeners",
        "Listeners sent that no report shows yet",
        |s, _| i64::from(s.pending_listeners),
    ),
    (
        "relay_rejected_mounts",
        "Mounts of the relay's status page to which no listener is sent",
        |_, r| i64::from(r.rejected.mounts),
    ),
    ("relay_weight", "The relay's configured weight", |s, _| {
        i64::from(s.weight)
    }),
];

type RelayCounter = (&'static str, &'static str, fn(&Record) -> u64);

const COUNTERS: [RelayCounter; 2] = [
    ("relay_polls", "Polls that ended", |r| r.polls),
    ("relay_poll_faults", "Polls that brought no report", |r| {
        r.faults
    }),
];

impl Collector for Source {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let fleet = self.fleet.lock();
        for (name, help, read) in GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (_, relay, standing, record) in fleet.iter() {
                let labels = [("relay", relay.name.as_str())];
                ConstGauge::new(read(standing, record)).encode(family.encode_family(&labels)?)?;
            }
        }
        for (name, help, read) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (_, relay, _, record) in fleet.iter() {
                let labels = [("relay", relay.name.as_str())];
                ConstCounter::new(read(record)).encode(family.encode_family(&labels)?)?;
            }
        }
        encode_barriers(&fleet, &mut encoder)?;
        let names: Vec<String> = fleet
            .iter()
            .map(|(_, relay, ..)| relay.name.clone())
            .collect();
        let streams = self.streams.counts_by_name(&fleet);
        drop(fleet);
        self.encode_tally(&names, &mut encoder)?;
        self.encode_streams(&streams, &mut encoder)?;
        encode_reading(&self.reading, &mut encoder)?;
        self.encode_certificates(&mut encoder)?;
        encode_budget(&self.budget, &mut encoder)?;
        encode_log(&self.access_log, &mut encoder)?;
        process::encode(&self.life, &mut encoder)?;
        match &self.acme {
            Some(acme) => encode_acme(acme, &mut encoder),
            None => Ok(()),
        }
    }
}

/// When each certificate ends, and what came of changed files. The names are the operator's own, in his certificates.
fn encode_certificates(
    known: &[(String, Known)],
    reloads: Reloads,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), fmt::Error> {
    if known.is_empty() {
        return Ok(());
    }
    let help = "When the certificate ends, in seconds since 1970";
    let mut family = encoder.encode_descriptor(
        "certificate_not_after",
        help,
        Some(&Unit::Seconds),
        MetricType::Gauge,
    )?;
    for (which, known) in known {
        let name = known.names.first().map_or("", String::as_str);
        let labels = [("certificate", which.as_str()), ("name", name)];
        let until = known
            .valid_until
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let until = i64::try_from(until.as_secs()).unwrap_or(i64::MAX);
        ConstGauge::new(until).encode(family.encode_family(&labels)?)?;
    }
    let help = "Certificates whose files had changed, by whether the new pair could be used";
    let mut family =
        encoder.encode_descriptor("certificate_reloads", help, None, MetricType::Counter)?;
    for (result, count) in [("good", reloads.good), ("bad", reloads.bad)] {
        ConstCounter::new(count).encode(family.encode_family(&[("result", result)])?)?;
    }
    Ok(())
}

fn encode_acme(acme: &SharedStatus, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let status = acme.read();
    let help = "Orders of certificates, by what came of them";
    let mut family = encoder.encode_descriptor("acme_orders", help, None, MetricType::Counter)?;
    for (result, count) in [
        ("issued", status.issued_total),
        ("failed", status.failed_total),
    ] {
        ConstCounter::new(count).encode(family.encode_family(&[("result", result)])?)?;
    }
    Ok(())
}

fn encode_budget(budget: &Budget, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Connections at the public binds";
    let family = encoder.encode_descriptor("connections", help, None, MetricType::Gauge)?;
    let connections = i64::try_from(budget.connections()).unwrap_or(i64::MAX);
    ConstGauge::new(connections).encode(family)?;
    let help = "Connections and streams that were refused, by what there were too many of";
    let mut family = encoder.encode_descriptor("limited", help, None, MetricType::Counter)?;
    for (over, count) in budget.refused() {
        ConstCounter::new(count).encode(family.encode_family(&[("over", over)])?)?;
    }
    let help = "Connections of which nothing was asked, closed because others came";
    let name = "connections_let_go";
    let family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(budget.let_go()).encode(family)?;
    Ok(())
}

/// Lines of the log that are missing, and why.
fn encode_log(log: &AccessLog, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Lines of the log that standard error did not take";
    let family = encoder.encode_descriptor("log_lines_lost", help, None, MetricType::Counter)?;
    ConstCounter::new(logging::lines_lost()).encode(family)?;
    let help = "Lines of the access log that were suppressed, as their client address had too many";
    let name = "access_log_lines_suppressed";
    let family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(log.lines_suppressed()).encode(family)
}

/// One series for each relay that takes nobody, with the reason as its label.
fn encode_barriers(fleet: &Fleet, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Relays that take no listener, and why";
    let mut family =
        encoder.encode_descriptor("relay_ineligible", help, None, MetricType::Gauge)?;
    let now = Instant::now();
    for (_, relay, standing, _) in fleet.iter() {
        let Some(bar) = relay_barrier(standing, now) else {
            continue;
        };
        let labels = [("relay", relay.name.as_str()), ("reason", bar.as_str())];
        ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

impl Source {
    fn encode_certificates(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let public = self.certificates.known().into_iter().enumerate();
        let public = public.map(|(index, known)| (index.to_string(), known));
        let admin = self.admin_certificates.iter();
        let admins = admin.clone().flat_map(|admin| admin.known());
        let admins = admins.map(|known| ("admin".to_owned(), known));
        let known: Vec<(String, Known)> = public.chain(admins).collect();
        let reloads = admin.fold(self.certificates.reloads(), |sum, admin| Reloads {
            good: sum.good + admin.reloads().good,
            bad: sum.bad + admin.reloads().bad,
        });
        encode_certificates(&known, reloads, encoder)
    }

    fn encode_tally(
        &self,
        relays: &[String],
        encoder: &mut DescriptorEncoder<'_>,
    ) -> Result<(), fmt::Error> {
        let help = "Listeners sent to the relay";
        let mut family = encoder.encode_descriptor("redirects", help, None, MetricType::Counter)?;
        for relay in relays {
            let count = self.tally.counter(relay).load(Ordering::Relaxed);
            let labels = [("relay", relay.as_str())];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        let help = "Requests answered with a refusal";
        let mut family = encoder.encode_descriptor("refusals", help, None, MetricType::Counter)?;
        for (refusal, count) in self.tally.refusals() {
            let labels = [("reason", refusal.label())];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn encode_streams(
        &self,
        streams: &BTreeMap<String, u32>,
        encoder: &mut DescriptorEncoder<'_>,
    ) -> Result<(), fmt::Error> {
        let help = "Listeners whose stream is carried from the relay";
        let mut family = encoder.encode_descriptor("streams", help, None, MetricType::Gauge)?;
        for (relay, count) in streams {
            let labels = [("relay", relay.as_str())];
            ConstGauge::new(i64::from(*count)).encode(family.encode_family(&labels)?)?;
        }
        let help = "Seams between two relays in carried streams, by how well they fit";
        let mut family = encoder.encode_descriptor("seams", help, None, MetricType::Counter)?;
        for (seam, count) in self.streams.seams() {
            let labels = [("seam", seam.as_str())];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        let help = "Carried streams that ended because no relay could take over";
        let family = encoder.encode_descriptor("streams_lost", help, None, MetricType::Counter)?;
        ConstCounter::new(self.streams.lost()).encode(family)?;
        let help = "Audio taken from relays for streams that ended";
        let unit = Unit::Bytes;
        let family =
            encoder.encode_descriptor("streams_audio", help, Some(&unit), MetricType::Counter)?;
        ConstCounter::new(self.streams.bytes()).encode(family)
    }
}
