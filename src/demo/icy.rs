//! ICY metadata: titles woven into the audio of one listener.
//!
//! Comes in: blocks of the programme. Goes out: their audio with a metadata block after each 16,000 bytes,
//! counted from this listener's first byte. Pure.

use super::feed::Block;

/// ICECAST: `icy-metaint` of a server that is not told otherwise.
pub const METAINT_BYTES: usize = 16_000;
/// A metadata block's length byte counts sixteenths: this is all it can say.
const TITLE_LIMIT_BYTES: usize = 255 * 16 - "StreamTitle='';".len();

/// Weaves titles into one listener's audio.
#[derive(Debug)]
pub struct Weaver {
    until_metadata_bytes: usize,
    told: String,
}

impl Default for Weaver {
    fn default() -> Self {
        Self {
            until_metadata_bytes: METAINT_BYTES,
            told: String::new(),
        }
    }
}

impl Weaver {
    /// The block's audio, with a metadata block wherever one is due.
    pub fn weave(&mut self, block: &Block) -> Vec<u8> {
        let mut woven = Vec::with_capacity(block.audio.len() + 128);
        let mut audio = &*block.audio;
        while let Some((now, later)) = audio.split_at_checked(self.until_metadata_bytes) {
            woven.extend_from_slice(now);
            woven.extend(self.metadata(&block.title));
            self.until_metadata_bytes = METAINT_BYTES;
            audio = later;
        }
        woven.extend_from_slice(audio);
        self.until_metadata_bytes -= audio.len();
        woven
    }

    /// The title where it is new to this listener, else the one zero byte that says: no change.
    fn metadata(&mut self, title: &str) -> Vec<u8> {
        if self.told == title || title.len() > TITLE_LIMIT_BYTES {
            return vec![0];
        }
        title.clone_into(&mut self.told);
        let text = format!("StreamTitle='{title}';").into_bytes();
        let sixteenths = text.len().div_ceil(16);
        let mut metadata = vec![u8::try_from(sixteenths).unwrap_or(0)];
        metadata.extend(text);
        metadata.resize(1 + 16 * sixteenths, 0);
        metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weaves 60 blocks, the first 30 titled A, and takes the result apart again.
    fn woven() -> (Vec<u8>, Vec<String>, Vec<u8>) {
        let mut weaver = Weaver::default();
        let (mut sent, mut audio) = (Vec::new(), Vec::new());
        for number in 0..60_u8 {
            let block = Block {
                audio: (0..1400_u32).map(|at| (at % 251) as u8 ^ number).collect(),
                title: if number < 30 {
                    "A"
                } else {
                    "B and more than sixteen"
                }
                .into(),
            };
            audio.extend_from_slice(&block.audio);
            sent.extend(weaver.weave(&block));
        }
        let (mut plain, mut titles) = (Vec::new(), Vec::new());
        let mut left = sent.as_slice();
        while left.len() > METAINT_BYTES {
            plain.extend_from_slice(&left[..METAINT_BYTES]);
            let metadata_bytes = 16 * usize::from(left[METAINT_BYTES]);
            let metadata = &left[METAINT_BYTES + 1..][..metadata_bytes];
            let text = String::from_utf8(metadata.to_vec()).unwrap();
            titles.push(text.trim_end_matches('\0').to_owned());
            left = &left[METAINT_BYTES + 1 + metadata_bytes..];
        }
        plain.extend_from_slice(left);
        (plain, titles, audio)
    }

    #[test]
    fn audio_stays_whole_and_titles_come_when_they_change() {
        let (plain, titles, audio) = woven();
        assert_eq!(plain, audio);
        assert_eq!(
            titles,
            [
                "StreamTitle='A';",
                "",
                "StreamTitle='B and more than sixteen';",
                "",
                ""
            ]
        );
    }
}
