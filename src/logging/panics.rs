//! Panics, as lines of the log: the standard library's own report waits for the reader of standard error.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::thread;

use log::Level;

use super::line;
use super::queue::Queue;

/// Writes panics of all threads into `queue` from now on. Past the `log` crate: a panic in the middle of a record would find it
/// busy.
pub(super) fn log_to(queue: &'static Queue) {
    std::panic::set_hook(Box::new(|panic| queue.push(text_of(panic).as_bytes())));
}

fn text_of(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_default();
    let message = on_one_line(message(panic.payload()));
    let mut text = line(
        Level::Error,
        format_args!("panic: {message} thread={thread:?} at={place}"),
    );
    // RUST_BACKTRACE says whether there is one.
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("{backtrace}\n"));
    }
    text
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(owned).unwrap_or("of an unknown kind")
}

/// SECURITY: a message may contain what a client sent; control characters would forge lines.
fn on_one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_of_a_panic_stays_on_its_line() {
        let payloads: [Box<dyn Any + Send>; 3] = [
            Box::new("fixed"),
            Box::new("first\nsecond\u{1b}[2J".to_owned()),
            Box::new(7),
        ];
        let messages = payloads.map(|payload| on_one_line(message(payload.as_ref())));
        assert_eq!(
            messages,
            ["fixed", "first second [2J", "of an unknown kind"]
        );
    }
}
