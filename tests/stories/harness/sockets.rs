//! Sockets of the whole machine, killed from outside as a firewall or an operator would (`ss -K`).

use std::net::SocketAddr;
use std::process::Command;

/// Kills every connection to `server`, at the end that opened it; returns how many, or `None` when this kernel or this
/// user may not.
pub fn kill_connections_to(server: SocketAddr) -> Option<usize> {
    let filter = format!("dst {} and dport = :{}", server.ip(), server.port());
    let mut command = Command::new("ss");
    command.args(["-K", "-H", "-t", "-n", "state", "established"]);
    let output = command.args(filter.split(' ')).output().ok()?;
    let killed = String::from_utf8_lossy(&output.stdout).lines().count();
    (output.status.success() && killed > 0).then_some(killed)
}
