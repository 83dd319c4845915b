//! A player that speaks HTTP/2: many requests at once on one connection.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{Method, Request, Response};
use rustls::pki_types::ServerName;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::tls::TlsClient;
use super::wait::{eventually, seconds};

/// No answer of the stories takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection of HTTP/2.
#[derive(Debug)]
pub struct Multiplexed {
    requests: SendRequest<Bytes>,
    over: Arc<Mutex<Option<Result<(), String>>>>,
    name: String,
    // Last, so that all else is gone when it ends.
    runtime: Runtime,
}

/// A stream that is listened to.
#[derive(Debug)]
pub struct Stream {
    /// The answer's head.
    pub head: Response<()>,
    heard: Arc<Mutex<Heard>>,
    ear: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    audio: Vec<u8>,
    end: Option<Result<(), Reason>>,
}

impl Multiplexed {
    /// Connects as `client` does.
    ///
    /// # Errors
    /// No hands were shaken, or HTTP/2 is not spoken there.
    pub fn of(client: &TlsClient, server: SocketAddr) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let (config, name) = client.offering(b"h2");
        let over = Arc::new(Mutex::new(None));
        let requests = runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(server).await?;
            let host = ServerName::try_from(name.clone()).unwrap();
            let stream = TlsConnector::from(config).connect(host, socket).await?;
            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                return Err(io::Error::other("h2 was not agreed on"));
            }
            let shaken = h2::client::handshake(stream).await;
            let (requests, connection) = shaken.map_err(io::Error::other)?;
            let told = over.clone();
            tokio::spawn(async move {
                let end = connection.await.map_err(|error| error.to_string());
                *told.lock().unwrap() = Some(end);
            });
            Ok(requests)
        })?;
        Ok(Self {
            requests,
            over,
            name,
            runtime,
        })
    }

    /// The status, the head and the whole body of an answer.
    ///
    /// # Errors
    /// None came.
    pub fn ask(&self, method: Method, target: &str) -> Result<(Response<()>, String), h2::Error> {
        self.runtime.block_on(async {
            let (head, mut body) = self.begin(method, target).await?;
            let mut text = Vec::new();
            while let Some(piece) = timeout(PATIENCE, body.data()).await.unwrap() {
                text.extend(piece?);
            }
            Ok((head, String::from_utf8(text).unwrap()))
        })
    }

    /// Listens to a stream.
    ///
    /// # Errors
    /// No answer came.
    pub fn tune_in(&self, mount: &str) -> Result<Stream, h2::Error> {
        let (head, mut body) = self.runtime.block_on(self.begin(Method::GET, mount))?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let kept = heard.clone();
        let ear = self.runtime.spawn(async move {
            loop {
                let piece = body.data().await;
                let mut heard = kept.lock().unwrap();
                match piece {
                    Some(Ok(piece)) => {
                        heard.audio.extend_from_slice(&piece);
                        let _ = body.flow_control().release_capacity(piece.len());
                    }
                    Some(Err(error)) => {
                        let reason = error.reason().unwrap_or(Reason::CONNECT_ERROR);
                        return heard.end = Some(Err(reason));
                    }
                    None => return heard.end = Some(Ok(())),
                }
            }
        });
        Ok(Stream { head, heard, ear })
    }

    /// Asks and takes it back at once, until that is no longer possible; returns how often it was.
    pub fn ask_and_take_back(&self, times: usize, target: &str) -> usize {
        self.runtime.block_on(async {
            for done in 0..times {
                let mut requests = self.requests.clone();
                match timeout(PATIENCE, std::future::poll_fn(|cx| requests.poll_ready(cx))).await {
                    Ok(Ok(())) => {}
                    _ => return done,
                }
                match requests.send_request(self.request(Method::GET, target), true) {
                    Ok((_answer, mut stream)) => stream.send_reset(Reason::CANCEL),
                    Err(_) => return done,
                }
                tokio::task::yield_now().await;
            }
            times
        })
    }

    /// Whether the other side has ended the connection.
    pub fn is_over(&self) -> bool {
        self.over.lock().unwrap().is_some()
    }

    async fn begin(
        &self,
        method: Method,
        target: &str,
    ) -> Result<(Response<()>, RecvStream), h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        let (answer, _) = requests.send_request(self.request(method, target), true)?;
        let answer = timeout(PATIENCE, answer).await.unwrap()?;
        let (head, body) = answer.into_parts();
        Ok((Response::from_parts(head, ()), body))
    }

    fn request(&self, method: Method, target: &str) -> Request<()> {
        let uri = format!("https://{}{target}", self.name);
        Request::builder().method(method).uri(uri).body(()).unwrap()
    }
}

impl Stream {
    /// Waits until so many bytes are there, and returns all.
    #[track_caller]
    pub fn hear_up_to(&self, bytes: usize) -> Vec<u8> {
        eventually(seconds(20), "it is heard", || {
            self.heard.lock().unwrap().audio.len() >= bytes
        });
        self.heard.lock().unwrap().audio.clone()
    }

    /// Takes it back, and no other stream of the connection.
    pub fn stop(self) {
        self.ear.abort();
    }

    /// How it ended, if it did: cleanly, or for a reason.
    pub fn end(&self) -> Option<Result<(), Reason>> {
        self.heard.lock().unwrap().end
    }
}
