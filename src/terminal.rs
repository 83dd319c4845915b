//! Lines that commands print, on standard output and standard error.
//!
//! The macros of the standard library panic when the reader is gone or the disk is full; a command has its exit code then.
//! A process that serves prints nothing: it logs.

use std::fmt;
use std::io::{self, Write};

/// Prints a line to standard output.
pub fn print_line(text: impl fmt::Display) {
    write_line(&mut io::stdout(), text);
}

/// Prints a line to standard error.
pub fn print_error(text: impl fmt::Display) {
    write_line(&mut io::stderr(), text);
}

fn write_line(out: &mut impl Write, text: impl fmt::Display) {
    // A reader that is gone has read enough.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_that_takes_nothing_is_no_panic() {
        write_line(&mut [0; 3].as_mut_slice(), "too long");
        let mut line = Vec::new();
        write_line(&mut line, "text");
        assert_eq!(line, b"text\n");
    }
}
