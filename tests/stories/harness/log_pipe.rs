//! A pipe in the place of a program's standard error, whose reader may stop reading, or be gone.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use command_fds::{CommandFdExt as _, FdMapping};

/// A pipe that nothing reads until [`Self::read`].
#[derive(Debug)]
pub struct LogPipe {
    reader: PipeReader,
    writer: PipeWriter,
}

/// Text that was read from a pipe so far.
#[derive(Debug, Clone)]
pub struct LogText(Arc<Mutex<Vec<u8>>>);

impl LogPipe {
    /// A pipe with nothing in it.
    pub fn new() -> Self {
        let (reader, writer) = pipe().unwrap();
        Self { reader, writer }
    }

    /// A pipe that has no room for a line: what is written to it waits for ever.
    pub fn full() -> Self {
        let pipe = Self::new();
        // Linux: 64 KiB (pipe(7)).
        (&pipe.writer).write_all(&[b'\n'; 65_536]).unwrap();
        pipe
    }

    /// The end that is written to.
    pub fn writer(&self) -> OwnedFd {
        self.writer.try_clone().unwrap().into()
    }

    /// Reads all that comes from now on.
    pub fn read(self) -> LogText {
        let Self { mut reader, writer } = self;
        drop(writer);
        let text = LogText(Arc::default());
        let theirs = text.clone();
        thread::spawn(move || {
            let mut part = [0; 65_536];
            while let Ok(n @ 1..) = reader.read(&mut part) {
                theirs.0.lock().unwrap().extend_from_slice(&part[..n]);
            }
        });
        text
    }
}

impl LogText {
    /// All of it.
    pub fn all(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Gives `command`'s program this standard error, whatever is set later.
pub fn with_standard_error(command: &Command, error: OwnedFd) -> Command {
    let mut wrapped = under_shell(command, "exec \"$0\" \"$@\" 2>&3 3>&-");
    let (parent_fd, child_fd) = (error, 3);
    let mapping = FdMapping {
        parent_fd,
        child_fd,
    };
    wrapped.fd_mappings(vec![mapping]).unwrap();
    wrapped
}

/// `command` as a line of the shell, in which `"$0" "$@"` stands for it.
pub fn under_shell(command: &Command, line: &str) -> Command {
    let mut wrapped = Command::new("sh");
    wrapped.args(["-c", line]).arg(command.get_program());
    wrapped.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}
