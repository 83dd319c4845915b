//! The source: feeds a programme to a mount of the master, at the pace of real time.
//!
//! A story may silence it, take it off the air and bring it back; what it has sent is known to the byte.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::http::Answer;
use super::programme::{Format, silence};

/// Sent at once, so that every server has a full burst from the first second.
const LEAD_BYTES: usize = 96_000;

/// icecast2 passes on blocks of 1400 bytes: one every 175 ms at this bitrate.
const BETWEEN_WRITES: Duration = Duration::from_millis(60);

/// A source under way; dropping it ends the programme.
#[derive(Debug)]
pub struct Source {
    studio: Arc<Studio>,
    feeder: Option<JoinHandle<()>>,
}

/// What the feeder and the story share.
#[derive(Debug)]
struct Studio {
    over: AtomicBool,
    on_air: AtomicBool,
    dumb: AtomicBool,
    tape: Mutex<Tape>,
    format: Format,
}

/// The programme, and how much of it the master has.
#[derive(Debug)]
struct Tape {
    bytes: Vec<u8>,
    sent: usize,
}

impl Source {
    /// Connects to `master` as the source of `mount` and feeds it the programme in this format from now on.
    #[track_caller]
    pub fn feeding_in(format: Format, master: SocketAddr, mount: &str) -> Self {
        let tape = Tape {
            bytes: format.programme().bytes.clone(),
            sent: 0,
        };
        let socket = connect(master, mount, format).expect("the master takes the source");
        let studio = Arc::new(Studio {
            over: AtomicBool::new(false),
            on_air: AtomicBool::new(true),
            dumb: AtomicBool::new(false),
            tape: Mutex::new(tape),
            format,
        });
        let (theirs, mount) = (Arc::clone(&studio), mount.to_owned());
        let feeder = thread::spawn(move || theirs.work(socket, master, &mount));
        Self {
            studio,
            feeder: Some(feeder),
        }
    }

    /// All that it has sent and will send: a listener's bytes are a piece of it.
    pub fn programme(&self) -> Vec<u8> {
        self.studio.tape().bytes.clone()
    }

    /// How it is encoded.
    pub fn format(&self) -> Format {
        self.studio.format
    }

    /// Plays silence from the next frame on, then goes on with the programme; returns where the silence begins and ends.
    pub fn fall_silent(&self, millis: u32) -> (usize, usize) {
        let silence = silence(millis);
        let mut tape = self.studio.tape();
        let begin = next_frame(&tape.bytes, tape.sent);
        let end = begin + silence.len();
        tape.bytes.splice(begin..begin, silence);
        (begin, end)
    }

    /// Sends nothing, and keeps the line: everything behind it falls silent.
    pub fn hang(&self) {
        self.studio.dumb.store(true, Ordering::Relaxed);
    }

    /// Goes on, at first with all that it should have sent meanwhile.
    pub fn go_on(&self) {
        self.studio.dumb.store(false, Ordering::Relaxed);
    }

    /// Hangs up, as a studio whose line is cut.
    pub fn go_off_air(&self) {
        self.studio.on_air.store(false, Ordering::Relaxed);
    }

    /// Connects again and goes on where it ended.
    pub fn come_back(&self) {
        self.studio.on_air.store(true, Ordering::Relaxed);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.studio.over.store(true, Ordering::Relaxed);
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}

fn connect(master: SocketAddr, mount: &str, format: Format) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(master)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    // A master that hangs must not keep its source, and with it the story's end, waiting.
    socket.set_write_timeout(Some(Duration::from_secs(1)))?;
    let content_type = format.content_type();
    // `source:hackme`, as every icecast2 of the stories has it.
    let head = format!(
        "SOURCE {mount} HTTP/1.0\r\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\r\n\
         Content-Type: {content_type}\r\nice-name: The Stories\r\nice-bitrate: 64\r\n\r\n"
    );
    socket.write_all(head.as_bytes())?;
    let answer = Answer::read_head(&mut socket)?;
    if answer.status == 200 {
        Ok(socket)
    } else {
        Err(io::Error::other(format!(
            "the master answered {}",
            answer.status
        )))
    }
}

impl Studio {
    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap()
    }

    /// Feeds whenever it is on air, until it is over.
    fn work(&self, socket: TcpStream, master: SocketAddr, mount: &str) {
        let mut line = Some(socket);
        let mut lead = LEAD_BYTES;
        while !self.over.load(Ordering::Relaxed) {
            if let Some(socket) = line.take() {
                self.feed(socket, lead);
                // A studio that comes back has nothing in store.
                lead = 0;
            } else if self.on_air.load(Ordering::Relaxed) {
                line = connect(master, mount, self.format).ok();
            }
            thread::sleep(BETWEEN_WRITES);
        }
    }

    fn feed(&self, mut socket: TcpStream, lead: usize) {
        let (began, from) = (Instant::now(), self.tape().sent);
        let pace = self.format.programme().bytes_per_second;
        while self.on_air.load(Ordering::Relaxed) && !self.over.load(Ordering::Relaxed) {
            if self.dumb.load(Ordering::Relaxed) {
                thread::sleep(BETWEEN_WRITES);
                continue;
            }
            let due = from + lead + bytes_in(began.elapsed(), pace);
            let piece = self.tape().take(due);
            if socket.write_all(&piece).is_err() {
                return;
            }
            thread::sleep(BETWEEN_WRITES);
        }
    }
}

impl Tape {
    fn take(&mut self, due: usize) -> Vec<u8> {
        let piece = self.bytes.get(self.sent..due);
        let piece = piece.expect("a story shorter than its programme").to_vec();
        self.sent = due;
        piece
    }
}

fn bytes_in(time: Duration, bytes_per_second: usize) -> usize {
    let bytes = time.as_millis() * bytes_per_second as u128 / 1000;
    usize::try_from(bytes).unwrap()
}

/// The first MP3 frame from `from` on; all frames begin as the first does, but for the bit that says it is padded.
fn next_frame(bytes: &[u8], from: usize) -> usize {
    let first = [bytes[0], bytes[1], bytes[2] & 0xfd];
    let rest = bytes[from..].windows(3);
    let found = rest.map(|at| [at[0], at[1], at[2] & 0xfd]);
    let mut found = found.enumerate().filter(|(_, header)| *header == first);
    from + found.next().expect("one more frame").0
}
