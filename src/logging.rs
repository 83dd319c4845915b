//! The log: one line per event on standard error, for a person or journald.

use env_logger::{Builder, Env};
use log::LevelFilter;

/// Starts logging at `level`; `RUST_LOG` wins where it is set.
///
/// Libraries speak up from warnings only: their notes on every connection are no news for an operator.
pub fn start(level: LevelFilter) {
    let mut builder = Builder::new();
    builder
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module(env!("CARGO_CRATE_NAME"), level)
        .parse_env(Env::default())
        .format_target(false);
    // A second start, as in a test, keeps the first.
    let _ = builder.try_init();
}
