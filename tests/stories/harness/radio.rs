//! A radio: stays tuned in, in a thread of its own, and keeps every byte that comes, with the time at which it came.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::ear::{Ear, Heard};
use super::http::Answer;
use super::wait::{eventually, within};

/// No answer takes longer, a balancer's tries of several relays included.
const PATIENCE: Duration = Duration::from_secs(12);

/// How a radio asks for a mount.
#[derive(Debug, Clone)]
pub struct TuneIn {
    line: String,
    fields: String,
    behind: Vec<u8>,
}

impl TuneIn {
    /// In HTTP/1.1, as most players do.
    pub fn to(mount: &str) -> Self {
        Self {
            line: format!("GET {mount} HTTP/1.1"),
            fields: "Host: radio.example\r\n".to_owned(),
            behind: Vec::new(),
        }
    }

    /// In HTTP/1.0 and without a Host, as old ones do.
    pub fn in_http_1_0(mount: &str) -> Self {
        Self {
            line: format!("GET {mount} HTTP/1.0"),
            fields: String::new(),
            behind: Vec::new(),
        }
    }

    /// With one more header.
    pub fn with(mut self, (name, value): (&str, &str)) -> Self {
        self.fields.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Asks for titles between the audio.
    pub fn with_titles(self) -> Self {
        self.with(("Icy-MetaData", "1"))
    }

    /// With bytes behind the request that no server asked for.
    pub fn with_bytes_behind(mut self, bytes: &[u8]) -> Self {
        self.behind = bytes.to_vec();
        self
    }

    /// Tunes in, and returns when the head of the answer is there.
    ///
    /// # Errors
    /// When the server cannot be reached or sends no head.
    pub fn at(&self, server: SocketAddr) -> io::Result<Radio> {
        let mut socket = TcpStream::connect_timeout(&server, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let request = format!("{}\r\n{}\r\n", self.line, self.fields);
        socket.write_all(&[request.as_bytes(), &self.behind].concat())?;
        let head = Answer::read_head(&mut socket)?;
        socket.set_read_timeout(None)?;
        Ok(Radio::new(socket, head))
    }
}

/// A radio that plays; dropping it hangs up.
#[derive(Debug)]
pub struct Radio {
    head: Answer,
    socket: TcpStream,
    tape: Arc<Mutex<Tape>>,
}

/// What came so far.
#[derive(Debug)]
struct Tape {
    ear: Ear,
    /// When audio came, and how many bytes there were then.
    arrivals: Vec<(Instant, usize)>,
    end: Option<End>,
}

/// How the connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The server said that this is the end: the last chunk of a chunked body.
    Complete,
    /// The server closed the connection.
    Closed,
    /// The connection broke.
    Broken(io::ErrorKind),
}

impl Radio {
    fn new(socket: TcpStream, head: Answer) -> Self {
        let chunked = head.header("transfer-encoding") == Some("chunked");
        let metaint = head
            .header("icy-metaint")
            .and_then(|text| text.parse().ok());
        let tape = Arc::new(Mutex::new(Tape {
            ear: Ear::new(chunked, metaint),
            arrivals: vec![(Instant::now(), 0)],
            end: None,
        }));
        let (wire, theirs) = (socket.try_clone().unwrap(), Arc::clone(&tape));
        thread::spawn(move || record(wire, &theirs));
        Self { head, socket, tape }
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap()
    }

    /// The head of the answer.
    pub fn head(&self) -> &Answer {
        &self.head
    }

    /// Everything that was heard so far.
    pub fn heard(&self) -> Heard {
        self.tape().ear.heard().clone()
    }

    /// The audio so far.
    pub fn audio(&self) -> Vec<u8> {
        self.heard().audio
    }

    /// How many bytes of audio came so far.
    pub fn heard_bytes(&self) -> usize {
        self.tape().ear.heard().audio.len()
    }

    /// Each title, once for each time that it was announced.
    pub fn titles(&self) -> Vec<String> {
        let heard = self.heard();
        let blocks = heard.titles.iter();
        let titles = blocks.filter_map(|(_, block)| block.strip_prefix("StreamTitle='"));
        titles
            .map(|rest| rest.split("';").next().unwrap_or(rest).to_owned())
            .collect()
    }

    /// How the connection ended; `None` while it lasts.
    pub fn end(&self) -> Option<End> {
        self.tape().end.clone()
    }

    /// Waits until so many bytes more have come.
    #[track_caller]
    pub fn hear(&self, bytes: usize, limit: Duration) {
        self.hear_up_to(self.heard_bytes() + bytes, limit);
    }

    /// Waits until so many bytes have come in all.
    #[track_caller]
    pub fn hear_up_to(&self, bytes: usize, limit: Duration) {
        let there = within(limit, || {
            self.heard_bytes() >= bytes || self.end().is_some()
        });
        assert!(
            there && self.heard_bytes() >= bytes,
            "waited up to {limit:?} for {bytes} bytes, heard {}; the connection: {:?}",
            self.heard_bytes(),
            self.end()
        );
    }

    /// Waits until the connection has ended.
    #[track_caller]
    pub fn hear_the_end(&self, limit: Duration) -> End {
        eventually(limit, "the connection ends", || self.end().is_some());
        self.end().unwrap()
    }

    /// The longest time without audio since `since`, up to now.
    pub fn longest_gap_since(&self, since: Instant) -> Duration {
        let tape = self.tape();
        let times = tape.arrivals.iter().map(|(at, _)| *at);
        let mut times: Vec<_> = times.filter(|at| *at > since).collect();
        times.push(Instant::now());
        let mut last = since;
        let gaps = times
            .into_iter()
            .map(|at| at - std::mem::replace(&mut last, at));
        gaps.max().unwrap_or_default()
    }

    /// Says that it will send nothing more, and goes on listening.
    pub fn close_its_side(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends bytes that nobody asked for.
    pub fn send(&self, bytes: &[u8]) {
        (&self.socket).write_all(bytes).unwrap();
    }

    /// The address that it calls from.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Hangs up.
    pub fn hang_up(self) {}
}

impl Drop for Radio {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

fn record(mut wire: TcpStream, tape: &Mutex<Tape>) {
    let mut part = vec![0; 65_536];
    loop {
        let read = wire.read(&mut part);
        let mut tape = tape.lock().unwrap();
        match read {
            Ok(0) => tape.finish(End::Closed),
            Ok(n) => tape.take(&part[..n]),
            Err(e) => tape.finish(End::Broken(e.kind())),
        }
        if tape.end.is_some() {
            return;
        }
    }
}

impl Tape {
    fn take(&mut self, bytes: &[u8]) {
        let before = self.ear.heard().audio.len();
        self.ear.take(bytes);
        let heard = self.ear.heard();
        if heard.audio.len() > before {
            self.arrivals.push((Instant::now(), heard.audio.len()));
        }
        if heard.is_complete {
            self.finish(End::Complete);
        }
    }

    fn finish(&mut self, end: End) {
        self.end.get_or_insert(end);
    }
}
