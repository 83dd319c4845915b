//! The writer: the one thread that writes the log, and the one that waits for its reader.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Write};
use std::thread::sleep;
use std::time::Duration;

use log::Level;

use super::line;
use super::queue::{Batch, Queue, lines_in};

/// A write to a pipe of up to so many bytes is not mixed with those of other processes (`PIPE_BUF` of Linux, `pipe(7)`): the
/// old and the new process of an upgrade write to the same one.
const CHUNK_BYTES: usize = 4096;

/// Time until a standard error that another program made non-blocking is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Standard error, without the lock that the standard library holds during a write: a thread that panics takes that lock.
#[derive(Debug)]
pub(super) struct StandardError;

impl Write for StandardError {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(io::stderr(), text)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes batches of lines to `sink`.
#[derive(Debug)]
pub(super) struct Writer<W> {
    sink: W,
    /// Lines that were lost and are not reported yet.
    unreported_lines: u64,
    /// True when the last write ended in the middle of a line.
    is_inside_line: bool,
}

impl<W: Write> Writer<W> {
    /// A writer to `sink`.
    pub(super) fn new(sink: W) -> Self {
        Self {
            sink,
            unreported_lines: 0,
            is_inside_line: false,
        }
    }

    /// Writes what comes into the queue until the process ends.
    pub(super) fn run(mut self, queue: &Queue) -> Infallible {
        loop {
            let Batch { text, lost_lines } = queue.take();
            queue.count_lost(self.write(&text));
            self.unreported_lines += lost_lines;
            // While nothing can be written, the report waits for the next batch.
            self.report();
        }
    }

    /// Writes whole lines; returns the number of those that were lost, which are reported before the next one.
    fn write(&mut self, mut text: &[u8]) -> u64 {
        let mut lost_lines = 0;
        while !text.is_empty() {
            let (chunk, rest) = text.split_at(chunk_bytes(text));
            text = rest;
            let unwritten = match self.report() {
                true => self.send(chunk),
                false => chunk,
            };
            let lines = lines_in(unwritten);
            lost_lines += lines;
            self.unreported_lines += lines;
        }
        lost_lines
    }

    /// Reports lines that were lost; returns whether none is unreported.
    fn report(&mut self) -> bool {
        let lines = self.unreported_lines;
        if lines == 0 {
            return true;
        }
        let break_before = if self.is_inside_line { "\n" } else { "" };
        let text = format_args!("log: {lines} lines lost: standard error did not take them");
        let text = format!("{break_before}{}", line(Level::Warn, text));
        let is_reported = self.send(text.as_bytes()).is_empty();
        if is_reported {
            self.unreported_lines = 0;
        }
        is_reported
    }

    /// Writes `text`; returns the rest of it that cannot be written.
    fn send<'t>(&mut self, mut text: &'t [u8]) -> &'t [u8] {
        while !text.is_empty() {
            match self.sink.write(text) {
                Ok(0) => break,
                Ok(bytes) => {
                    let (written, rest) = text.split_at(bytes.min(text.len()));
                    self.is_inside_line = !written.ends_with(b"\n");
                    text = rest;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(RETRY_INTERVAL),
                Err(_) => break,
            }
        }
        text
    }
}

/// Length of the whole lines at the beginning of `text` that make one write.
fn chunk_bytes(text: &[u8]) -> usize {
    let fitting = text.get(..CHUNK_BYTES).unwrap_or(text);
    let end = memchr::memrchr(b'\n', fitting).or_else(|| memchr::memchr(b'\n', text));
    end.map_or(text.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Takes what it is told to, and everything when it is told nothing.
    #[derive(Default)]
    struct Sink {
        text: Vec<u8>,
        writes: usize,
        answers: VecDeque<io::Result<usize>>,
    }

    impl Write for Sink {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            let bytes = self.answers.pop_front().unwrap_or(Ok(text.len()))?;
            let bytes = bytes.min(text.len());
            self.text.extend_from_slice(&text[..bytes]);
            Ok(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn writer(answers: impl IntoIterator<Item = io::Result<usize>>) -> Writer<Sink> {
        Writer::new(Sink {
            answers: answers.into_iter().collect(),
            ..Sink::default()
        })
    }

    /// The lines that were written, without the timestamp of those that have one.
    fn lines(writer: &Writer<Sink>) -> Vec<String> {
        let text = String::from_utf8(writer.sink.text.clone()).unwrap();
        assert!(text.ends_with('\n'), "{text:?}");
        let without_time = |line: &str| line.split_once(" WARN ").map(|(_, rest)| rest.to_owned());
        text.lines()
            .map(|line| without_time(line).unwrap_or(line.to_owned()))
            .collect()
    }

    fn failing(kind: ErrorKind) -> io::Result<usize> {
        Err(kind.into())
    }

    #[test]
    fn short_and_interrupted_writes_go_on() {
        let mut writer = writer([
            Ok(2),
            failing(ErrorKind::Interrupted),
            failing(ErrorKind::WouldBlock),
            Ok(1),
        ]);
        assert_eq!(writer.write(b"one\ntwo\n"), 0);
        assert_eq!(lines(&writer), ["one", "two"]);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_reported_before_the_next_one() {
        let broken = || failing(ErrorKind::BrokenPipe);
        let mut writer = writer([Ok(6), broken(), broken()]);
        // Two lines, of which the second is cut.
        assert_eq!(writer.write(b"one\ntwo\nthree\n"), 2);
        // Neither the report nor, after that, the line.
        assert_eq!(writer.write(b"four\n"), 1);
        assert_eq!(writer.sink.writes, 3, "a broken pipe is tried once a batch");
        assert_eq!(writer.write(b"five\n"), 0);
        let report = "] log: 3 lines lost: standard error did not take them";
        assert_eq!(lines(&writer), ["one", "tw", report, "five"]);
    }

    #[test]
    fn writes_are_whole_lines_that_a_pipe_does_not_mix_with_others() {
        let line = [vec![b'x'; 999], b"\n".to_vec()].concat();
        let long = [vec![b'y'; 2 * CHUNK_BYTES], b"\n".to_vec()].concat();
        let text = [line.repeat(5), long.clone(), line.clone()].concat();
        let mut left = text.as_slice();
        let mut chunks = Vec::new();
        while !left.is_empty() {
            let (chunk, rest) = left.split_at(chunk_bytes(left));
            chunks.push(chunk.len());
            left = rest;
        }
        assert_eq!(chunks, [4000, 1000, long.len(), 1000]);
        assert_eq!(chunk_bytes(b"no end"), 6);
    }
}
