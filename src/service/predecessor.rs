//! The predecessor: the process that started this one to take over, seen from here.
//!
//! The two speak over our standard input, a unix socket: we say [`READY`] when listeners are let in, it lets nobody in any
//! more and says [`YOURS`], and from there on all is ours. When it dies before, all is ours too. It waits for our [`KNOWN`] before it
//! may end.

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as StdStream;

use log::{debug, info, warn};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{getpgrp, getppid};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

/// The variable of the environment with the id of the process that started us to take over.
pub(super) const VARIABLE: &str = "ICECAST_BALANCER_PREDECESSOR";
/// We let listeners in; our process id follows.
pub(super) const READY: &str = "ready ";
/// All is ours.
pub(super) const YOURS: &str = "yours\n";

/// The service manager knows of us.
pub(super) const KNOWN: &str = "known\n";

/// Whether a predecessor started this process.
pub fn is_there() -> bool {
    id().is_some()
}

fn id() -> Option<u32> {
    std::env::var(VARIABLE).ok()?.parse().ok()
}

/// The process that started this one to take over.
#[derive(Debug)]
pub(super) struct Predecessor {
    /// Its process id.
    pub(super) id: u32,
    line: StdStream,
}

impl Predecessor {
    /// The one that started us, when there is one.
    pub(super) fn find() -> Option<Self> {
        let id = id()?;
        match line() {
            Ok(line) => Some(Self { id, line }),
            Err(error) => {
                warn!("{VARIABLE} is set, but nobody is there to take over from: {error}");
                None
            }
        }
    }

    /// Says that listeners are let in, and waits until all is ours.
    pub(super) async fn take_over(self) -> Relieved {
        info!("taking over from process {}", self.id);
        Relieved(match converse(self.line).await {
            Ok(line) => Some(line),
            Err(error) => {
                warn!("process {} is gone before it handed over: {error}", self.id);
                end_foster_parent();
                None
            }
        })
    }
}

/// A predecessor that has handed over, and waits for the word that it may end.
#[derive(Debug)]
pub(super) struct Relieved(Option<BufReader<UnixStream>>);

impl Relieved {
    /// Says that the service manager knows of us.
    pub(super) async fn let_go(self) {
        if let Some(mut line) = self.0
            && let Err(error) = line.write_all(KNOWN.as_bytes()).await
        {
            debug!("the predecessor is gone already: {error}");
        }
    }
}

/// Who would have ended it is gone, and it holds our sockets for as long as it lives. It leads the group that we are in.
fn end_foster_parent() {
    let parent = getppid();
    if parent.as_raw() > 1
        && parent == getpgrp()
        && let Err(error) = kill(parent, Signal::SIGKILL)
    {
        warn!("the foster parent {parent} stays: {error}");
    }
}

fn line() -> io::Result<StdStream> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let line = StdStream::from(input);
    line.peer_addr()?;
    line.set_nonblocking(true)?;
    Ok(line)
}

/// Our line to a predecessor that is there still.
pub(super) fn line_of_ours() -> Option<StdStream> {
    id()?;
    line().ok().filter(is_held)
}

/// Whether somebody holds the other end of a line. Nothing comes on it any more.
pub(super) fn is_held(line: &StdStream) -> bool {
    let mut line = line;
    // All lines were made not to block when they were first read.
    matches!(line.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

async fn converse(line: StdStream) -> io::Result<BufReader<UnixStream>> {
    let mut line = BufReader::new(UnixStream::from_std(line)?);
    let ready = format!("{READY}{}\n", std::process::id());
    line.write_all(ready.as_bytes()).await?;
    let mut said = String::new();
    line.read_line(&mut said).await?;
    match said.as_str() {
        YOURS => Ok(line),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
