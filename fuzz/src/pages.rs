//! Ogg pages by a second opinion, which shares nothing with the library's reader.

/// Before the lacing values.
const HEADER_BYTES: usize = 27;
const CRC_AT: usize = 22;

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let (mut crc, mut bit) = ((index as u32) << 24, 0);
        while bit < 8 {
            crc = (crc << 1) ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

/// The CRC of a page, whose own field counts as zero.
pub fn crc(page: &[u8]) -> u32 {
    page.iter().enumerate().fold(0, |crc, (at, byte)| {
        let byte = if (CRC_AT..CRC_AT + 4).contains(&at) {
            0
        } else {
            *byte
        };
        (crc << 8) ^ TABLE[usize::from((crc >> 24) as u8 ^ byte)]
    })
}

/// The length of the page that `bytes` begin with, when it is there as a whole.
pub fn length(bytes: &[u8]) -> Option<usize> {
    let body_at = HEADER_BYTES + usize::from(*bytes.get(HEADER_BYTES - 1)?);
    let lacing = bytes.get(HEADER_BYTES..body_at)?;
    let length = body_at + lacing.iter().map(|&it| usize::from(it)).sum::<usize>();
    (bytes.starts_with(b"OggS\0") && bytes.len() >= length).then_some(length)
}

/// Makes the CRC of a page right.
pub fn seal(page: &mut [u8]) {
    let crc = crc(page).to_le_bytes();
    page[CRC_AT..CRC_AT + 4].copy_from_slice(&crc);
}

/// Makes the CRC of each page in a body right, so that what the fuzzer changed gets past it.
pub fn seal_all(body: &mut [u8]) {
    let mut at = 0;
    while at < body.len() {
        match length(&body[at..]) {
            Some(length) => {
                seal(&mut body[at..at + length]);
                at += length;
            }
            None => at += 1 + memchr::memmem::find(&body[at + 1..], b"OggS").unwrap_or(body.len()),
        }
    }
}

/// One page, whole and with the right CRC.
pub fn assert_sound(page: &[u8]) {
    assert_eq!(length(page), Some(page.len()));
    assert_eq!(crc(page).to_le_bytes(), page[CRC_AT..CRC_AT + 4]);
}

/// Serial and sequence number.
pub fn numbers(page: &[u8]) -> (u32, u32) {
    let field = |at| u32::from_le_bytes(*page[at..].first_chunk().unwrap());
    (field(14), field(18))
}

/// What is the same in every relay: flags and granule, lacing values and body.
pub fn contents(page: &[u8]) -> (&[u8], &[u8]) {
    (&page[5..14], &page[HEADER_BYTES - 1..])
}
