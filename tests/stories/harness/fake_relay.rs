//! A fake relay: says on its status page that it carries a mount, notes what it is asked, and answers as it was told.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::ports;
use super::programme::{BURST_BYTES, BYTES_PER_SECOND, programme};

/// One fake relay; dropping it ends it.
#[derive(Debug)]
pub struct FakeRelay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What a relay does that does not go on.
#[derive(Debug, Clone, Copy)]
enum Then {
    Waits,
    Closes,
    Trickles,
}

#[derive(Debug)]
struct Shared {
    mount: String,
    answer: Mutex<String>,
    /// Audio after which it does not go on, and what it does then.
    silence: Mutex<Option<(usize, Then)>>,
    /// Time that it takes for its status page.
    status_after: Mutex<Duration>,
    /// Since when it is live; `None`: each listener gets the programme from its beginning.
    live_since: Mutex<Option<Instant>>,
    over: AtomicBool,
    asked: Mutex<Vec<String>>,
    listening: Mutex<usize>,
}

impl FakeRelay {
    /// Carries `mount`; whoever asks for it gets the head `answer`, and the programme behind it if that says 200.
    pub fn answering(mount: &str, answer: &str) -> Self {
        let door = ports::own_listener();
        let address = door.local_addr().unwrap();
        let shared = Arc::new(Shared {
            mount: mount.to_owned(),
            answer: Mutex::new(answer.to_owned()),
            silence: Mutex::default(),
            status_after: Mutex::default(),
            live_since: Mutex::default(),
            over: AtomicBool::new(false),
            asked: Mutex::default(),
            listening: Mutex::default(),
        });
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for guest in door.incoming().map_while(Result::ok) {
                if theirs.over.load(Ordering::Relaxed) {
                    return;
                }
                let theirs = Arc::clone(&theirs);
                thread::spawn(move || theirs.receive(guest));
            }
        });
        Self { address, shared }
    }

    /// Carries `mount` as icecast2 would.
    pub fn of(mount: &str) -> Self {
        Self::answering(mount, "HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n")
    }

    /// Sends so many bytes of audio and keeps the connection in silence.
    pub fn silent_after(self, bytes: usize) -> Self {
        *self.shared.silence.lock().unwrap() = Some((bytes, Then::Waits));
        self
    }

    /// Sends so many bytes of audio, and then a byte each second.
    pub fn trickling_after(self, bytes: usize) -> Self {
        *self.shared.silence.lock().unwrap() = Some((bytes, Then::Trickles));
        self
    }

    /// Closes the connection behind the head.
    pub fn closing_after_the_head(self) -> Self {
        *self.shared.silence.lock().unwrap() = Some((0, Then::Closes));
        self
    }

    /// Is live since then: listeners begin with the burst of that moment, as do those of other relays that are.
    pub fn live_since(self, since: Instant) -> Self {
        *self.shared.live_since.lock().unwrap() = Some(since);
        self
    }

    /// Takes so long for each status page.
    pub fn with_status_after(self, time: Duration) -> Self {
        *self.shared.status_after.lock().unwrap() = time;
        self
    }

    /// Answers with another head from now on.
    pub fn answer_from_now_on(&self, answer: &str) {
        *self.shared.answer.lock().unwrap() = answer.to_owned();
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of all requests for its mount, as they came.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many listeners it has now.
    pub fn listening(&self) -> usize {
        *self.shared.listening.lock().unwrap()
    }
}

impl Drop for FakeRelay {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for guests.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn receive(&self, mut guest: TcpStream) -> io::Result<()> {
        guest.set_read_timeout(Some(Duration::from_secs(5)))?;
        guest.set_write_timeout(Some(Duration::from_secs(2)))?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            guest.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let target = head.split(' ').nth(1).unwrap_or_default();
        if target.starts_with("/status-json.xsl") {
            let after = *self.status_after.lock().unwrap();
            thread::sleep(after);
            return guest.write_all(self.status().as_bytes());
        }
        if !target.starts_with(&self.mount) {
            return guest.write_all(b"HTTP/1.0 404 File Not Found\r\n\r\n");
        }
        self.asked.lock().unwrap().push(head);
        let answer = self.answer.lock().unwrap().clone();
        guest.write_all(answer.as_bytes())?;
        let first = answer.lines().next();
        if first.is_some_and(|line| line.contains(" 200")) {
            *self.listening.lock().unwrap() += 1;
            let silence = *self.silence.lock().unwrap();
            let _ = match silence {
                None => self.play(&mut guest),
                Some(silence) => self.fall_silent(silence, &mut guest),
            };
            *self.listening.lock().unwrap() -= 1;
        }
        Ok(())
    }

    /// The beginning of the programme, and no more of it.
    fn fall_silent(&self, (bytes, then): (usize, Then), guest: &mut TcpStream) -> io::Result<()> {
        let programme = self.rest_of_programme();
        guest.write_all(&programme[..bytes])?;
        match then {
            Then::Closes => Ok(()),
            Then::Waits => {
                guest.set_read_timeout(None)?;
                guest.read(&mut [0]).map(drop)
            }
            Then::Trickles => {
                for byte in &programme[bytes..] {
                    if self.over.load(Ordering::Relaxed) {
                        break;
                    }
                    thread::sleep(Duration::from_secs(1));
                    guest.write_all(&[*byte])?;
                }
                Ok(())
            }
        }
    }

    fn status(&self) -> String {
        let (mount, listeners) = (&self.mount, *self.listening.lock().unwrap());
        let page = format!(
            "{{\"icestats\":{{\"server_start_iso8601\":\"2026-01-01T00:00:00+0000\",\"source\":{{\"listeners\":{listeners},\
             \"listenurl\":\"http://localhost:8000{mount}\",\"server_type\":\"audio/mpeg\",\
             \"stream_start_iso8601\":\"2026-01-01T00:00:00+0000\",\"dummy\":null}}}}}}"
        );
        format!(
            "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{page}",
            page.len()
        )
    }

    /// The programme from its beginning, or from where the burst of this moment begins.
    fn rest_of_programme(&self) -> &'static [u8] {
        let since = *self.live_since.lock().unwrap();
        let passed = since.map_or(Duration::ZERO, |since| since.elapsed());
        let bytes = passed.as_millis() as usize * BYTES_PER_SECOND / 1_000;
        &programme()[bytes..]
    }

    /// The programme from its beginning: a burst, then in real time.
    fn play(&self, guest: &mut TcpStream) -> io::Result<()> {
        const PIECES_PER_SECOND: usize = 10;
        let (burst, rest) = self.rest_of_programme().split_at(BURST_BYTES);
        guest.write_all(burst)?;
        for piece in rest.chunks(BYTES_PER_SECOND / PIECES_PER_SECOND) {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            thread::sleep(Duration::from_secs(1) / PIECES_PER_SECOND as u32);
            guest.write_all(piece)?;
        }
        Ok(())
    }
}
