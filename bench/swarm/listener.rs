//! One listener: asks for the mount and hears what comes.
//!
//! Comes in: whom to ask and for how long to stay. Goes out: its record. It keeps no audio.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::body::Answer;
use crate::record::{Fate, Shared};
use crate::secure::{Line, Secure};

/// Enough for a whole burst; all listeners take turns with it, because each gives it back before it waits.
const READ_BYTES: usize = 65_536;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// What every listener asks.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Whom.
    pub server: SocketAddr,
    /// The request, to the empty line.
    pub request: String,
    /// The header whose value groups the listeners.
    pub label_header: String,
    /// How to speak TLS, if at all.
    pub secure: Option<Secure>,
    /// How long it waits for its first audio.
    pub patience: Duration,
}

/// Plays one listener to its end: its own after `stay`, or the stream's.
pub async fn listen(wish: Wish, stay: Option<Duration>, record: Shared) {
    let mut answer = Answer::new(&wish.label_header);
    let mut line = match timeout(wish.patience, tune_in(&wish, &mut answer, &record)).await {
        Ok(Ok(line)) => line,
        Ok(Err(how)) => return record.borrow_mut().end(how),
        Err(_) => return record.borrow_mut().end("no audio in time".to_owned()),
    };
    let stay = async {
        match stay {
            Some(stay) => sleep(stay).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        how = hear_to_the_end(&mut line, &mut answer, &record) => record.borrow_mut().end(how),
        () = stay => record.borrow_mut().fate = Fate::Left,
    }
}

/// Connects and asks; gives the connection back when the first audio came.
async fn tune_in(wish: &Wish, answer: &mut Answer, record: &Shared) -> Result<Line, String> {
    let connected = TcpStream::connect(wish.server).await;
    let socket = connected.map_err(|error| format!("connecting: {}", error.kind()))?;
    let secured = Line::on(socket, wish.secure.as_ref()).await;
    let mut line = secured.map_err(|error| format!("handshake: {error}"))?;
    let sent = line.write_all(wish.request.as_bytes()).await;
    let sent = sent.and(line.flush().await);
    sent.map_err(|error| format!("asking: {}", error.kind()))?;
    while record.borrow().audio_bytes == 0 {
        read(&mut line, answer, record).await?;
    }
    Ok(line)
}

async fn hear_to_the_end(line: &mut Line, answer: &mut Answer, record: &Shared) -> String {
    loop {
        if let Err(how) = read(line, answer, record).await {
            return how;
        }
    }
}

/// Waits for bytes and takes them; the error says how the stream ended.
async fn read(line: &mut Line, answer: &mut Answer, record: &Shared) -> Result<(), String> {
    poll_fn(|context| {
        BUFFER.with_borrow_mut(|buffer| {
            let got = ready!(poll_read(line, context, buffer));
            Poll::Ready(take(got, buffer, answer, record))
        })
    })
    .await
}

fn poll_read(
    line: &mut Line,
    context: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    ready!(Pin::new(line).poll_read(context, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}

fn take(
    got: io::Result<usize>,
    buffer: &[u8],
    answer: &mut Answer,
    record: &Shared,
) -> Result<(), String> {
    let length = got.map_err(|error| error.kind().to_string())?;
    if length == 0 {
        let what = if answer.is_begun() {
            "the body ended"
        } else {
            "no answer"
        };
        return Err(what.to_owned());
    }
    let mut record = record.borrow_mut();
    let now = Instant::now();
    record.reads += 1;
    let bytes = buffer.get(..length).unwrap_or(&[]);
    let taken = answer.take(bytes, |audio| record.hear(audio, now));
    taken.map_err(|fault| fault.to_string())?;
    if record.label.is_none() {
        record.label.clone_from(&answer.label);
    }
    if answer.is_over() {
        return Err("the terminal chunk".to_owned());
    }
    Ok(())
}
