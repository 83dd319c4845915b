//! The log: one line per event on standard error, for a person or journald.

use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use env_logger::{Builder, DEFAULT_FILTER_ENV, Logger};
use log::{LevelFilter, Log, Metadata, Record};

/// Who writes it now. The `log` crate takes one for the whole life of a process, and that one's filter never changes.
static WRITER: LazyLock<ArcSwap<Logger>> =
    LazyLock::new(|| ArcSwap::from_pointee(writer(LevelFilter::Off)));

/// Hands on to the writer of the moment.
struct Current;

impl Log for Current {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        WRITER.load().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        WRITER.load().log(record);
    }

    fn flush(&self) {
        WRITER.load().flush();
    }
}

/// Logs at `level` from now on, as often as it is called; `RUST_LOG` wins where it is set.
///
/// Libraries speak up from warnings only: their notes on every connection are no news for an operator.
pub fn at(level: LevelFilter) {
    let writer = writer(level);
    let most_detailed = writer.filter();
    WRITER.store(Arc::new(writer));
    // It fails from the second time on, when we are there already.
    let _ = log::set_logger(&Current);
    log::set_max_level(most_detailed);
}

fn writer(level: LevelFilter) -> Logger {
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
    builder.format_target(false).build()
}
