//! The log: one line per event on standard error, for a person or journald.

use env_logger::{Builder, DEFAULT_FILTER_ENV};
use log::LevelFilter;

/// Starts logging at `level`; `RUST_LOG` wins where it is set.
///
/// Libraries speak up from warnings only: their notes on every connection are no news for an operator.
pub fn start(level: LevelFilter) {
    let mut builder = Builder::new();
    if std::env::var_os(DEFAULT_FILTER_ENV).is_some() {
        builder.parse_default_env();
    } else {
        builder
            .filter_level(level.min(LevelFilter::Warn))
            // It would repeat what we say of a relay's health.
            .filter_module("pingora_load_balancing", level.min(LevelFilter::Error))
            .filter_module(env!("CARGO_CRATE_NAME"), level);
    }
    builder.format_target(false);
    // A second start, as in a test, keeps the first.
    let _ = builder.try_init();
}
