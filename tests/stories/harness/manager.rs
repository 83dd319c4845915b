//! A service manager's part: hears what a balancer notifies, and hands it sockets.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;

use command_fds::{CommandFdExt as _, FdMapping};

use super::folder::Folder;
use super::wait::{eventually, millis, seconds};

/// Hears what is said to a service manager (`sd_notify(3)`).
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    folder: Folder,
    heard: std::cell::RefCell<Vec<String>>,
}

impl NotifySocket {
    /// A socket of its own.
    pub fn new() -> Self {
        let folder = Folder::new("notify");
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(millis(10))).unwrap();
        Self {
            socket,
            folder,
            heard: Vec::new().into(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// All messages so far.
    pub fn heard(&self) -> Vec<String> {
        let mut message = [0; 4096];
        while let Ok(n) = self.socket.recv(&mut message) {
            let message = String::from_utf8_lossy(&message[..n]).into_owned();
            self.heard.borrow_mut().push(message);
        }
        self.heard.borrow().clone()
    }

    /// Is too busy to take another message, until it hears what has come.
    pub fn hears_nothing_more(&self) {
        let talker = UnixDatagram::unbound().unwrap();
        talker.set_nonblocking(true).unwrap();
        while talker.send_to(b"X_NOISE=1", self.path()).is_ok() {}
    }

    /// Waits until a message with these words has come.
    #[track_caller]
    pub fn hear(&self, words: &str) {
        eventually(seconds(8), &format!("the manager hears {words:?}"), || {
            self.heard().iter().any(|message| message.contains(words))
        });
    }
}

/// Lets `command`'s program find these sockets as systemd's socket units hand them over.
pub fn hand_over(command: &mut Command, sockets: Vec<OwnedFd>) -> Command {
    // LISTEN_PID must be the id that the program itself will have.
    let mut wrapped = Command::new("sh");
    wrapped.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""]);
    wrapped.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped.env("LISTEN_FDS", sockets.len().to_string());
    let mappings = (3..).zip(sockets).map(|(child_fd, parent_fd)| FdMapping {
        parent_fd,
        child_fd,
    });
    wrapped.fd_mappings(mappings.collect()).unwrap();
    wrapped
}
