//! A program that a story started: signalled by its own id, ended with its story, whatever becomes of the story.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus};

/// The user and group `nobody`: icecast2 refuses to run as root.
const NOBODY: &str = "65534";

/// A running program; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts `command`.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let child = command.spawn();
        let child = child.unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        Self { child }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, or `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// What it writes to its standard output, when that was piped; can be taken once.
    pub fn output(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("a piped output")
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        signal(name, self.id());
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `program`, to be killed by the kernel when the thread that starts it ends without having dropped it.
pub fn mortal(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program.as_ref());
    command
}

/// As [`mortal`], and as `nobody` when the stories run as root.
pub fn mortal_and_unprivileged(program: impl AsRef<Path>) -> Command {
    if !we_are_root() {
        return mortal(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--clear-groups"]);
    command
        .args(["--reuid", NOBODY, "--regid", NOBODY])
        .arg(program.as_ref());
    command
}

fn we_are_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Kills whatever was started with this folder in its words: a process that took over from one of ours is nobody's child.
pub fn kill_all_that_name(folder: &Path) {
    let folder = folder.to_str().unwrap();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if !String::from_utf8_lossy(&words).contains(&format!("{folder}/")) {
            continue;
        }
        let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let _ = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -s KILL {id}"))
            .status();
    }
}

/// The most memory that the program ever had resident, in bytes.
pub fn peak_resident_bytes(process_id: u32) -> u64 {
    memory_bytes(process_id, "VmHWM:")
}

/// The memory that the program has resident now, in bytes.
pub fn resident_bytes(process_id: u32) -> u64 {
    memory_bytes(process_id, "VmRSS:")
}

fn memory_bytes(process_id: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// How many file descriptors the program has open now.
pub fn open_descriptors(process_id: u32) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{process_id}/fd")).unwrap();
    descriptors.count()
}

/// The processor time that the program has had so far, in seconds.
pub fn cpu_seconds(process_id: u32) -> f64 {
    /// Linux tells it in these, whatever the kernel's own clock is.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat")).unwrap();
    // The name stands in brackets and may hold anything.
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = rest.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

/// Sends a signal by its name without `SIG` to a process that somebody else started.
pub fn signal(name: &str, id: u32) {
    // A shell's own `kill` is everywhere, and the standard library knows no signal but SIGKILL.
    let script = format!("kill -s {name} {id}");
    let sent = Command::new("sh").arg("-c").arg(&script).status().unwrap();
    assert!(sent.success(), "{script} failed");
}
