//! Pages made by hand.

use super::slow_crc;

/// A page to be built; whatever is not said is 0.
#[derive(Debug, Clone, Default)]
pub struct Made {
    pub flags: u8,
    pub granule: i64,
    pub serial: u32,
    pub sequence: u32,
    pub packets: Vec<Vec<u8>>,
    /// The last packet, a multiple of 255 bytes long, goes on in the next page.
    pub goes_on: bool,
}

pub const CONTINUED: u8 = 1;
pub const BOS: u8 = 2;

impl Made {
    pub fn build(&self) -> Vec<u8> {
        let mut lacing = self
            .packets
            .iter()
            .flat_map(|packet| lacing(packet.len()))
            .collect::<Vec<_>>();
        if self.goes_on {
            assert_eq!(lacing.pop(), Some(0));
        }
        let mut page = b"OggS\0".to_vec();
        page.push(self.flags);
        page.extend(self.granule.to_le_bytes());
        page.extend(self.serial.to_le_bytes());
        page.extend(self.sequence.to_le_bytes());
        page.extend([0; 4]);
        page.push(u8::try_from(lacing.len()).unwrap());
        page.extend(lacing);
        page.extend(self.packets.concat());
        with_right_crc(page)
    }
}

/// The page with its CRC made right.
pub fn with_right_crc(mut page: Vec<u8>) -> Vec<u8> {
    page[22..26].fill(0);
    let crc = slow_crc(&page).to_le_bytes();
    page[22..26].copy_from_slice(&crc);
    page
}

fn lacing(length: usize) -> Vec<u8> {
    let mut lacing = vec![255; length / 255];
    lacing.push(u8::try_from(length % 255).unwrap());
    lacing
}

/// An Opus chain: two header pages with the title, then audio pages with the given packets, a second each.
pub fn opus(serial: u32, title: &str, audio: &[&str]) -> Vec<Vec<u8>> {
    let page = |flags, sequence: usize, granule: usize, packet: Vec<u8>| Made {
        flags,
        granule: 48_000 * i64::try_from(granule).unwrap(),
        serial,
        sequence: u32::try_from(sequence).unwrap(),
        packets: vec![packet],
        goes_on: false,
    };
    let tags = format!("OpusTags{title}").into_bytes();
    let mut pages = vec![
        page(BOS, 0, 0, b"OpusHead\x01\x02".to_vec()),
        page(0, 1, 0, tags),
    ];
    for (place, packet) in audio.iter().enumerate() {
        pages.push(page(0, place + 2, place + 1, packet.as_bytes().to_vec()));
    }
    pages.iter().map(Made::build).collect()
}
