//! A relay of one's own on loopback, that answers as badly as a test wants.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is done with one connection.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Reads the request, says this, closes.
    Say(Vec<u8>),
    /// Reads the request, says this, resets the connection.
    SayAndReset(Vec<u8>),
    /// Says this before it has read anything, resets the connection: Icecast at its client limit.
    InterruptAndReset(Vec<u8>),
    /// Lets the request come without reading it, says this, resets the connection: the same from farther away.
    IgnoreAndReset(Vec<u8>),
    /// Reads the request, says this, then one block after the other while anybody takes it.
    Endless(Vec<u8>),
    /// Reads the request, says this byte by byte, each a tenth of a second after the other.
    Drip(Vec<u8>),
    /// Reads the request, says this and no more, but does not close.
    SayAndHang(Vec<u8>),
}

impl Reply {
    /// A status line with extra head lines, and a body.
    pub fn http(status: &str, head: &str, body: impl AsRef<[u8]>) -> Self {
        let mut bytes = format!("HTTP/1.0 {status}\r\nServer: test\r\n{head}\r\n").into_bytes();
        bytes.extend(body.as_ref());
        Self::Say(bytes)
    }

    /// A good answer.
    pub fn page(body: impl AsRef<[u8]>) -> Self {
        Self::http("200 OK", "", body)
    }

    /// Icecast's answer to what it does not have.
    pub fn missing() -> Self {
        Self::http(
            "404 Not Found",
            "",
            "<b>The file you requested could not be found</b>",
        )
    }
}

/// Listens until dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    sent_bytes: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// A server that answers everything with `reply`.
    pub async fn always(reply: Reply) -> Self {
        Self::by_page(move |_| reply.clone()).await
    }

    /// A server that chooses its reply by path and query. A reply that needs no request is made for the path "".
    pub async fn by_page(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let sent_bytes = Arc::new(AtomicUsize::new(0));
        let (log, sent, reply) = (requests.clone(), sent_bytes.clone(), Arc::new(reply));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, sent, reply) = (log.clone(), sent.clone(), reply.clone());
                tokio::spawn(async move { serve(stream, &log, &sent, &*reply).await });
            }
        });
        Self {
            address,
            requests,
            sent_bytes,
            task,
        }
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Path and query of all requests so far.
    pub fn pages(&self) -> Vec<String> {
        self.requests().iter().map(|head| page_of(head)).collect()
    }

    /// Bytes that the network took of endless replies.
    pub fn sent_bytes(&self) -> usize {
        self.sent_bytes.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn page_of(head: &str) -> String {
    head.split(' ').nth(1).unwrap_or_default().to_owned()
}

async fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<String>>,
    sent: &AtomicUsize,
    reply: &(impl Fn(&str) -> Reply + Sync),
) {
    if let Reply::IgnoreAndReset(_) = reply("") {
        stream.peek(&mut [0]).await.unwrap();
    }
    if let Reply::InterruptAndReset(bytes) | Reply::IgnoreAndReset(bytes) = reply("") {
        let _ = stream.write_all(&bytes).await;
        stream.set_zero_linger().unwrap();
        return;
    }
    let Some(head) = read_head(&mut stream).await else {
        return;
    };
    let page = page_of(&head);
    log.lock().unwrap().push(head);
    match reply(&page) {
        Reply::Say(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
        Reply::SayAndReset(bytes)
        | Reply::InterruptAndReset(bytes)
        | Reply::IgnoreAndReset(bytes) => {
            let _ = stream.write_all(&bytes).await;
            stream.set_zero_linger().unwrap();
        }
        Reply::Endless(bytes) => {
            let _ = stream.write_all(&bytes).await;
            while let Ok(taken) = stream.write(&[b' '; 16 * 1024]).await {
                sent.fetch_add(taken, Ordering::SeqCst);
            }
        }
        Reply::Drip(bytes) => {
            let mut pace = tokio::time::interval(Duration::from_millis(100));
            for byte in bytes {
                pace.tick().await;
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        }
        Reply::SayAndHang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            // Until the poller hangs up.
            let _ = stream.read_u8().await;
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
