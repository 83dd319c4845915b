//! The decoder: ffmpeg decodes what was heard, as a player would, and tells what is wrong with it.

use std::process::{Command, Stdio};

use super::folder::Folder;

/// What came of decoding.
#[derive(Debug)]
pub struct Decoded {
    /// How much sound it gave.
    pub seconds: f64,
    /// What the decoder complained of, line by line.
    pub complaints: Vec<String>,
}

/// Decodes bytes of a stream to its end.
#[track_caller]
pub fn decoded(heard: &[u8]) -> Decoded {
    const SAMPLES_PER_SECOND: usize = 8_000;
    let folder = Folder::new("decoder");
    let file = folder.path().join("heard");
    std::fs::write(&file, heard).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&file)
        .args(["-ac", "1", "-ar", "8000", "-f", "s16le", "-"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg: apt-get install ffmpeg");
    let complaints = String::from_utf8_lossy(&output.stderr);
    Decoded {
        seconds: output.stdout.len() as f64 / 2.0 / SAMPLES_PER_SECOND as f64,
        complaints: complaints.lines().map(str::to_owned).collect(),
    }
}
