//! The queue between the threads that log and the thread that writes: bounded, in order, and never waited for.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that wait at most, and as many again while they are written: 10,000 listeners that leave at one moment have their
/// lines in it, and a reader that is gone costs no more memory than 250 proxied listeners do.
const LIMIT_BYTES: usize = 2 * 1024 * 1024;

/// Capacity of a new batch, in bytes: most are a line or two.
const FIRST_BYTES: usize = 1024;

/// Lines on their way to standard error.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Signals the writer that something waits.
    filled: Condvar,
    /// Signals that everything was written.
    written: Condvar,
    /// Lines that never reached standard error.
    lost: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    text: Vec<u8>,
    /// Lines that came behind `text` and found no place.
    lost_lines: u64,
    /// True while the writer has a batch.
    is_writing: bool,
}

/// Lines that the writer takes at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Whole lines.
    pub(super) text: Vec<u8>,
    /// Lines that are missing behind them.
    pub(super) lost_lines: u64,
}

impl Queue {
    /// An empty queue.
    pub(super) const fn new() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                text: Vec::new(),
                lost_lines: 0,
                is_writing: false,
            }),
            filled: Condvar::new(),
            written: Condvar::new(),
            lost: AtomicU64::new(0),
        }
    }

    /// Appends whole lines, or counts them as lost. From the first lost line on all are lost until the writer takes a batch,
    /// so that the report of the loss stands where the lines are missing.
    pub(super) fn push(&self, text: &[u8]) {
        let mut waiting = self.waiting();
        let is_full = waiting.text.len().saturating_add(text.len()) > LIMIT_BYTES;
        if is_full || waiting.lost_lines > 0 {
            let lines = lines_in(text);
            waiting.lost_lines += lines;
            drop(waiting);
            self.count_lost(lines);
            return;
        }
        if waiting.text.capacity() == 0 {
            waiting.text.reserve(FIRST_BYTES);
        }
        waiting.text.extend_from_slice(text);
        drop(waiting);
        self.filled.notify_one();
    }

    /// Takes all that waits, once something does. INVARIANT: one thread takes, and has written the last batch by then.
    pub(super) fn take(&self) -> Batch {
        let mut waiting = self.waiting();
        waiting.is_writing = false;
        if waiting.is_empty() {
            self.written.notify_all();
        }
        let mut waiting = self
            .filled
            .wait_while(waiting, |waiting| waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        waiting.is_writing = true;
        Batch {
            text: mem::take(&mut waiting.text),
            lost_lines: mem::take(&mut waiting.lost_lines),
        }
    }

    /// Waits until everything is written, for at most `limit`; returns whether it is.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let waiting = self.waiting();
        let is_busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.is_empty();
        let waited = self.written.wait_timeout_while(waiting, limit, is_busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Counts lines that never reached standard error.
    pub(super) fn count_lost(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    /// Lines that never reached standard error.
    pub(super) fn lines_lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.lost_lines == 0
    }
}

/// Lines that end in `text`.
pub(super) fn lines_in(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn lines_are_taken_in_order() {
        let queue = Queue::new();
        queue.push(b"one\n");
        queue.push(b"two\n");
        let batch = queue.take();
        assert_eq!(batch.text, b"one\ntwo\n");
        assert_eq!(batch.lost_lines, 0);
    }

    #[test]
    fn full_queue_loses_all_lines_up_to_the_next_batch_and_counts_them() {
        let queue = Queue::new();
        let large = [vec![b'x'; LIMIT_BYTES - 2], b"\n".to_vec()].concat();
        queue.push(&large);
        queue.push(b"no place\n");
        queue.push(b"\n");
        queue.push(b"\n\n");
        let batch = queue.take();
        assert_eq!((batch.text == large, batch.lost_lines), (true, 4));
        assert_eq!(queue.lines_lost(), 4);

        queue.push(b"later\n");
        let batch = queue.take();
        assert_eq!(
            (batch.text.as_slice(), batch.lost_lines),
            (&b"later\n"[..], 0)
        );
    }

    #[test]
    fn flush_waits_for_the_last_batch_and_not_for_ever() {
        let queue = Arc::new(Queue::new());
        assert!(queue.flush(Duration::ZERO), "nothing was logged");
        queue.push(b"line\n");
        assert!(!queue.flush(Duration::from_millis(1)), "it waits");
        queue.take();
        assert!(
            !queue.flush(Duration::from_millis(1)),
            "it is being written"
        );
        let writer = queue.clone();
        // Never ends: nothing more comes.
        std::thread::spawn(move || writer.take());
        assert!(queue.flush(Duration::from_secs(60)));
    }
}
