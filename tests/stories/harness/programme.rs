//! The programme: minutes of real audio that never repeat, so that every byte that is heard has exactly one place in it.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// 64 kbit/s.
pub const BYTES_PER_SECOND: usize = 8_000;

/// What icecast2 gives a new listener at once by default: 46 blocks of 1400 bytes.
pub const BURST_BYTES: usize = 64_400;

/// How a programme is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// MP3 of 64 kbit/s: what the stories use where the format is nothing to them.
    Mp3,
    /// MP3 of 320 kbit/s.
    Mp3At320,
    /// AAC in ADTS.
    Aac,
    /// Opus in Ogg.
    Opus,
    /// FLAC in Ogg.
    Flac,
    /// Vorbis of about 64 kbit/s.
    Vorbis,
    /// Vorbis of about 192 kbit/s, swelling, so that no two of its packets have the same length.
    VorbisAt192,
}

/// One programme.
#[derive(Debug)]
pub struct Programme {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Its pace; on average, where it changes.
    pub bytes_per_second: usize,
}

impl Format {
    const COUNT: usize = 7;

    /// The whole programme; encoded once per run, and Ogg's serial apart the same bytes in every run on one machine.
    pub fn programme(self) -> &'static Programme {
        static PROGRAMMES: [OnceLock<Programme>; Format::COUNT] =
            [const { OnceLock::new() }; Format::COUNT];
        PROGRAMMES[self as usize].get_or_init(|| {
            let bytes = encode(self.length_seconds(), self.encoder());
            let bytes_per_second = match self {
                Self::Mp3 => BYTES_PER_SECOND,
                _ => bytes.len() / self.length_seconds() as usize,
            };
            Programme {
                bytes,
                bytes_per_second,
            }
        })
    }

    /// Longer than any story lasts.
    fn length_seconds(self) -> u32 {
        if self == Self::Mp3 { 240 } else { 90 }
    }

    /// What its sources call it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Mp3 | Self::Mp3At320 => "audio/mpeg",
            Self::Aac => "audio/aac",
            _ => "application/ogg",
        }
    }

    /// Whether its bytes are Ogg pages.
    pub fn is_ogg(self) -> bool {
        self.content_type() == "application/ogg"
    }

    /// What an Ogg page's granule counts.
    pub fn samples_per_second(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Flac => 8_000,
            _ => 44_100,
        }
    }

    fn encoder(self) -> &'static str {
        match self {
            Self::Mp3 => "-ac 1 -ar 44100 -b:a 64k -write_xing 0 -id3v2_version 0 -f mp3",
            Self::Mp3At320 => "-ac 2 -ar 44100 -b:a 320k -write_xing 0 -id3v2_version 0 -f mp3",
            Self::Aac => "-ac 1 -ar 44100 -b:a 64k -f adts",
            Self::Opus => "-ac 1 -ar 48000 -c:a libopus -b:a 64k -f ogg",
            Self::Flac => "-ac 1 -ar 8000 -c:a flac -f ogg",
            Self::Vorbis => "-ac 1 -ar 44100 -c:a libvorbis -b:a 64k -f ogg",
            Self::VorbisAt192 => {
                "-af tremolo=f=2.7:d=0.95 -ac 2 -ar 44100 -c:a libvorbis -b:a 192k -f ogg"
            }
        }
    }
}

/// The MP3 programme of 64 kbit/s.
pub fn programme() -> &'static [u8] {
    &Format::Mp3.programme().bytes
}

/// Digital silence in the MP3 of 64 kbit/s, in whole frames.
pub fn silence(millis: u32) -> Vec<u8> {
    let nothing = format!("anullsrc=r=44100:cl=mono:d={}", f64::from(millis) / 1000.0);
    ffmpeg(&nothing, Format::Mp3.encoder())
}

fn encode(seconds: u32, encoder: &str) -> Vec<u8> {
    // Noise: no two seconds of it are alike, while tones and silence give equal frames.
    let noise = format!("anoisesrc=duration={seconds}:color=pink:seed=7:amplitude=0.4");
    let bytes = ffmpeg(&noise, encoder);
    assert!(bytes.len() > 500_000, "{} bytes by {encoder}", bytes.len());
    bytes
}

fn ffmpeg(audio: &str, encoder: &str) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", audio])
        .args(encoder.split(' '))
        .arg("-")
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg: apt-get install ffmpeg");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ffmpeg failed: {errors}");
    output.stdout
}

/// Where in the MP3 programme of 64 kbit/s `heard` begins; `None` when it is not one unbroken piece of it.
pub fn place_of(heard: &[u8]) -> Option<usize> {
    let start = heard.get(..64)?;
    let whole = programme();
    let mut places = whole.windows(start.len()).enumerate();
    places.find_map(|(at, piece)| (piece == start && whole[at..].starts_with(heard)).then_some(at))
}
