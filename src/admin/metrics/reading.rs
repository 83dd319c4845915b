//! The metrics of the configuration: when it was read last, and whether it was taken.

use std::fmt;
use std::time::UNIX_EPOCH;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::config::LastReading;

/// Writes them.
pub(super) fn encode_reading(
    reading: &LastReading,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), fmt::Error> {
    let reading = reading.load();
    let name = "config_last_reload_success";
    let help = "Whether the configuration was taken when it was read last";
    let family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(i64::from(reading.refused.is_none())).encode(family)?;
    let name = "config_last_reload_timestamp";
    let help = "When the configuration was read last, in seconds since 1970";
    let family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
    let at = reading.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    ConstGauge::new(i64::try_from(at.as_secs()).unwrap_or(i64::MAX)).encode(family)
}
