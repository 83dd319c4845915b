//! The programme: minutes of real MP3 that never repeat, so that every byte that is heard has exactly one place in it.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// 64 kbit/s.
pub const BYTES_PER_SECOND: usize = 8_000;

/// Longer than any story lasts.
const LENGTH_SECONDS: u32 = 240;

/// What icecast2 gives a new listener at once by default: 46 blocks of 1400 bytes.
pub const BURST_BYTES: usize = 64_400;

/// The whole programme; encoded once per run, the same bytes in every run on one machine.
pub fn programme() -> &'static [u8] {
    static PROGRAMME: OnceLock<Vec<u8>> = OnceLock::new();
    PROGRAMME.get_or_init(encode)
}

fn encode() -> Vec<u8> {
    // Noise: no two seconds of it are alike, while tones and silence give equal frames.
    let noise = format!("anoisesrc=duration={LENGTH_SECONDS}:color=pink:seed=7:amplitude=0.4");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &noise])
        .args(["-ac", "1", "-ar", "44100", "-b:a", "64k"])
        .args(["-write_xing", "0", "-id3v2_version", "0", "-f", "mp3", "-"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg: apt-get install ffmpeg");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && output.stdout.len() > 1_000_000,
        "ffmpeg failed: {errors}"
    );
    output.stdout
}

/// Where in the programme `heard` begins; `None` when it is not one unbroken piece of it.
pub fn place_of(heard: &[u8]) -> Option<usize> {
    let start = heard.get(..64)?;
    let whole = programme();
    let mut places = whole.windows(start.len()).enumerate();
    places.find_map(|(at, piece)| (piece == start && whole[at..].starts_with(heard)).then_some(at))
}
