//! One HTTP question over a plain socket, and its answer, byte for byte: nothing is followed, kept alive or guessed.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// `admin:hackme`, as every icecast2 of the stories has it.
pub const ADMIN: (&str, &str) = ("Authorization", "Basic YWRtaW46aGFja21l");

/// No answer of the stories takes longer, a balancer's wait for its first polls included.
const PATIENCE: Duration = Duration::from_secs(8);

/// A question that can be asked of any server.
#[derive(Debug, Clone)]
pub struct Question {
    head: String,
    patience: Duration,
}

impl Question {
    /// `GET target`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Any method, in HTTP/1.1.
    pub fn new(method: &str, target: &str) -> Self {
        let head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        Self {
            head,
            patience: PATIENCE,
        }
    }

    /// With one more header.
    pub fn with(mut self, (name, value): (&str, &str)) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Waits no longer than that for the answer.
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends it, and returns the connection with the answer under way on it.
    pub fn send_to(&self, server: SocketAddr) -> io::Result<TcpStream> {
        let mut socket = TcpStream::connect_timeout(&server, self.patience)?;
        socket.set_read_timeout(Some(self.patience))?;
        let request = format!("{}Host: {server}\r\n\r\n", self.head);
        socket.write_all(request.as_bytes())?;
        Ok(socket)
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// When the server cannot be reached or gives no whole answer in time.
    pub fn ask(&self, server: SocketAddr) -> io::Result<Answer> {
        Asked(self.send_to(server)?).answer()
    }
}

/// All that comes back for these bytes until the server closes or falls silent.
pub fn answers_to_bytes(server: SocketAddr, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(server).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    // Half of a request that is refused early may find the way shut: only the answer counts.
    let _ = socket.write_all(request);
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A question that was sent and not answered yet.
#[derive(Debug)]
pub struct Asked(pub TcpStream);

impl Asked {
    /// Whether nothing has come after that time.
    pub fn still_waits_after(&self, time: Duration) -> bool {
        self.0.set_read_timeout(Some(time)).unwrap();
        let nothing = self.0.peek(&mut [0]).is_err();
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        nothing
    }

    /// The whole answer.
    ///
    /// # Errors
    /// When no whole answer comes within eight seconds.
    pub fn answer(mut self) -> io::Result<Answer> {
        let deadline = Instant::now() + PATIENCE;
        let mut answer = Answer::read_head(&mut self.0)?;
        answer.read_body(&mut self.0, deadline);
        Ok(answer)
    }
}

/// What a server said.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The first line, as it came.
    pub status_line: String,
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// All of the body, or what of it came with the head.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads up to the end of the head.
    pub fn read_head(socket: &mut TcpStream) -> io::Result<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        Self::parse_head(&String::from_utf8_lossy(&head))
            .ok_or_else(|| io::Error::other("not an HTTP head"))
    }

    fn parse_head(head: &str) -> Option<Self> {
        let mut lines = head.lines();
        let status_line = lines.next()?.to_owned();
        let status = status_line.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        Some(Self {
            status_line,
            status,
            headers: headers.collect(),
            body: Vec::new(),
        })
    }

    /// Reads what follows the head; a reset behind it ends the body, as icecast2 does to listeners too many.
    fn read_body(&mut self, socket: &mut TcpStream, deadline: Instant) {
        let length = self
            .header("content-length")
            .and_then(|text| text.parse().ok());
        let mut part = [0; 4096];
        while length.is_none_or(|length| self.body.len() < length) && Instant::now() < deadline {
            match socket.read(&mut part) {
                Ok(0) | Err(_) => break,
                Ok(n) => self.body.extend_from_slice(&part[..n]),
            }
        }
        if self.header("transfer-encoding") == Some("chunked") {
            self.body = unchunk(&self.body);
        }
    }

    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("not JSON ({e}): {}", self.text()))
    }

    /// Where a redirect points.
    #[track_caller]
    pub fn location(&self) -> &str {
        let location = self.header("location");
        location.unwrap_or_else(|| panic!("no Location in {} {}", self.status, self.text()))
    }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]);
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
            break;
        };
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else {
            break;
        };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    body
}
