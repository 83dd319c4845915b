//! A swarm of listeners that check every byte, the source that feeds them, and guests who knock or do harm.
//! Run: `cargo bench --bench swarm -- --help`.
//!
//! Comes in: flags, and `snapshot` or `stop` as lines on the standard input. Goes out: a line of JSON when all listeners
//! were let in, at each `snapshot`, and at the end. One thread, no audio kept: 4,000 listeners take part of one core.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is what it is for"
)]

mod body;
mod feed;
mod hold;
mod knock;
mod listener;
mod programme;
mod record;
mod secure;

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{interval, sleep, sleep_until};

use hold::Crowd;
use listener::{Wish, listen};
use record::{Fate, Record, Shared, forget_gaps, sum_up, sum_up_by_label};
use secure::Terms;

/// Listeners who check that what they get is one unbroken piece of the programme that `feed` sends.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Flags {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where to tune in; https needs --ca.
    #[arg(long, required = true)]
    url: Option<url::Url>,
    /// Listeners who stay to the end.
    #[arg(long, default_value_t = 100)]
    listeners: u32,
    /// How many of them arrive in a second.
    #[arg(long, default_value_t = 200)]
    ramp_per_second: u32,
    /// Length of the run once they are in.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Further listeners who come every second once the others are in, and go again.
    #[arg(long, default_value_t = 0)]
    arrivals_per_second: u32,
    /// For how long each of those stays from his first audio on.
    #[arg(long, default_value = "1s")]
    stay: humantime::Duration,
    /// How long anybody waits for his first audio.
    #[arg(long, default_value = "10s")]
    patience: humantime::Duration,
    /// The header of the answer whose value groups the listeners in the report.
    #[arg(long, default_value = "icy-name")]
    label_header: String,
    #[command(flatten)]
    terms: Terms,
    /// Given by `cargo bench`.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Feeds the programme to an Icecast as `source:hackme`, 128 kbit/s, until it hangs up.
    Feed {
        /// The Icecast.
        #[arg(long)]
        master: SocketAddr,
        /// The mount.
        #[arg(long, default_value = "/live.mp3")]
        mount: String,
    },
    /// New connections with one request each, and how long they took.
    Knock(knock::Flags),
    /// Connections that are of no use, and when they are closed.
    Hold(hold::Flags),
}

fn main() -> io::Result<()> {
    let mut flags = Flags::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    match flags.command.take() {
        Some(Command::Feed { master, mount }) => feed::feed(master, &mount),
        Some(Command::Knock(flags)) => runtime.block_on(local.run_until(knock::knock(flags))),
        Some(Command::Hold(flags)) => runtime.block_on(local.run_until(hold(flags))),
        None => runtime.block_on(local.run_until(run(flags))),
    }
}

async fn hold(flags: hold::Flags) -> io::Result<()> {
    let (orders, seconds) = (orders(), flags.seconds);
    let crowd = Crowd::new(flags)?;
    crowd.come().await;
    println!("{}", crowd.report("ramped"));
    obey(orders, seconds, |event| crowd.report(event)).await;
    Ok(())
}

async fn run(flags: Flags) -> io::Result<()> {
    let swarm = Swarm::new(&flags)?;
    let orders = orders();
    ramp(&swarm, &flags).await;
    println!("{}", swarm.report("ramped"));
    if flags.arrivals_per_second > 0 {
        spawn_local(arrive(
            Rc::clone(&swarm),
            flags.arrivals_per_second,
            *flags.stay,
        ));
    }
    obey(orders, flags.seconds, |event| swarm.report(event)).await;
    Ok(())
}

/// Reports when it is told to, and at the end.
async fn obey(
    mut orders: mpsc::UnboundedReceiver<String>,
    seconds: u64,
    report: impl Fn(&str) -> serde_json::Value,
) {
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
    loop {
        tokio::select! {
            () = sleep_until(end) => break,
            Some(order) = orders.recv() => match order.as_str() {
                "snapshot" => println!("{}", report("snapshot")),
                "stop" => break,
                _ => eprintln!("expected snapshot or stop, found {order:?}"),
            },
        }
    }
    println!("{}", report("end"));
}

/// The lines of the standard input.
fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Lets the listeners in, and returns when each of them has audio or none to hope for.
async fn ramp(swarm: &Rc<Swarm>, flags: &Flags) {
    let mut ticks = interval(Duration::from_secs(1) / flags.ramp_per_second.max(1));
    for _ in 0..flags.listeners {
        ticks.tick().await;
        swarm.admit(&swarm.listeners, None);
    }
    while swarm.is_anybody_tuning_in() {
        sleep(Duration::from_millis(20)).await;
    }
}

async fn arrive(swarm: Rc<Swarm>, per_second: u32, stay: Duration) {
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    loop {
        ticks.tick().await;
        swarm.admit(&swarm.arrivals, Some(stay));
    }
}

/// Everybody who listens or listened.
#[derive(Debug)]
struct Swarm {
    wish: Wish,
    began: Instant,
    listeners: RefCell<Vec<Shared>>,
    arrivals: RefCell<Vec<Shared>>,
}

impl Swarm {
    fn new(flags: &Flags) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            wish: wish(flags)?,
            began: Instant::now(),
            listeners: RefCell::default(),
            arrivals: RefCell::default(),
        }))
    }

    fn admit(&self, group: &RefCell<Vec<Shared>>, stay: Option<Duration>) {
        let record = Rc::new(RefCell::new(Record::asking()));
        group.borrow_mut().push(Rc::clone(&record));
        spawn_local(listen(self.wish.clone(), stay, record));
    }

    fn is_anybody_tuning_in(&self) -> bool {
        let listeners = self.listeners.borrow();
        listeners
            .iter()
            .any(|record| record.borrow().fate == Fate::TuningIn)
    }

    /// What all of them got so far; their longest gaps since the last report.
    fn report(&self, event: &str) -> serde_json::Value {
        let now = Instant::now();
        let (listeners, arrivals) = (self.listeners.borrow(), self.arrivals.borrow());
        let report = json!({
            "event": event,
            "seconds": (now - self.began).as_secs_f64(),
            "listeners": sum_up(&listeners, now),
            "listeners_by_label": sum_up_by_label(&listeners, now),
            "arrivals": sum_up(&arrivals, now),
        });
        forget_gaps(&listeners);
        forget_gaps(&arrivals);
        report
    }
}

fn wish(flags: &Flags) -> io::Result<Wish> {
    let expected = |what: &str| io::Error::other(format!("--url: expected {what}"));
    let scheme = match flags.terms.are_given() {
        true => "https",
        false => "http",
    };
    let url = flags.url.as_ref().filter(|url| url.scheme() == scheme);
    let url = url.ok_or_else(|| expected(&format!("{scheme}://HOST:PORT/MOUNT")))?;
    let authority = url.authority();
    let port = url.port_or_known_default().unwrap_or(80);
    let host = url.host_str().ok_or_else(|| expected("a host"))?;
    let server = (host, port).to_socket_addrs()?.next();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: swarm\r\nAccept: */*\r\n\r\n",
        url.path()
    );
    Ok(Wish {
        server: server.ok_or_else(|| expected("a host with an address"))?,
        request,
        label_header: flags.label_header.clone(),
        secure: flags.terms.agree()?,
        patience: *flags.patience,
    })
}
