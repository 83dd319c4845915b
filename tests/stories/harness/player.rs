//! Real players: they follow the redirect by themselves, and what they hear is counted.

use std::io::Read;
use std::process::{Command, Stdio};

use super::process::{Process, mortal};

/// ffmpeg's decoded seconds of a stream, when asked for so many.
#[track_caller]
pub fn ffmpeg_hears(url: &str, seconds: u32) -> f64 {
    const SAMPLES_PER_SECOND: usize = 8_000;
    let output = mortal("ffmpeg")
        .args(["-v", "error", "-rw_timeout", "10000000", "-i", url])
        .args([
            "-t",
            &seconds.to_string(),
            "-ac",
            "1",
            "-ar",
            "8000",
            "-f",
            "s16le",
            "-",
        ])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg: apt-get install ffmpeg");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ffmpeg: {errors}");
    let samples = output.stdout.len() / 2;
    samples as f64 / SAMPLES_PER_SECOND as f64
}

/// The first so many bytes that `curl -L` brings from a URL; fewer when it ends before, or after 15 s.
#[track_caller]
pub fn curl_hears(url: &str, bytes: usize) -> Vec<u8> {
    let mut command: Command = mortal("curl");
    command.args([
        "--silent",
        "--show-error",
        "--location",
        "--max-time",
        "15",
        url,
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut curl = Process::start(command);
    let mut heard = Vec::new();
    let output = curl.output().take(bytes as u64).read_to_end(&mut heard);
    output.expect("curl's output");
    heard
}

/// mpg123's decoded seconds of a stream, when it is stopped after so many.
#[track_caller]
pub fn mpg123_hears(url: &str, seconds: u32) -> f64 {
    const SAMPLES_PER_SECOND: usize = 44_100;
    let mut command: Command = mortal("mpg123");
    let rate = SAMPLES_PER_SECOND.to_string();
    command.args(["-q", "-s", "-m", "-r", &rate, "-e", "s16", url]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut mpg123 = Process::start(command);
    let bytes = 2 * SAMPLES_PER_SECOND * seconds as usize;
    let mut samples = Vec::new();
    let output = mpg123.output().take(bytes as u64).read_to_end(&mut samples);
    output.expect("mpg123's output");
    samples.len() as f64 / (2 * SAMPLES_PER_SECOND) as f64
}
