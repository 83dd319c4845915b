//! Connections that are of no use: silent, half begun, or fed a byte now and then; and idle ones.
//!
//! Comes in: flags, and `snapshot` or `stop` as lines on the standard input. Goes out: a line of JSON when all tried to get
//! in, at each `snapshot`, and at the end: how many are open, and after how long the server closed the others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rustls::ClientConnection;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::spawn_local;
use tokio::time::{interval, sleep};

use crate::record::spread;
use crate::secure::{Line, Secure, Terms};

const REQUEST: &[u8] = b"GET /live.mp3 HTTP/1.1\r\nHost: radio.example\r\nUser-Agent: swarm\r\n";

/// Who holds connections open, and how.
#[derive(Debug, Args)]
pub struct Flags {
    /// At whose door.
    #[arg(long)]
    server: SocketAddr,
    /// How many connections.
    #[arg(long, default_value_t = 500)]
    connections: u32,
    /// How many of them come in a second.
    #[arg(long, default_value_t = 1_000)]
    ramp_per_second: u32,
    /// From how many addresses of loopback: 127.200.0.1 and on.
    #[arg(long, default_value_t = 1)]
    addresses: u32,
    /// What they do.
    #[arg(long, value_enum)]
    posture: Posture,
    /// How long they wait from one byte to the next.
    #[arg(long, default_value = "5s")]
    every: humantime::Duration,
    /// Comes again when the server closes.
    #[arg(long)]
    again: bool,
    /// The length of the run, at most.
    #[arg(long, default_value_t = 600)]
    pub seconds: u64,
    #[command(flatten)]
    terms: Terms,
}

/// What is done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Posture {
    /// Nothing.
    Silent,
    /// The head of a request, a byte at a time.
    SlowHead,
    /// TLS' first message, a byte at a time.
    SlowHello,
    /// Half of TLS' first message, then nothing.
    HalfHello,
    /// A TLS handshake, then nothing.
    Secured,
    /// One request, its answer, then nothing.
    Answered,
}

impl Posture {
    fn is_below_tls(self) -> bool {
        matches!(self, Self::Silent | Self::SlowHello | Self::HalfHello)
    }
}

/// All who hold.
#[derive(Debug)]
pub struct Crowd {
    flags: Flags,
    secure: Option<Secure>,
    hello: Vec<u8>,
    tally: RefCell<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    open: u64,
    opened: u64,
    answered: u64,
    /// From the connection to its end.
    closed: Vec<Duration>,
    ends: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
}

impl Crowd {
    /// A crowd that has yet to come.
    ///
    /// # Errors
    /// When the flags make no sense.
    pub fn new(flags: Flags) -> io::Result<Rc<Self>> {
        let secure = flags.terms.agree()?;
        let hello = secure.as_ref().map_or(Ok(Vec::new()), hello)?;
        if hello.is_empty()
            && !matches!(
                flags.posture,
                Posture::Silent | Posture::SlowHead | Posture::Answered
            )
        {
            return Err(io::Error::other("--posture: this one needs --ca"));
        }
        Ok(Rc::new(Self {
            flags,
            secure,
            hello,
            tally: RefCell::default(),
        }))
    }

    /// Lets all come.
    pub async fn come(self: &Rc<Self>) {
        let mut ticks = interval(Duration::from_secs(1) / self.flags.ramp_per_second.max(1));
        for number in 0..self.flags.connections {
            ticks.tick().await;
            spawn_local(Rc::clone(self).stay(number));
        }
    }

    async fn stay(self: Rc<Self>, number: u32) {
        loop {
            match self.connect(number).await {
                Ok(socket) => self.hold(socket).await,
                Err(error) => {
                    let mut tally = self.tally.borrow_mut();
                    *tally.refused.entry(error.to_string()).or_default() += 1;
                }
            }
            if !self.flags.again {
                return;
            }
            // Without it a server that closes at once would be all that this process sees.
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn connect(&self, number: u32) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        let first = u32::from(Ipv4Addr::new(127, 200, 0, 1));
        let own = Ipv4Addr::from(first + number % self.flags.addresses.max(1));
        socket.bind(SocketAddr::new(IpAddr::V4(own), 0))?;
        socket.connect(self.flags.server).await
    }

    async fn hold(&self, socket: TcpStream) {
        let began = Instant::now();
        {
            let mut tally = self.tally.borrow_mut();
            tally.open += 1;
            tally.opened += 1;
        }
        let end = match self.stand(socket).await {
            Ok(how) => how.to_owned(),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "no close_notify".to_owned()
            }
            Err(error) => error.to_string(),
        };
        let mut tally = self.tally.borrow_mut();
        tally.open -= 1;
        tally.closed.push(began.elapsed());
        *tally.ends.entry(end).or_default() += 1;
    }

    /// Holds one connection; says how the server ended it.
    async fn stand(&self, socket: TcpStream) -> io::Result<&'static str> {
        let secure = self.secure.as_ref();
        let secure = secure.filter(|_| !self.flags.posture.is_below_tls());
        let mut line = Line::on(socket, secure).await?;
        match self.flags.posture {
            Posture::Silent | Posture::Secured => wait_for_the_end(&mut line).await,
            Posture::HalfHello => {
                let half = self.hello.get(..self.hello.len() / 2).unwrap_or(&[]);
                line.write_all(half).await?;
                wait_for_the_end(&mut line).await
            }
            Posture::SlowHello => self.drip(&mut line, self.hello.iter().copied()).await,
            Posture::SlowHead => {
                let fields = b"X-Slow: a\r\n".iter().cycle();
                self.drip(&mut line, REQUEST.iter().chain(fields).copied())
                    .await
            }
            Posture::Answered => {
                line.write_all(&[REQUEST, b"\r\n"].concat()).await?;
                line.flush().await?;
                let got = line.read(&mut [0; 4_096]).await?;
                self.tally.borrow_mut().answered += u64::from(got > 0);
                wait_for_the_end(&mut line).await
            }
        }
    }

    async fn drip(
        &self,
        line: &mut Line,
        bytes: impl Iterator<Item = u8>,
    ) -> io::Result<&'static str> {
        for byte in bytes {
            line.write_all(&[byte]).await?;
            line.flush().await?;
            tokio::select! {
                end = wait_for_the_end(line) => return end,
                () = sleep(*self.flags.every) => {}
            }
        }
        wait_for_the_end(line).await
    }

    /// How they fare.
    pub fn report(&self, event: &str) -> serde_json::Value {
        let tally = self.tally.borrow();
        json!({
            "event": event,
            "open": tally.open,
            "opened": tally.opened,
            "answered": tally.answered,
            "refused": tally.refused,
            "closed": tally.closed.len(),
            "ends": tally.ends,
            "open_seconds": spread(tally.closed.clone()),
        })
    }
}

/// Waits until the server closes; what it says before that (an alert, a 408) does not count.
async fn wait_for_the_end(line: &mut Line) -> io::Result<&'static str> {
    let mut buffer = [0; 512];
    while line.read(&mut buffer).await? > 0 {}
    Ok("closed")
}

/// TLS' first message, whole.
fn hello(secure: &Secure) -> io::Result<Vec<u8>> {
    let config = Arc::clone(&secure.config);
    let client = ClientConnection::new(config, secure.name.clone());
    let mut hello = Vec::new();
    let mut client = client.map_err(io::Error::other)?;
    client.write_tls(&mut hello)?;
    Ok(hello)
}
