//! The source: feeds the programme to a mount of the master, at the pace of real time.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::http::Answer;
use super::programme::{BYTES_PER_SECOND, programme};

/// Sent at once, so that every server has a full burst from the first second.
const LEAD_BYTES: usize = 96_000;

/// icecast2 passes on blocks of 1400 bytes: one every 175 ms at this bitrate.
const BETWEEN_WRITES: Duration = Duration::from_millis(60);

/// A source under way; dropping it ends the programme.
#[derive(Debug)]
pub struct Source {
    over: Arc<AtomicBool>,
    feeder: Option<JoinHandle<()>>,
}

impl Source {
    /// Connects to `master` as the source of `mount` and feeds it from now on.
    #[track_caller]
    pub fn feeding(master: SocketAddr, mount: &str) -> Self {
        let socket = connect(master, mount).expect("the master takes the source");
        let over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&over);
        let feeder = thread::spawn(move || feed(socket, &flag));
        Self {
            over,
            feeder: Some(feeder),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}

fn connect(master: SocketAddr, mount: &str) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(master)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    // A master that hangs must not keep its source, and with it the story's end, waiting.
    socket.set_write_timeout(Some(Duration::from_secs(1)))?;
    // `source:hackme`, as every icecast2 of the stories has it.
    let head = format!(
        "SOURCE {mount} HTTP/1.0\r\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\r\n\
         Content-Type: audio/mpeg\r\nice-name: The Stories\r\nice-bitrate: 64\r\n\r\n"
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

fn feed(mut socket: TcpStream, over: &AtomicBool) {
    let began = Instant::now();
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        let due = LEAD_BYTES + bytes_in(began.elapsed());
        let piece = programme()
            .get(sent..due)
            .expect("a story shorter than its programme");
        if socket.write_all(piece).is_err() {
            return;
        }
        sent = due;
        thread::sleep(BETWEEN_WRITES);
    }
}

fn bytes_in(time: Duration) -> usize {
    let bytes = time.as_millis() * BYTES_PER_SECOND as u128 / 1000;
    usize::try_from(bytes).unwrap()
}
