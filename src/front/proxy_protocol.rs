//! The PROXY protocol: by which a proxy in front says who connected to it, before anything else is said.
//!
//! In: a connection of a trusted proxy. Out: the listener's address, and the connection at the byte behind the header: what
//! follows is TLS or HTTP, which others read.
//!
//! Both versions of <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>, cited as "spec". The crates that parse
//! them are looser than it (ppp 2.3.0 and proxy-header 0.1.3 take `+80` for a port, the latter `PROXYxTCP4`) and stricter
//! (both refuse LOCAL with a family and no addresses), and neither knows how much may be read.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Spec 2.2: what a header of version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Spec 2.2: two addresses and two ports of IPv6, the longest that is of interest.
const ADDRESSES_BYTES: usize = 36;

/// The most that may follow version 2's head. Spec 2 wants all in 536 bytes, but senders add what they know of their TLS,
/// a certificate of the listener too; 65,535 would be accepted for nothing. nginx has the same limit.
const BLOCK_LIMIT_BYTES: usize = 4096;

/// Spec 2.1: the shortest line of version 1, `PROXY UNKNOWN` and CRLF.
const SHORTEST_LINE_BYTES: usize = 15;

/// Spec 2.1: the longest line of version 1, with its CRLF.
const LINE_LIMIT_BYTES: usize = 107;

/// Why a connection does not begin with a header; it must be closed.
#[derive(Debug, Error)]
pub enum Malformed {
    /// It begins with something else: not sent by a proxy, or by one that was not told to send a header.
    #[error("expected a PROXY protocol header, found something else")]
    Missing,
    /// Version 1 without CRLF where one must be.
    #[error("PROXY protocol v1: expected CRLF within {LINE_LIMIT_BYTES} bytes")]
    Endless,
    /// Version 1 with another line than the specification has.
    #[error("PROXY protocol v1: expected TCP4, TCP6 or UNKNOWN, two addresses and two ports")]
    Line,
    /// Version 2 with a version or command that the specification does not have.
    #[error("PROXY protocol v2: expected version and command 0x20 or 0x21, found {0:#04x}")]
    Command(u8),
    /// Version 2 with a family or transport that the specification does not have.
    #[error("PROXY protocol v2: expected a known family and transport, found {0:#04x}")]
    Family(u8),
    /// Version 2 with a length that is too short for the addresses, or too long for anything.
    #[error(
        "PROXY protocol v2: expected room for the addresses and at most {BLOCK_LIMIT_BYTES} bytes, found {0}"
    )]
    Length(usize),
    /// The connection ended or broke within the header.
    #[error("the connection ended within the PROXY protocol header: {0}")]
    Cut(#[from] io::Error),
}

/// Reads a header and not one byte more. `None`: the proxy speaks for itself, as for its health checks (UNKNOWN, LOCAL), or
/// for somebody without an IP address. IPv4 addresses in IPv6 become IPv4. Waits for as long as the header takes: the caller
/// sets the deadline.
///
/// # Errors
/// There is no header, or none that the specification knows.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, Malformed> {
    // Both versions are at least that long.
    let mut start = [0; SHORTEST_LINE_BYTES];
    stream.read_exact(&mut start).await?;
    let source = match start {
        [.., command, family, length] if start.starts_with(SIGNATURE) => {
            let low = stream.read_u8().await?;
            let length_bytes = u16::from_be_bytes([length, low]).into();
            read_block(stream, command, family, length_bytes).await?
        }
        _ if start.starts_with(b"PROXY ") => read_line(stream, start).await?,
        _ => return Err(Malformed::Missing),
    };
    Ok(source.map(|source| SocketAddr::new(source.ip().to_canonical(), source.port())))
}

/// Reads on to the end of version 1's line.
///
/// Nothing says how long it is and nothing may be read behind it, so that it is read in steps of what must still come: 6 us
/// where version 2 takes 2.
async fn read_line(
    stream: &mut (impl AsyncRead + Unpin),
    start: [u8; SHORTEST_LINE_BYTES],
) -> Result<Option<SocketAddr>, Malformed> {
    let mut line = [0; LINE_LIMIT_BYTES];
    let mut filled = SHORTEST_LINE_BYTES;
    line.iter_mut().zip(start).for_each(|(to, from)| *to = from);
    loop {
        let read = line.get(..filled).unwrap_or_default();
        if let Some(line) = read.strip_suffix(b"\r\n") {
            return parse_line(line).ok_or(Malformed::Line);
        }
        let missing = if read.ends_with(b"\r") { 1 } else { 2 };
        let room = line.get_mut(filled..filled + missing);
        stream.read_exact(room.ok_or(Malformed::Endless)?).await?;
        filled += missing;
    }
}

/// Spec 2.1: the source of a line without its CRLF. `None` when it is not as the specification says.
fn parse_line(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix("PROXY ")?;
    if line.contains(['\r', '\n']) {
        return None;
    }
    let mut words = line.split(' ');
    let is_source = match words.next()? {
        "UNKNOWN" => return Some(None),
        "TCP4" => IpAddr::is_ipv4,
        "TCP6" => IpAddr::is_ipv6,
        _ => return None,
    };
    let mut address = || IpAddr::from_str(words.next()?).ok().filter(is_source);
    let (source, _) = (address()?, address()?);
    let (port, _) = (parse_port(words.next()?)?, parse_port(words.next()?)?);
    words
        .next()
        .is_none()
        .then(|| Some(SocketAddr::new(source, port)))
}

/// A decimal without sign and heading zeroes.
fn parse_port(text: &str) -> Option<u16> {
    let is_plain = text == "0" || text.starts_with(|first| matches!(first, '1'..='9'));
    text.parse().ok().filter(|_| is_plain)
}

/// Reads what follows version 2's head, `length_bytes` long, and passes over what is of no interest.
async fn read_block(
    stream: &mut (impl AsyncRead + Unpin),
    command: u8,
    family: u8,
    length_bytes: usize,
) -> Result<Option<SocketAddr>, Malformed> {
    let addresses_bytes = match (command, family) {
        // Spec 2.2: the family of LOCAL is ignored.
        (0x20, _) => 0,
        (0x21, 0x11 | 0x12) => 12,
        (0x21, 0x21 | 0x22) => ADDRESSES_BYTES,
        // Spec 2.2: what is valid and not understood counts as unspecified.
        (0x21, 0x00..=0x02 | 0x10 | 0x20 | 0x30..=0x32) => 0,
        (0x21, _) => return Err(Malformed::Family(family)),
        _ => return Err(Malformed::Command(command)),
    };
    if !(addresses_bytes..=BLOCK_LIMIT_BYTES).contains(&length_bytes) {
        return Err(Malformed::Length(length_bytes));
    }
    let mut block = [0; ADDRESSES_BYTES];
    let addresses = block.get_mut(..addresses_bytes).unwrap_or_default();
    stream.read_exact(addresses).await?;
    let source = parse_addresses(addresses);
    skip(stream, length_bytes - addresses_bytes).await?;
    Ok(source)
}

/// Spec 2.2: source, destination, source's port, destination's port.
fn parse_addresses(block: &[u8]) -> Option<SocketAddr> {
    let (source, port): (IpAddr, _) = match block.len() {
        12 => (Ipv4Addr::from(*block.first_chunk::<4>()?).into(), 8),
        ADDRESSES_BYTES => (Ipv6Addr::from(*block.first_chunk::<16>()?).into(), 32),
        _ => return None,
    };
    let port = *block.get(port..)?.first_chunk()?;
    Some(SocketAddr::new(source, u16::from_be_bytes(port)))
}

async fn skip(stream: &mut (impl AsyncRead + Unpin), bytes: usize) -> io::Result<()> {
    let mut sink = [0; 128];
    let mut left = bytes;
    while left > 0 {
        let step = left.min(sink.len());
        stream
            .read_exact(sink.get_mut(..step).unwrap_or_default())
            .await?;
        left -= step;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
