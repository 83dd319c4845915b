//! The successor: a process of our own binary, as it is on the disk now, started with our sockets to take over from us.
//!
//! Until it says that it lets listeners in, nothing changes here. When it does not, it is ended, and we know why.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use log::warn;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::time::timeout;

use super::passed::{NOT_OURS, OURS, Owner};
use super::predecessor::{READY, VARIABLE, YOURS};
use super::sockets::Sockets;

/// From its start until it lets listeners in. Its first round of polls is in that.
pub(super) const READY_DEADLINE: Duration = Duration::from_secs(30);

/// The first file descriptor that is handed over (`sd_listen_fds(3)`).
const FIRST_FD: i32 = 3;

/// Why there is no successor.
#[derive(Debug, Error)]
pub(super) enum NoSuccessor {
    /// In a container the end of the first process is the end of all.
    #[error("this is process 1, with which the container would end: start a new container instead")]
    FirstProcess,
    /// Nobody knows what was started.
    #[error("the program's own name is not known")]
    Nameless,
    /// The sockets could not be handed over.
    #[error("the sockets cannot be handed over: {0}")]
    Sockets(#[source] io::Error),
    /// It could not be started.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// The file.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended.
    #[error("the new process ended before it was ready ({0}); its own words are above")]
    Ended(ExitStatus),
    /// It did not become ready.
    #[error("the new process was not ready within {} s", READY_DEADLINE.as_secs())]
    Late,
    /// It could not be spoken with.
    #[error("the new process does not speak: {0}")]
    Line(#[source] io::Error),
}

/// A process that lets listeners in beside us, and waits for the word to take over.
#[derive(Debug)]
pub(super) struct Successor {
    child: Child,
    line: BufReader<UnixStream>,
    is_on_its_own: bool,
}

impl Drop for Successor {
    /// Nobody is left behind who might take over later, unasked.
    fn drop(&mut self) {
        if !self.is_on_its_own {
            // It may have ended by itself.
            let _ = self.child.start_kill();
        }
    }
}

impl Successor {
    /// Starts one and waits until it is ready. Dropped before, it is ended.
    pub(super) async fn raise(sockets: &Sockets) -> Result<Self, NoSuccessor> {
        let mut successor = Self::start(sockets)?;
        let ready = timeout(READY_DEADLINE, successor.ready()).await;
        match ready {
            Ok(Ok(())) => Ok(successor),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(NoSuccessor::Late),
        }
    }

    /// Its process id, while it lives.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Leaves all to it. From here on it outlives us.
    pub(super) async fn hand_over(mut self) {
        self.is_on_its_own = true;
        if let Err(error) = self.line.write_all(YOURS.as_bytes()).await {
            // It takes over when the line is closed, too.
            warn!("the new process did not hear that all is its own: {error}");
        }
    }

    fn start(sockets: &Sockets) -> Result<Self, NoSuccessor> {
        let (ours, theirs) = StdStream::pair().map_err(NoSuccessor::Sockets)?;
        let (mut command, program) = command(sockets)?;
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
        let mut command = tokio::process::Command::from(command);
        let child = command.spawn();
        let child = child.map_err(|source| NoSuccessor::Start { program, source })?;
        // Its own end would stay open here otherwise, and its death unheard.
        drop(command);
        ours.set_nonblocking(true).map_err(NoSuccessor::Line)?;
        let line = UnixStream::from_std(ours).map_err(NoSuccessor::Line)?;
        Ok(Self {
            child,
            line: BufReader::new(line),
            is_on_its_own: false,
        })
    }

    async fn ready(&mut self) -> Result<(), NoSuccessor> {
        let mut said = String::new();
        tokio::select! {
            heard = self.line.read_line(&mut said) => {
                heard.map_err(NoSuccessor::Line)?;
            }
            ended = self.child.wait() => {
                return Err(ended.map_or_else(NoSuccessor::Line, NoSuccessor::Ended));
            }
        }
        if said == READY {
            return Ok(());
        }
        // It closed its input: how it ends is what tells why.
        let ended = self.child.wait().await;
        Err(ended.map_or_else(NoSuccessor::Line, NoSuccessor::Ended))
    }
}

/// Ourselves as we were started: the same words, the file that is there now.
fn command(sockets: &Sockets) -> Result<(Command, String), NoSuccessor> {
    if std::process::id() == 1 {
        return Err(NoSuccessor::FirstProcess);
    }
    let mut words = env::args_os();
    let program = words.next().ok_or(NoSuccessor::Nameless)?;
    let name = program.to_string_lossy().into_owned();
    let mut command = Command::new(program);
    command.args(words).stdout(Stdio::inherit());
    let sockets = sockets.for_successor().map_err(NoSuccessor::Sockets)?;
    let names = sockets.iter().map(|(_, owner)| match owner {
        Owner::Us => OURS,
        Owner::Manager => NOT_OURS,
    });
    let names: Vec<&str> = names.collect();
    command
        .env(VARIABLE, std::process::id().to_string())
        .env("LISTEN_FDS", sockets.len().to_string())
        .env("LISTEN_FDNAMES", OsString::from(names.join(":")))
        // They name a process, and it is not that one.
        .env_remove("LISTEN_PID")
        .env_remove("WATCHDOG_PID");
    let fds = sockets.into_iter().map(|(fd, _)| fd);
    let mappings = (FIRST_FD..)
        .zip(fds)
        .map(|(child_fd, parent_fd)| FdMapping {
            parent_fd,
            child_fd,
        });
    command
        .fd_mappings(mappings.collect())
        .map_err(|error| NoSuccessor::Sockets(io::Error::other(error)))?;
    Ok((command, name))
}
