//! What scripted relays play: noise for MP3, which never repeats itself, and pages of noise for Opus.

/// The head of a relay that plays [`noise`], at 16,000 bytes in a second.
pub const MP3: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nicy-br: 128\r\n\r\n";

/// The head of a relay that plays pages.
pub const OGG: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: application/ogg\r\n\r\n";

/// Audio that is the same for the same `seed`.
pub fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..))
        .take(bytes)
        .collect()
}

/// One programme as one relay sends it, in Opus.
#[derive(Clone, Copy)]
pub struct Programme {
    /// The relay's own number for it.
    pub serial: u32,
    /// What it is about: other seeds are other audio at other times.
    pub seed: u32,
}

impl Programme {
    /// The header pages, and so many pages of audio.
    pub fn begin(self, pages: u32) -> Vec<u8> {
        self.begin_with(b"OpusHead\x01\x02", pages)
    }

    /// The same with this packet on the first page.
    pub fn begin_with(self, head: &[u8], pages: u32) -> Vec<u8> {
        let tags = format!("OpusTags{}", self.seed);
        let mut body = page(2, 0, (self.serial, 0), head);
        body.extend(page(0, 0, (self.serial, 1), tags.as_bytes()));
        body.extend((0..pages).flat_map(|number| self.page(number)));
        body
    }

    /// A page of audio: 5,000 bytes, a tenth of a second.
    pub fn page(self, number: u32) -> Vec<u8> {
        let at = (i64::from(self.seed) << 40) + i64::from(number) * 4_800;
        let packet = noise(u64::from(self.seed) << 32 | u64::from(number), 5_000);
        page(0, at, (self.serial, number + 2), &packet)
    }

    /// The smallest page there is, on which nothing is.
    pub fn empty_page(self) -> Vec<u8> {
        let mut page = page(0, i64::from(self.seed) << 40, (self.serial, 2), b"");
        assert_eq!(page.pop(), Some(0));
        page[26] = 0;
        with_crc(page)
    }
}

fn page(flags: u8, granule: i64, (serial, sequence): (u32, u32), packet: &[u8]) -> Vec<u8> {
    let mut lacing = vec![255; packet.len() / 255];
    lacing.push(u8::try_from(packet.len() % 255).unwrap());
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend(serial.to_le_bytes());
    page.extend(sequence.to_le_bytes());
    page.extend([0; 4]);
    page.push(u8::try_from(lacing.len()).unwrap());
    page.extend(lacing);
    page.extend(packet);
    with_crc(page)
}

/// The page with its CRC, bit by bit as RFC 3533 describes it.
fn with_crc(mut page: Vec<u8>) -> Vec<u8> {
    page[22..26].fill(0);
    let crc = page.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc: u32, _| {
            (crc << 1) ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    });
    page[22..26].copy_from_slice(&crc.to_le_bytes());
    page
}
