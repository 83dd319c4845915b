//! Knocking: a new connection, one request, its answer, the end; again and again.
//!
//! Comes in: flags. Goes out: one line of JSON. Either so many at once, one after the other, or so many begun in a second
//! whatever became of those before: their times count from when they were due.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::record::spread;
use crate::secure::{Line, Secure, Terms};

/// An answer to `Connection: close` is a head and a line of text.
const LONGEST_ANSWER_BYTES: usize = 65_536;

/// What is knocked at, and how often.
#[derive(Debug, Args)]
pub struct Flags {
    /// Whom.
    #[arg(long)]
    server: SocketAddr,
    /// What is asked for.
    #[arg(long, default_value = "/live.mp3")]
    path: String,
    /// The status that is expected.
    #[arg(long, default_value_t = 307)]
    status: u16,
    /// How many connections in all.
    #[arg(long, default_value_t = 1_000)]
    connections: usize,
    /// How many at once.
    #[arg(long, default_value_t = 8, conflicts_with = "per_second")]
    at_once: usize,
    /// How many are begun in a second.
    #[arg(long)]
    per_second: Option<u32>,
    /// How long one may take.
    #[arg(long, default_value = "10s")]
    patience: humantime::Duration,
    #[command(flatten)]
    terms: Terms,
}

/// What all visits share.
#[derive(Debug)]
struct Plan {
    server: SocketAddr,
    request: String,
    expected: String,
    patience: Duration,
    secure: Option<Secure>,
    tally: RefCell<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    times: Vec<Duration>,
    handshakes: BTreeMap<String, u64>,
    failures: BTreeMap<String, u64>,
    /// TLS connections that ended without a word.
    cut: u64,
    answer_bytes: u64,
}

/// Knocks, and reports.
///
/// # Errors
/// When the flags make no sense.
pub async fn knock(flags: Flags) -> io::Result<()> {
    let plan = Rc::new(Plan {
        server: flags.server,
        request: format!(
            "GET {} HTTP/1.1\r\nHost: radio.example\r\nUser-Agent: swarm\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            flags.path
        ),
        expected: format!("HTTP/1.1 {} ", flags.status),
        patience: *flags.patience,
        secure: flags.terms.agree()?,
        tally: RefCell::default(),
    });
    let began = Instant::now();
    match flags.per_second {
        Some(rate) => at_rate(&plan, flags.connections, rate).await,
        None => at_once(&plan, flags.connections, flags.at_once).await,
    }
    println!("{}", plan.report(flags.connections, began.elapsed()));
    Ok(())
}

async fn at_once(plan: &Rc<Plan>, connections: usize, at_once: usize) {
    let mut visitors = JoinSet::new();
    for visitor in 0..at_once {
        let plan = Rc::clone(plan);
        let visits = (visitor..connections).step_by(at_once).len();
        visitors.spawn_local(async move {
            for _ in 0..visits {
                plan.visit(Instant::now()).await;
            }
        });
    }
    while visitors.join_next().await.is_some() {}
}

async fn at_rate(plan: &Rc<Plan>, connections: usize, per_second: u32) {
    let mut ticks = interval(Duration::from_secs(1) / per_second.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut visitors = JoinSet::new();
    for _ in 0..connections {
        let due = ticks.tick().await.into_std();
        let plan = Rc::clone(plan);
        visitors.spawn_local(async move { plan.visit(due).await });
        while visitors.try_join_next().is_some() {}
    }
    while visitors.join_next().await.is_some() {}
}

impl Plan {
    async fn visit(&self, due: Instant) {
        let ended = timeout(self.patience, self.ask()).await;
        let mut tally = self.tally.borrow_mut();
        match ended.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(()) => tally.times.push(due.elapsed()),
            Err(why) => *tally.failures.entry(why).or_default() += 1,
        }
    }

    async fn ask(&self) -> Result<(), String> {
        let at = |place: &'static str| move |error: io::Error| format!("{place}: {error}");
        let socket = TcpStream::connect(self.server).await;
        let socket = socket.map_err(at("connecting"))?;
        // As browsers and players have it.
        socket.set_nodelay(true).map_err(at("connecting"))?;
        let line = Line::on(socket, self.secure.as_ref()).await;
        let mut line = line.map_err(at("handshake"))?;
        let sent = line.write_all(self.request.as_bytes()).await;
        let sent = sent.and(line.flush().await);
        sent.map_err(at("asking"))?;
        let mut answer = Vec::with_capacity(1_024);
        let mut limited = (&mut line).take(LONGEST_ANSWER_BYTES as u64);
        let end = limited.read_to_end(&mut answer).await;
        let was_cut = matches!(&end, Err(error) if error.kind() == io::ErrorKind::UnexpectedEof);
        if !was_cut {
            end.map_err(at("reading"))?;
        }
        self.check(&answer)?;
        let mut tally = self.tally.borrow_mut();
        tally.cut += u64::from(was_cut);
        tally.answer_bytes += answer.len() as u64;
        if let Some(terms) = terms_of(&line) {
            *tally.handshakes.entry(terms).or_default() += 1;
        }
        Ok(())
    }

    fn check(&self, answer: &[u8]) -> Result<(), String> {
        if answer.starts_with(self.expected.as_bytes()) {
            return Ok(());
        }
        let first = answer.split(|byte| *byte == b'\r').next().unwrap_or(&[]);
        match first.is_empty() {
            true => Err("no answer".to_owned()),
            false => Err(format!("answered {}", String::from_utf8_lossy(first))),
        }
    }

    fn report(&self, asked: usize, took: Duration) -> serde_json::Value {
        let tally = self.tally.borrow();
        json!({
            "event": "end",
            "seconds": took.as_secs_f64(),
            "asked": asked,
            "answered": tally.times.len(),
            "failures": tally.failures,
            "handshakes": tally.handshakes,
            "cut_without_close_notify": tally.cut,
            "answer_bytes": tally.answer_bytes,
            "answer_seconds": spread(tally.times.clone()),
        })
    }
}

/// What was agreed on, for the report: `Full TLSv1_3 TLS13_AES_256_GCM_SHA384 X25519`.
fn terms_of(line: &Line) -> Option<String> {
    let Line::Secured(stream) = line else {
        return None;
    };
    let session = stream.get_ref().1;
    let group = session.negotiated_key_exchange_group();
    Some(format!(
        "{:?} {:?} {:?} {}",
        session.handshake_kind()?,
        session.protocol_version()?,
        session.negotiated_cipher_suite()?.suite(),
        group.map_or("-".to_owned(), |group| format!("{:?}", group.name()))
    ))
}
