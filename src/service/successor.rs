//! The successor: a process of our own binary, as it is on the disk now, started with our sockets to take over from us.
//!
//! Until it says that it lets listeners in, nothing changes here. When it does not, it is ended, and we know why.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use futures_util::FutureExt as _;
use log::{debug, warn};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use thiserror::Error;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::time::timeout;

use super::foster;
use super::predecessor::{READY, VARIABLE, YOURS};
use super::sockets::Sockets;

/// From its start until it lets listeners in. Its first round of polls is in that.
pub(super) const READY_DEADLINE: Duration = Duration::from_secs(30);

/// Until it has read what we may have been told since its start, and the service manager knows of it.
const KNOWN_DEADLINE: Duration = Duration::from_secs(10);

/// This program, whatever its file is by now.
const OURSELVES: &str = "/proc/self/exe";

/// What a foster parent says is a line.
const WORDS_LIMIT_BYTES: u64 = 4096;

/// The first file descriptor that is handed over (`sd_listen_fds(3)`).
const FIRST_FD: i32 = 3;

/// Why there is no successor.
#[derive(Debug, Error)]
pub(super) enum NoSuccessor {
    /// In a container the end of the first process is the end of all.
    #[error("this is process 1, with which the container would end: start a new container instead")]
    FirstProcess,
    /// The sockets could not be handed over.
    #[error("the sockets cannot be handed over: {0}")]
    Sockets(#[source] io::Error),
    /// No process of ours could be started.
    #[error("no process can be started: {0}")]
    Start(#[source] io::Error),
    /// It could not be started, or ended.
    #[error("{0}")]
    Ended(String),
    /// It was ready, and is gone.
    #[error("the new process died when it was ready")]
    Died,
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
    foster: Child,
    /// The foster parent's process group, in which the successor is too.
    group: Option<Pid>,
    line: BufReader<UnixStream>,
    id: Option<u32>,
}

impl Drop for Successor {
    /// Nobody is left behind who might take over later, unasked.
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // All of them may have ended by themselves.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Successor {
    /// Starts one and waits until it is ready. Dropped before, it is ended.
    pub(super) async fn raise(sockets: &mut Sockets) -> Result<Self, NoSuccessor> {
        let mut successor = Self::start(sockets)?;
        let ready = timeout(READY_DEADLINE, successor.ready()).await;
        match ready {
            Ok(Ok(())) if successor.lives() => Ok(successor),
            Ok(Ok(())) => Err(NoSuccessor::Died),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(NoSuccessor::Late),
        }
    }

    /// Its process id, as it told it.
    pub(super) fn id(&self) -> Option<u32> {
        self.id
    }

    /// Leaves all to it. From here on it outlives us, and is nobody's child of ours.
    ///
    /// SYSTEMD: (252) a service whose main process ends, and does not know of another one, is over: who is left is stopped. So we
    /// are there until it has told the service manager of itself.
    pub(super) async fn hand_over(&mut self) {
        self.group = None;
        if let Err(error) = self.foster.kill().await {
            warn!("the foster parent of the new process stays: {error}");
        }
        if let Err(error) = self.line.write_all(YOURS.as_bytes()).await {
            // It takes over when the line is closed, too.
            warn!("the new process did not hear that all is its own: {error}");
        }
        let mut said = String::new();
        match timeout(KNOWN_DEADLINE, self.line.read_line(&mut said)).await {
            Ok(Ok(_)) => debug!("the new process said {said:?}"),
            Ok(Err(error)) => warn!("the new process does not speak: {error}"),
            Err(_) => warn!("the new process is slow to say that it serves"),
        }
    }

    /// Whether it is there still: the line is its input for as long as it lives.
    pub(super) fn lives(&mut self) -> bool {
        is_held(&mut self.line)
    }

    fn start(sockets: &mut Sockets) -> Result<Self, NoSuccessor> {
        let (ours, theirs) = StdStream::pair().map_err(NoSuccessor::Sockets)?;
        let mut command = command(sockets)?;
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        let mut command = tokio::process::Command::from(command);
        let foster = command.spawn().map_err(NoSuccessor::Start)?;
        // Its own end would stay open here otherwise, and its death unheard.
        drop(command);
        let group = foster.id().and_then(|id| i32::try_from(id).ok());
        ours.set_nonblocking(true).map_err(NoSuccessor::Line)?;
        let line = UnixStream::from_std(ours).map_err(NoSuccessor::Line)?;
        Ok(Self {
            foster,
            group: group.map(Pid::from_raw),
            line: BufReader::new(line),
            id: None,
        })
    }

    async fn ready(&mut self) -> Result<(), NoSuccessor> {
        let mut said = String::new();
        let heard = self.line.read_line(&mut said).await;
        heard.map_err(NoSuccessor::Line)?;
        self.id = said
            .strip_prefix(READY)
            .and_then(|id| id.trim().parse().ok());
        if self.id.is_some() {
            return Ok(());
        }
        // It closed its input: how it ends is what tells why.
        let mut why = String::new();
        if let Some(foster) = &mut self.foster.stdout {
            let mut foster = foster.take(WORDS_LIMIT_BYTES);
            let read = foster.read_to_string(&mut why).await;
            read.map_err(NoSuccessor::Line)?;
        }
        Err(NoSuccessor::Ended(why.trim_end().to_owned()))
    }
}

/// Whether somebody holds the other end of a line. A word that comes later than it was waited for is no end of it.
fn is_held(line: &mut (impl AsyncRead + Unpin)) -> bool {
    loop {
        match line.read_u8().now_or_never() {
            Some(Ok(_)) => {}
            said => return said.is_none(),
        }
    }
}

/// Ourselves as we were started: the same words, the file that is there now.
fn command(sockets: &mut Sockets) -> Result<Command, NoSuccessor> {
    if std::process::id() == 1 {
        return Err(NoSuccessor::FirstProcess);
    }
    // The file may be another one by now: the foster parent is ourselves.
    let mut command = Command::new(OURSELVES);
    command.arg(foster::WORD).args(env::args_os());
    command.stdout(Stdio::piped()).process_group(0);
    let sockets = sockets.for_successor().map_err(NoSuccessor::Sockets)?;
    let names: Vec<&str> = sockets.iter().map(|(_, name)| *name).collect();
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
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::super::predecessor::KNOWN;
    use super::*;

    #[tokio::test]
    async fn who_says_late_that_it_is_known_is_there_and_who_hangs_up_is_not() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut line = BufReader::new(ours);
        assert!(is_held(&mut line));
        theirs.write_all(KNOWN.as_bytes()).await.unwrap();
        line.get_ref().readable().await.unwrap();
        assert!(is_held(&mut line));
        assert!(is_held(&mut line));
        drop(theirs);
        line.get_ref().readable().await.unwrap();
        assert!(!is_held(&mut line));
    }
}
