//! Tells the program from which commit it was built, for `--version`.
//!
//! In: `SOURCE_COMMIT` and `SOURCE_DATE_EPOCH`, or else git. Out: `BALANCER_COMMIT`, `_DATE`, `_SOURCE`, which
//! has both, `_PROFILE` and `_TARGET` for `env!`. The clock is not asked, so that the same source gives the same program. Development builds ask
//! nobody, because each commit would compile the whole house again.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for variable in ["SOURCE_COMMIT", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if is_release {
        watch_the_source();
    }
    let told = |variable| env::var(variable).ok().filter(|text| !text.is_empty());
    let asked = |words: &[&str]| is_release.then(|| git(words)).flatten();
    let commit = told("SOURCE_COMMIT").or_else(|| {
        asked(&[
            "describe",
            "--always",
            "--dirty",
            "--abbrev=12",
            "--exclude=*",
        ])
    });
    let epoch = told("SOURCE_DATE_EPOCH").or_else(|| asked(&["log", "-1", "--format=%ct"]));
    let date = epoch.and_then(|seconds| seconds.parse().ok()).map(date);
    let source = match (&commit, &date) {
        (Some(commit), Some(date)) => format!("{commit}, {date}"),
        (Some(commit), None) => commit.clone(),
        (None, _) if is_release => "of an unknown commit".to_owned(),
        (None, _) => "development build".to_owned(),
    };
    tell("SOURCE", &source);
    tell("COMMIT", commit.as_deref().unwrap_or("unknown"));
    tell("DATE", date.as_deref().unwrap_or("unknown"));
    for known in ["PROFILE", "TARGET"] {
        tell(known, &env::var(known).unwrap_or_default());
    }
}

fn tell(name: &str, what: &str) {
    println!("cargo::rustc-env=BALANCER_{name}={what}");
}

/// Whatever makes the source another one, or clean again.
fn watch_the_source() {
    for path in ["src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    // Cargo takes a file that is not there for one that changes all the time.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && std::path::Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// What git says in one line; nothing where there is no git, or the source lies in somebody else's repository.
fn git(words: &[&str]) -> Option<String> {
    let own = env::var("CARGO_MANIFEST_DIR").ok()?;
    let said = |words: &[&str]| {
        let output = Command::new("git").args(words).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let top = said(&["rev-parse", "--show-toplevel"])?;
    let is_ours = std::fs::canonicalize(top).ok()? == std::fs::canonicalize(own).ok()?;
    is_ours.then(|| said(words)).flatten()
}

/// The day of these seconds since 1970, as 2026-11-21 (Howard Hinnant's civil_from_days).
fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
