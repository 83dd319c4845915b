//! Threads of a program that stand still, as if something held them up, while its other threads go on.

use std::fs;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::tools::skipped;

/// Threads that stand still until this is dropped. Linux stops a single thread for its tracer only (`ptrace(2)`), which is the
/// thread that froze it.
#[derive(Debug)]
pub struct FrozenThreads(Vec<Pid>);

impl FrozenThreads {
    /// Stops all threads of a child of this process that have this name; `None` where tracing is not allowed.
    #[track_caller]
    pub fn of(process_id: u32, name: &str) -> Option<Self> {
        let mut frozen = Self(Vec::new());
        for task in fs::read_dir(format!("/proc/{process_id}/task")).unwrap() {
            let task = task.unwrap();
            let comm = fs::read_to_string(task.path().join("comm")).unwrap();
            if comm.trim_end() != name {
                continue;
            }
            let id = task.file_name().to_string_lossy().parse().unwrap();
            let thread = Pid::from_raw(id);
            match ptrace::seize(thread, ptrace::Options::empty()) {
                Err(Errno::EPERM | Errno::ENOSYS) => {
                    skipped("heartbeat: ptrace is not allowed here");
                    return None;
                }
                seized => seized.unwrap(),
            }
            ptrace::interrupt(thread).unwrap();
            waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
            frozen.0.push(thread);
        }
        assert!(!frozen.0.is_empty(), "no thread is called {name}");
        Some(frozen)
    }
}

impl Drop for FrozenThreads {
    fn drop(&mut self) {
        for thread in &self.0 {
            // A program that was killed has no threads any more.
            let _ = ptrace::detach(*thread, None);
        }
    }
}
