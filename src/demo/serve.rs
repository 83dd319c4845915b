//! One connection of a demo relay, from its request to its end.
//!
//! Comes in: an accepted socket. Goes out: the programme at its own pace, or a short answer. Never waits for a
//! listener that does not read.

use super::answer;
use super::feed::{Block, Cursor, Feed};
use super::head::read_head;
use super::icy::Weaver;
use super::request::Request;
use super::status_page::StatusPage;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::select;
use tokio::time::timeout;

/// ICECAST: `header-timeout` is 15 s; nothing on loopback needs 10.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// A short answer fits into the socket's buffer; who takes none of it for this long has gone.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// What all connections of one relay share.
#[derive(Debug)]
pub struct House {
    /// The programme.
    pub feed: Feed,
    /// The port that the relay listens on.
    pub port: u16,
    /// When the relay began to listen.
    pub began: SystemTime,
    listeners: AtomicU32,
    listener_peak: AtomicU32,
}

impl House {
    /// A house without listeners.
    pub fn new(feed: Feed, port: u16) -> Self {
        Self {
            feed,
            port,
            began: SystemTime::now(),
            listeners: AtomicU32::new(0),
            listener_peak: AtomicU32::new(0),
        }
    }

    /// Who hears it now.
    pub fn listeners(&self) -> u32 {
        self.listeners.load(Ordering::Relaxed)
    }

    fn enter(self: &Arc<Self>) -> Seat {
        let listeners = 1 + self.listeners.fetch_add(1, Ordering::Relaxed);
        self.listener_peak.fetch_max(listeners, Ordering::Relaxed);
        Seat(Arc::clone(self))
    }

    fn status_page(&self) -> StatusPage {
        StatusPage {
            port: self.port,
            began: self.began,
            listeners: self.listeners(),
            listener_peak: self.listener_peak.load(Ordering::Relaxed),
            title: self.feed.title().as_deref().unwrap_or_default().to_owned(),
        }
    }
}

/// One listener's place in the count, given back however the connection ends.
struct Seat(Arc<House>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads the request of `socket`, answers it and closes.
///
/// # Errors
/// The socket's own; of interest to nobody but a debug log.
pub async fn serve(mut socket: TcpStream, house: Arc<House>) -> io::Result<()> {
    let Ok(Ok(head)) = timeout(HEAD_DEADLINE, read_head(&mut socket)).await else {
        return Ok(());
    };
    match Request::parse(&head) {
        Request::Stream { metadata } => stream(socket, &house, metadata).await,
        Request::Status => {
            let page = house.status_page().render()?;
            say(socket, &answer::status(&page)).await
        }
        Request::NotFound => say(socket, &answer::not_found()).await,
        Request::UnknownMethod => say(socket, &answer::unknown_method()).await,
        Request::Unanswered => Ok(()),
    }
}

/// Sends a whole answer and closes.
async fn say(mut socket: TcpStream, answer: &str) -> io::Result<()> {
    let sent = async {
        socket.write_all(answer.as_bytes()).await?;
        socket.shutdown().await
    };
    timeout(ANSWER_DEADLINE, sent).await?
}

async fn stream(mut socket: TcpStream, house: &Arc<House>, metadata: bool) -> io::Result<()> {
    let _seat = house.enter();
    let (mut from, mut to) = socket.split();
    let broadcast = async {
        to.write_all(answer::stream_head(metadata).as_bytes())
            .await?;
        broadcast(&mut to, house.feed.cursor(), metadata).await
    };
    select! {
        sent = broadcast => sent,
        () = gone(&mut from) => Ok(()),
    }
}

/// Sends the burst and then what comes, until the programme ends or the listener is too slow.
async fn broadcast(
    to: &mut (impl AsyncWrite + Unpin),
    mut cursor: Cursor,
    metadata: bool,
) -> io::Result<()> {
    let mut weaver = metadata.then(Weaver::default);
    while let Ok(block) = cursor.next().await {
        let bytes = woven(weaver.as_mut(), block);
        select! {
            sent = to.write_all(&bytes) => sent?,
            // ICECAST: a listener is dropped when it is more than the queue behind and its socket takes nothing.
            () = cursor.fell_behind() => return Ok(()),
        }
    }
    to.shutdown().await
}

fn woven(weaver: Option<&mut Weaver>, block: Block) -> Arc<[u8]> {
    match weaver {
        Some(weaver) => weaver.weave(&block).into(),
        None => block.audio,
    }
}

/// Ends when the listener hangs up; what it may still say is thrown away.
async fn gone(from: &mut (impl AsyncRead + Unpin)) {
    let mut ignored = [0; 512];
    while matches!(from.read(&mut ignored).await, Ok(1..)) {}
}
