//! The unit files: what systemd says of them, and what they say of themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Folder, is_installed};

/// In tenths: systemd's scale goes from 0 (safe) to 10.
const EXPOSURE_LIMIT_TENTHS: u32 = 16;

const SERVICE: &str = "icecast-balancer.service";
const SOCKET: &str = "icecast-balancer.socket";

fn conf(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Both units, with the program where the tests have it: systemd looks whether it is there.
fn units(folder: &Folder) -> [PathBuf; 2] {
    let program = env!("CARGO_BIN_EXE_icecast-balancer");
    let service = conf(SERVICE).replace("/usr/bin/icecast-balancer", program);
    assert!(service.contains(program));
    [
        folder.write(SERVICE, &service),
        folder.write(SOCKET, &conf(SOCKET)),
    ]
}

/// What `systemd-analyze` says, and whether it is content; `None` where it cannot run.
fn analyze(words: &[&str], units: &[PathBuf]) -> Option<(bool, String)> {
    if !is_installed("systemd-analyze") {
        crate::harness::skipped("systemd-analyze is missing: apt-get install systemd");
        return None;
    }
    let mut command = Command::new("systemd-analyze");
    let output = command.args(words).args(units).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Some((output.status.success(), said))
}

#[test]
fn systemd_finds_no_mistake_in_the_units() {
    let folder = Folder::new("units");
    let Some((content, said)) = analyze(&["verify", "--man=no"], &units(&folder)) else {
        return;
    };
    assert!(content && said.is_empty(), "{said}");

    let service = conf(SERVICE).replace("Restart=always", "Restart=allways");
    let wrong = folder.write("wrong.service", &service);
    let (_, said) = analyze(&["verify", "--man=no"], &[wrong]).unwrap();
    assert!(said.contains("allways"), "{said}");
}

#[test]
fn the_service_is_exposed_to_little() {
    let folder = Folder::new("units");
    let limit = format!("--threshold={EXPOSURE_LIMIT_TENTHS}");
    let words = ["security", "--offline=true", "--no-pager", &limit];
    let [service, _] = units(&folder);
    let Some((content, said)) = analyze(&words, &[service]) else {
        return;
    };
    assert!(content, "{said}");
}

#[test]
fn a_stop_has_longer_than_the_streams_are_kept() {
    let service = conf(SERVICE);
    let value = |key: &str| {
        let line = service.lines().find_map(|line| line.strip_prefix(key));
        humantime::parse_duration(line.unwrap()).unwrap()
    };
    // The defaults of [stop] drain_delay and drain_timeout.
    let kept = std::time::Duration::from_secs(5 + 10 * 60);
    assert!(value("TimeoutStopSec=") > kept + std::time::Duration::from_secs(5));
}
