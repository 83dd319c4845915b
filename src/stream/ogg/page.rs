//! One Ogg page: its header's fields, its bytes, and the same page under another number.
//!
//! Comes in: a whole page. Goes out: what its header says, its body, itself renumbered. Whether it is right where it
//! stands is not its business.

use super::crc;
use bytes::{Buf, Bytes, BytesMut};

/// The longest page there is: header, 255 lacing values, 255 segments of 255 bytes.
pub const MAX_PAGE_BYTES: usize = HEADER_BYTES + 255 + 255 * 255;

/// The fixed part of a page, before the lacing values.
pub(super) const HEADER_BYTES: usize = 27;

/// What each page begins with.
pub(super) const CAPTURE: &[u8; 4] = b"OggS";

const SERIAL_AT: usize = 14;
const CRC_AT: usize = 22;
const CONTINUED: u8 = 1;
const BEGINS: u8 = 2;
const ENDS: u8 = 4;

/// The fields of a page's header (RFC 3533, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The first packet on the page began on an earlier one.
    pub continued: bool,
    /// The first page of a logical stream (BOS).
    pub begins: bool,
    /// The last page of a logical stream (EOS).
    pub ends: bool,
    /// Where the last packet that ends on the page ends, in the codec's samples; -1: none ends on it.
    pub granule: i64,
    /// Which logical stream the page belongs to.
    pub serial: u32,
    /// The page's number in its logical stream; wraps.
    pub sequence: u32,
    /// The CRC of the whole page with this field as zero.
    pub crc: u32,
    /// How many lacing values follow the header.
    pub segments: u8,
}

impl Header {
    /// Reads the header that `bytes` begins with; nothing if they are too few or begin otherwise.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields: &[u8] = bytes.first_chunk::<HEADER_BYTES>()?;
        let version = 0;
        if fields.get_u32() != u32::from_be_bytes(*CAPTURE) || fields.get_u8() != version {
            return None;
        }
        let flags = fields.get_u8();
        Some(Self {
            continued: flags & CONTINUED != 0,
            begins: flags & BEGINS != 0,
            ends: flags & ENDS != 0,
            granule: fields.get_i64_le(),
            serial: fields.get_u32_le(),
            sequence: fields.get_u32_le(),
            crc: fields.get_u32_le(),
            segments: fields.get_u8(),
        })
    }
}

/// A whole page whose CRC is right.
#[derive(Debug)]
pub struct Page {
    header: Header,
    bytes: BytesMut,
    /// The CRC of lacing values and body alone, which is the same in every relay.
    payload_crc: u32,
}

impl Page {
    /// Takes `bytes`, exactly one page, whose payload's CRC was checked.
    pub(super) fn new(header: Header, bytes: BytesMut, payload_crc: u32) -> Self {
        Self {
            header,
            bytes,
            payload_crc,
        }
    }

    /// The page in memory of its own: it does not keep the chunk that it came in.
    pub(super) fn unshared(self) -> Self {
        let bytes = BytesMut::from(&self.bytes[..]);
        Self { bytes, ..self }
    }

    /// The header's fields.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The page as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The lengths of the segments; one below 255 ends a packet.
    pub fn lacing(&self) -> &[u8] {
        payload(&self.bytes)
            .get(..usize::from(self.header.segments))
            .unwrap_or_default()
    }

    /// The segments.
    pub fn body(&self) -> &[u8] {
        payload(&self.bytes)
            .get(usize::from(self.header.segments)..)
            .unwrap_or_default()
    }

    /// The CRC and the length in bytes of lacing values and body: equal in every relay of a master.
    pub fn payload(&self) -> (u32, usize) {
        (self.payload_crc, payload(&self.bytes).len())
    }

    /// How many packets end on the page.
    pub fn packets_ended(&self) -> usize {
        self.lacing().iter().filter(|&&length| length < 255).count()
    }

    /// The page as it came, to be sent.
    pub fn into_bytes(self) -> Bytes {
        self.bytes.freeze()
    }

    /// The page under another serial and sequence number, its CRC right again; untouched when nothing differs.
    pub fn renumbered(mut self, serial: u32, sequence: u32) -> Bytes {
        if (serial, sequence) != (self.header.serial, self.header.sequence) {
            write(&mut self.bytes, SERIAL_AT, serial);
            write(&mut self.bytes, SERIAL_AT + 4, sequence);
            let crc = page_crc(&self.bytes, self.payload_crc);
            write(&mut self.bytes, CRC_AT, crc);
        }
        self.bytes.freeze()
    }
}

/// The CRC of the payload of `page`, exactly one page, if the whole page's CRC is right.
pub(super) fn checked_payload_crc(header: &Header, page: &[u8]) -> Option<u32> {
    let payload_crc = crc::extend(0, payload(page));
    (page_crc(page, payload_crc) == header.crc).then_some(payload_crc)
}

fn payload(page: &[u8]) -> &[u8] {
    page.get(HEADER_BYTES..).unwrap_or_default()
}

fn write(page: &mut [u8], at: usize, value: u32) {
    if let Some(field) = page.get_mut(at..at + 4) {
        field.copy_from_slice(&value.to_le_bytes());
    }
}

fn page_crc(page: &[u8], payload_crc: u32) -> u32 {
    let before = crc::extend(0, page.get(..CRC_AT).unwrap_or_default());
    let header = crc::extend(
        crc::zeros(before, 4),
        page.get(CRC_AT + 4..HEADER_BYTES).unwrap_or_default(),
    );
    crc::zeros(header, payload(page).len()) ^ payload_crc
}
