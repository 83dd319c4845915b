//! What the tests are made of: folders, addresses, certificates of our own, and the keeper at work.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::acme::certificate::Certificate;
use crate::acme::clock::Clock;
use crate::acme::schedule::Pace;
use crate::acme::store::Store;
use crate::acme::{Acme, AcmeStatus, Challenges, Settings, paths};

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// Waits until it is so.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A pace for tests.
pub fn quick() -> Pace {
    Pace {
        first_pause: Duration::from_millis(100),
        longest_pause: Duration::from_millis(400),
        request: Duration::from_secs(5),
        verdict: Duration::from_secs(10),
        attempt: Duration::from_secs(15),
        wasted: DAY,
        look: Duration::from_millis(50),
    }
}

/// A set of names.
pub fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// An address of loopback that no other test has, so that its ports are free.
pub fn own_ip() -> Ipv4Addr {
    let run = std::process::id() % 62_500;
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    let octet = |value: u32| u8::try_from(1 + value % 250).unwrap();
    Ipv4Addr::new(127, octet(run / 250), octet(run), octet(n))
}

/// A folder that goes with its test.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    pub fn new() -> Self {
        let n = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("icecast-balancer-acme-{}-{n}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // Whatever the umask of the machine: a state directory must not be open to a group.
        DirBuilder::new().mode(0o755).create(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A chain of one and its key, good from `age` ago until `left` from now.
pub fn made(names: &[&str], age: Duration, left: Duration) -> (String, String) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let now = SystemTime::now();
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(age);
    params.not_after = date_time_ymd(1970, 1, 1) + (now + left);
    let key = KeyPair::generate().unwrap();
    let chain = params.self_signed(&key).unwrap().pem();
    (chain, key.serialize_pem())
}

/// Puts a certificate into the store that works for another day and should have been renewed long ago.
pub fn put_an_old_one(settings: &Settings) -> Vec<u8> {
    let domains: Vec<&str> = settings.domains.iter().map(String::as_str).collect();
    let (chain, key) = made(&domains, DAY * 89, DAY);
    let store = Store::new(&settings.state_dir);
    let draft = store.draft(&key, &settings.directory).unwrap();
    draft.publish(&chain).unwrap();
    chain.into_bytes()
}

/// The pair that is served, as the TLS binds read it; fails when it is none.
pub fn read_current(settings: &Settings) -> Option<Certificate> {
    let paths = paths(settings).settled().ok()?;
    let chain = fs::read(paths.chain).unwrap();
    let key = fs::read(paths.key).unwrap();
    Some(Certificate::parse(&chain, &key).unwrap())
}

/// A keeper at work, and perhaps the plain bind that answers for it.
#[derive(Debug)]
pub struct Kept {
    acme: Arc<Acme>,
    settings: watch::Sender<Settings>,
    tasks: Vec<JoinHandle<()>>,
}

impl Kept {
    /// Starts to keep, and answers challenges at `plain_bind`.
    pub async fn begin(settings: Settings, pace: Pace, plain_bind: SocketAddr) -> Self {
        Self::begin_at(Clock::default(), settings, pace, plain_bind).await
    }

    /// The same, by another clock.
    pub async fn begin_at(
        clock: Clock,
        settings: Settings,
        pace: Pace,
        plain_bind: SocketAddr,
    ) -> Self {
        // The one before may just be letting go of the address.
        let mut listener = None;
        eventually("the plain bind is free", || {
            listener = std::net::TcpListener::bind(plain_bind).ok();
            listener.is_some()
        })
        .await;
        let listener = listener.unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let mut kept = Self::begin_by(clock, settings, pace);
        let challenges = kept.acme.challenges();
        kept.tasks.push(tokio::spawn(answer(listener, challenges)));
        kept
    }

    /// The same, but nobody finds any answers.
    pub fn begin_unanswered(settings: Settings, pace: Pace) -> Self {
        Self::begin_by(Clock::default(), settings, pace)
    }

    fn begin_by(clock: Clock, settings: Settings, pace: Pace) -> Self {
        let settings = watch::Sender::new(settings);
        let acme = Arc::new(Acme::at_pace(settings.subscribe(), pace, clock));
        let keeper = acme.clone();
        let tasks = vec![tokio::spawn(async move { keeper.keep().await })];
        Self {
            acme,
            settings,
            tasks,
        }
    }

    /// Other settings from now on.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.settings.send_modify(change);
    }

    pub fn status(&self) -> AcmeStatus {
        self.acme.status().read()
    }

    /// Waits until so many certificates are issued.
    pub async fn issued(&self, count: u64) {
        eventually("so many are issued", || self.status().issued_total >= count).await;
    }

    /// Waits for a failure; returns its text.
    pub async fn failure(&self) -> String {
        eventually("it fails", || self.status().last_error.is_some()).await;
        self.status().last_error.unwrap()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn answer(listener: TcpListener, challenges: Challenges) {
    while let Ok((stream, _)) = listener.accept().await {
        // The server may hang up as it likes.
        let _ = answer_one(stream, &challenges).await;
    }
}

async fn answer_one(mut stream: TcpStream, challenges: &Challenges) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let token = path.strip_prefix("/.well-known/acme-challenge/");
    let answer = match token.and_then(|token| challenges.answer(token)) {
        Some(body) => format!("HTTP/1.0 200 OK\r\n\r\n{body}"),
        None => "HTTP/1.0 404 Not Found\r\n\r\n".to_owned(),
    };
    stream.write_all(answer.as_bytes()).await
}
