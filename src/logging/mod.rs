//! The log: one line per event on standard error, for a person or journald.
//!
//! In: records of the `log` crate from any thread, and panics. Out: bytes on standard error, written by one thread behind a
//! bounded queue. A thread that logs never waits for the reader of the log: a line that finds the queue full is lost,
//! counted ([`lines_lost`]), and reported by a line of its own when the reader is back.

mod panics;
mod queue;
mod throttle;
mod writer;

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex, Once, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use env_logger::{Builder, DEFAULT_FILTER_ENV, Logger, Target};
use log::{Level, LevelFilter, Log, Metadata, Record};

use queue::Queue;
use writer::{StandardError, Writer};

pub use throttle::{KeyedLogThrottle, LogThrottle, Rate, Suppressed};

/// Time that the end of the process waits for the reader of the log.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Rate of the lines of libraries: clients can provoke some of them.
const LIBRARIES_RATE: Rate = Rate {
    burst_lines: 100,
    interval: Duration::from_millis(200),
};

/// The queue of this process. The `log` crate has one logger for the whole life of a process, so there is one queue.
static QUEUE: Queue = Queue::new();

/// The logger in force. The `log` crate takes one for the whole life of a process, and that one's filter never changes.
static LOGGER: LazyLock<ArcSwap<Logger>> =
    LazyLock::new(|| ArcSwap::from_pointee(logger(LevelFilter::Off)));

static LIBRARIES: Mutex<LogThrottle> = Mutex::new(LogThrottle::new(LIBRARIES_RATE));

/// Passes records to the logger in force.
struct Current;

impl Log for Current {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        LOGGER.load().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let logger = LOGGER.load();
        if is_throttled(record) {
            if !logger.matches(record) {
                return;
            }
            let mut libraries = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(suppressed) = libraries.admit(Instant::now()) else {
                return;
            };
            drop(libraries);
            if suppressed > 0 {
                log::warn!("log: lines of libraries suppressed: lines={suppressed}");
            }
        }
        logger.log(record);
    }

    fn flush(&self) {
        flush();
    }
}

/// Returns whether a record is a warning or an error of a library. Its details come by `RUST_LOG` only, whole.
fn is_throttled(record: &Record<'_>) -> bool {
    let ours = env!("CARGO_CRATE_NAME");
    let is_ours = record.target().split("::").next() == Some(ours);
    record.level() <= Level::Warn && !is_ours
}

/// Logs at `level` from now on, as often as it is called; `RUST_LOG` wins where it is set.
///
/// Libraries log from warnings only: their notes on every connection are no news for an operator.
pub fn at(level: LevelFilter) {
    start();
    let logger = logger(level);
    let most_detailed = logger.filter();
    LOGGER.store(Arc::new(logger));
    // Fails from the second call on, when it is set already.
    let _ = log::set_logger(&Current);
    log::set_max_level(most_detailed);
}

/// Starts the thread that writes, and has panics logged; at the first call only.
pub fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        panics::log_to(&QUEUE);
        let thread = std::thread::Builder::new().name("log".to_owned());
        if let Err(error) = thread.spawn(|| Writer::new(StandardError).run(&QUEUE)) {
            // A process that gets no thread does not serve either.
            let text = format_args!("log: no thread to write it: {error}");
            let _ = io::stderr().write_all(line(Level::Error, text).as_bytes());
        }
    });
}

/// Writes text without a timestamp, as a command reports an error, before the log has a level.
pub fn report(text: impl fmt::Display) {
    start();
    QUEUE.push(format!("{text}\n").as_bytes());
}

/// Lines that never reached standard error since the start of the process.
pub fn lines_lost() -> u64 {
    QUEUE.lines_lost()
}

/// Waits until all lines are written, but not for a reader that takes none.
fn flush() {
    QUEUE.flush(FLUSH_LIMIT);
}

/// Flushes the log when it is dropped: at each end of the process that is not a signal, a panic of the main thread included.
#[derive(Debug)]
#[must_use = "it flushes when it is dropped"]
pub struct FlushAtEnd;

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        flush();
    }
}

fn logger(level: LevelFilter) -> Logger {
    let mut builder = Builder::new();
    if std::env::var_os(DEFAULT_FILTER_ENV).is_some() {
        builder.parse_default_env();
    } else {
        builder
            .filter_level(level.min(LevelFilter::Warn))
            // It would repeat what is logged of a relay's health.
            .filter_module("pingora_load_balancing", level.min(LevelFilter::Error))
            .filter_module(env!("CARGO_CRATE_NAME"), level);
    }
    builder.target(Target::Pipe(Box::new(ToQueue)));
    builder.format_target(false).build()
}

/// Puts what `env_logger` formatted into the queue: one record in each write.
struct ToQueue;

impl Write for ToQueue {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        QUEUE.push(record);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line in `env_logger`'s format, for what is not a record.
fn line(level: Level, text: fmt::Arguments<'_>) -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    format!("[{now} {level:<5}] {text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_libraries_are_throttled_and_ours_and_details_are_not() {
        let throttled =
            |target, level| is_throttled(&Record::builder().target(target).level(level).build());
        assert!(throttled("pingora_core::apps", Level::Error));
        assert!(throttled("icecast_balancer_other", Level::Warn));
        assert!(!throttled("pingora_core::apps", Level::Debug));
        assert!(!throttled("icecast_balancer", Level::Error));
        assert!(!throttled("icecast_balancer::front::door", Level::Warn));
    }
}
