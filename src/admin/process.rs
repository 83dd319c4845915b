//! What the operator is told of the process itself: which it is, what it is about, and what came of the last upgrade.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use serde::Serialize;

use crate::service::{Life, Upgrade};

/// The process, as a part of `/status`.
#[derive(Debug, Serialize)]
pub struct ProcessStatus {
    pid: u32,
    /// When it was started.
    started: String,
    /// `starting`, `serving` or `stopping`.
    phase: &'static str,
    /// The last upgrade; null when there was none.
    upgrade: Option<UpgradeStatus>,
}

#[derive(Debug, Serialize)]
struct UpgradeStatus {
    at: String,
    /// `under way`, `done` (this process took over) or `failed` (this process went on).
    outcome: &'static str,
    /// Why it failed.
    reason: Option<String>,
    /// The process that this one took over from.
    predecessor: Option<u32>,
}

impl ProcessStatus {
    /// The process whose life this is.
    pub fn of(life: &Life) -> Self {
        Self {
            pid: std::process::id(),
            started: shown(life.started()),
            phase: life.phase().as_str(),
            upgrade: life.upgrade().map(UpgradeStatus::of),
        }
    }
}

impl UpgradeStatus {
    fn of((at, upgrade): (SystemTime, Upgrade)) -> Self {
        let (outcome, reason, predecessor) = match upgrade {
            Upgrade::UnderWay => ("under way", None, None),
            Upgrade::TookOver(id) => ("done", None, Some(id)),
            Upgrade::Failed(why) => ("failed", Some(why), None),
        };
        Self {
            at: shown(at),
            outcome,
            reason,
            predecessor,
        }
    }
}

fn shown(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// When the process was started, whether its threads respond, and what came of the last upgrade, where there was one.
pub fn encode(life: &Life, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Time since all threads that serve were last seen to respond";
    let (name, unit) = ("heartbeat_age", Some(&Unit::Seconds));
    let family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    ConstGauge::new(life.silence().as_secs_f64()).encode(family)?;
    let mut time = |name, help, at: SystemTime| {
        let unit = Some(&Unit::Seconds);
        let family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        ConstGauge::new(i64::try_from(seconds).unwrap_or(i64::MAX)).encode(family)
    };
    let help = "When the process was started, in seconds since 1970";
    time("start_time", help, life.started())?;
    let success = match life.upgrade() {
        Some((at, Upgrade::TookOver(_))) => (at, 1_i64),
        Some((at, Upgrade::Failed(_))) => (at, 0),
        Some((_, Upgrade::UnderWay)) | None => return Ok(()),
    };
    let help = "When the last upgrade ended, in seconds since 1970";
    time("last_upgrade_time", help, success.0)?;
    let help = "Whether the last upgrade brought a new process";
    let family =
        encoder.encode_descriptor("last_upgrade_success", help, None, MetricType::Gauge)?;
    ConstGauge::new(success.1).encode(family)
}
