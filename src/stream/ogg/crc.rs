//! The CRC-32 of Ogg pages: polynomial 0x04c11db7, not reflected, starting at 0, nothing inverted (RFC 3533, section 6).
//!
//! Comes in: bytes. Goes out: their CRC; and what it becomes when zeros follow, which joins the CRCs of two halves, so
//! that a page with a new header needs no second walk through its body.

const POLYNOMIAL: u32 = 0x04c1_1db7;

/// `TABLES[k][b]` is the CRC of byte `b` followed by `k` zeros: eight bytes a step (slicing by 8).
static TABLES: [[u32; 256]; 8] = tables();

/// `POWERS[k]` is x^(8 * 2^k) modulo the polynomial: what 2^k zero bytes multiply a CRC with.
const POWERS: [u32; 32] = powers();

/// The CRC of everything that gave `crc` so far, followed by `bytes`.
pub fn extend(crc: u32, bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let crc = eights.iter().fold(crc, eight);
    rest.iter().fold(crc, |crc, byte| {
        (crc << 8) ^ entry(0, (crc >> 24) as u8 ^ byte)
    })
}

/// The CRC of everything that gave `crc` so far, followed by `zeros` zero bytes.
///
/// `extend(a, bytes) == zeros(a, bytes.len()) ^ extend(0, bytes)`: CRCs add up.
pub fn zeros(crc: u32, zeros: usize) -> u32 {
    (0u32..)
        .zip(POWERS)
        .filter(|(bit, _)| zeros >> bit & 1 == 1)
        .fold(crc, |crc, (_, power)| times(crc, power))
}

fn eight(crc: u32, bytes: &[u8; 8]) -> u32 {
    let [a, b, c, d, e, f, g, h] = *bytes;
    let [a, b, c, d] = (crc ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes();
    entry(7, a)
        ^ entry(6, b)
        ^ entry(5, c)
        ^ entry(4, d)
        ^ entry(3, e)
        ^ entry(2, f)
        ^ entry(1, g)
        ^ entry(0, h)
}

#[expect(
    clippy::indexing_slicing,
    reason = "a byte is below 256, and callers name tables 0 to 7"
)]
fn entry(table: usize, byte: u8) -> u32 {
    TABLES[table][byte as usize]
}

/// Multiplies two polynomials modulo Ogg's; bit 31 is x^31.
const fn times(a: u32, b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 32;
    while bit > 0 {
        bit -= 1;
        product = timesx(product);
        if a >> bit & 1 == 1 {
            product ^= b;
        }
    }
    product
}

const fn timesx(a: u32) -> u32 {
    let carry = if a >> 31 == 1 { POLYNOMIAL } else { 0 };
    (a << 1) ^ carry
}

#[expect(
    clippy::indexing_slicing,
    reason = "computed by the compiler: a wrong index would not build"
)]
const fn powers() -> [u32; 32] {
    let mut powers = [1 << 8; 32];
    let mut k = 1;
    while k < 32 {
        powers[k] = times(powers[k - 1], powers[k - 1]);
        k += 1;
    }
    powers
}

#[expect(
    clippy::indexing_slicing,
    reason = "computed by the compiler: a wrong index would not build"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut table = 0;
        let mut crc = times((byte as u32) << 24, 1 << 8);
        while table < 8 {
            tables[table][byte] = crc;
            crc = times(crc, 1 << 8);
            table += 1;
        }
        byte += 1;
    }
    tables
}
