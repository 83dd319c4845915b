//! The image without an engine: its whole root in a folder, and the program run in it under a container's limits.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::ended::BINARY;
use super::folder::Folder;
use super::process::mortal;

/// More than it needs, and less than a machine has; a container's limit counts what is resident, this one what is mapped.
const ADDRESS_SPACE_BYTES: u64 = 1 << 30;

/// The root of the image, as the Dockerfile lays it out.
#[derive(Debug)]
pub struct Image(Folder);

impl Image {
    /// Lays it out, with the program that the stories are about.
    #[track_caller]
    pub fn new() -> Self {
        let folder = Folder::new("image");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/image-root.sh");
        let laid_out = Command::new(script)
            .arg(folder.path())
            .arg(BINARY)
            .status()
            .unwrap();
        assert!(laid_out.success(), "{laid_out}");
        Self(folder)
    }

    /// The program in it: as user 65532, the root read-only, without a capability or the way to one, without other processes.
    pub fn program(&self) -> Command {
        let mut command = mortal("prlimit");
        command.arg(format!("--as={ADDRESS_SPACE_BYTES}"));
        command.args(["--nofile=1024", "bwrap"]);
        command.args(["--unshare-all", "--share-net", "--die-with-parent"]);
        command.args(["--uid", "65532", "--gid", "65532", "--cap-drop", "ALL"]);
        command.arg("--ro-bind").arg(self.0.path()).arg("/");
        command.args(["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]);
        command.arg("/usr/local/bin/icecast-balancer");
        command
    }
}

/// What the kernel knows of the program that a command of [`Image::program`] led to.
#[derive(Debug)]
pub struct Rights {
    status: String,
    mounts: String,
}

impl Rights {
    /// Of the last descendant of a process.
    #[track_caller]
    pub fn of(mut process_id: u32) -> Self {
        let read = |id: u32, what: &str| fs::read_to_string(format!("/proc/{id}/{what}")).unwrap();
        while let Some(child) = read(process_id, &format!("task/{process_id}/children"))
            .split_whitespace()
            .next()
        {
            process_id = child.parse().unwrap();
        }
        Self {
            status: read(process_id, "status"),
            mounts: read(process_id, "mountinfo"),
        }
    }

    /// The last word of a line of the process's status.
    #[track_caller]
    pub fn say(&self, name: &str) -> &str {
        let line = self.status.lines().find(|line| line.starts_with(name));
        line.unwrap().split_whitespace().last().unwrap()
    }

    /// Whether nothing can be written below `/`, devices apart.
    pub fn are_read_only(&self) -> bool {
        let of = |line: &str, n| line.split(' ').nth(n).unwrap().to_owned();
        let mut found = self.mounts.lines().map(|line| (of(line, 4), of(line, 5)));
        found.any(|(place, options)| place == "/" && options.starts_with("ro"))
    }
}
