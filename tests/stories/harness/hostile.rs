//! A hostile relay: a small server that accepts every connection and answers with malice.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::ports;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Begins a status document and never ends it.
    Endless,
    /// One byte of a status document now and then.
    Dripping,
    /// Bytes that are not HTTP.
    Garbage,
    /// Sends its guest to that address.
    RedirectTo(SocketAddr),
    /// A status document within brackets within brackets.
    Bottomless,
}

/// One hostile relay; dropping it closes it.
#[derive(Debug)]
pub struct Hostile {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    over: AtomicBool,
    guests: AtomicUsize,
}

impl Hostile {
    /// Starts one.
    pub fn that_is(manner: Manner) -> Self {
        let door = ports::own_listener();
        let address = door.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        thread::spawn(move || receive(&door, manner, &theirs));
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has had.
    pub fn guests(&self) -> usize {
        self.shared.guests.load(Ordering::Relaxed)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for guests.
        let _ = TcpStream::connect(self.address);
    }
}

fn receive(door: &TcpListener, manner: Manner, shared: &Arc<Shared>) {
    for guest in door.incoming().map_while(Result::ok) {
        if shared.over.load(Ordering::Relaxed) {
            return;
        }
        shared.guests.fetch_add(1, Ordering::Relaxed);
        let theirs = Arc::clone(shared);
        thread::spawn(move || answer(guest, manner, &theirs.over));
    }
}

fn answer(mut guest: TcpStream, manner: Manner, over: &AtomicBool) -> io::Result<()> {
    // A guest that stops reading must not keep its thread beyond the story.
    guest.set_write_timeout(Some(Duration::from_secs(2)))?;
    let _ = guest.read(&mut [0; 2048])?;
    match manner {
        Manner::Endless => repeat(guest, &[b' '; 65_536], Duration::ZERO, over),
        Manner::Dripping => repeat(guest, b" ", Duration::from_millis(100), over),
        Manner::Garbage => guest.write_all(&[0xff, 0x00, 0x16, 0x03].repeat(1000)),
        Manner::RedirectTo(trap) => guest.write_all(redirect(trap).as_bytes()),
        Manner::Bottomless => guest.write_all(bottomless().as_bytes()),
    }
}

const JSON_HEAD: &str = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n";

fn repeat(
    mut guest: TcpStream,
    piece: &[u8],
    pause: Duration,
    over: &AtomicBool,
) -> io::Result<()> {
    write!(guest, "{JSON_HEAD}{{\"icestats\":")?;
    while !over.load(Ordering::Relaxed) {
        guest.write_all(piece)?;
        thread::sleep(pause);
    }
    Ok(())
}

fn redirect(trap: SocketAddr) -> String {
    format!(
        "HTTP/1.0 302 Found\r\nLocation: http://{trap}/status-json.xsl\r\nContent-Length: 0\r\n\r\n"
    )
}

fn bottomless() -> String {
    format!("{JSON_HEAD}{{\"icestats\":{}", "[".repeat(100_000))
}
