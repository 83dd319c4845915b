//! The source: feeds the programme to a mount of a master, frame by frame, at the pace of real time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::programme::{BYTES_PER_SECOND, FRAME_BYTES, write};

/// Sent at once, so that every server has a full burst from the first second.
const LEAD_BYTES: u64 = 250 * FRAME_BYTES;

/// What one frame lasts.
const FRAME: Duration = Duration::from_millis(1_000 * FRAME_BYTES / BYTES_PER_SECOND);

/// Feeds `mount` until the master hangs up.
///
/// # Errors
/// When the master does not take the source, or hangs up.
pub fn feed(master: SocketAddr, mount: &str) -> io::Result<()> {
    let mut socket = TcpStream::connect(master)?;
    socket.set_nodelay(true)?;
    // `source:hackme`.
    let head = format!(
        "SOURCE {mount} HTTP/1.0\r\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\r\n\
         Content-Type: audio/mpeg\r\nice-name: Swarm\r\nice-bitrate: 128\r\n\r\n"
    );
    socket.write_all(head.as_bytes())?;
    let mut answer = [0; 1_024];
    let length = socket.read(&mut answer)?;
    let answer = String::from_utf8_lossy(answer.get(..length).unwrap_or(&[]));
    if !answer.contains(" 200 ") {
        return Err(io::Error::other(format!("the master answered {answer:?}")));
    }
    let began = Instant::now();
    let (mut sent, mut frames) = (0, Vec::new());
    for number in 1_u32.. {
        let due = LEAD_BYTES + u64::from(number) * FRAME_BYTES;
        frames.clear();
        write(sent, due, &mut frames);
        socket.write_all(&frames)?;
        sent = due;
        thread::sleep((began + FRAME * number).saturating_duration_since(Instant::now()));
    }
    Ok(())
}
