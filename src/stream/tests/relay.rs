//! Relays that follow a script: what each of its callers is told, and when.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

type Told = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// What a relay tells each of its callers.
pub type Script = Arc<dyn Fn(Caller) -> Told + Send + Sync>;

/// The script that is `tell`; an error ends the connection, as its end does.
pub fn script<F, R>(tell: F) -> Script
where
    F: Fn(Caller) -> R + Send + Sync + 'static,
    R: Future<Output = io::Result<()>> + Send + 'static,
{
    Arc::new(move |caller| Box::pin(tell(caller)))
}

/// Says this to everybody, and hangs up.
pub fn says(words: Vec<u8>) -> Script {
    let words = Arc::new(words);
    script(move |mut caller| {
        let words = words.clone();
        async move { caller.say(&words).await }
    })
}

/// Keeps everybody waiting for an answer.
pub fn silent() -> Script {
    script(|mut caller| async move { caller.keep().await })
}

/// One connection, whose request was read.
pub struct Caller {
    socket: TcpStream,
    /// How many came before.
    pub before: usize,
}

impl Caller {
    /// Says this at once.
    pub async fn say(&mut self, words: &[u8]) -> io::Result<()> {
        self.socket.write_all(words).await
    }

    /// Says `piece(0)`, `piece(1)` and so on, one in each `interval`, until the caller leaves.
    pub async fn play(
        &mut self,
        interval: Duration,
        mut piece: impl FnMut(u32) -> Vec<u8>,
    ) -> io::Result<()> {
        for number in 0.. {
            self.say(&piece(number)).await?;
            sleep(interval).await;
        }
        Ok(())
    }

    /// Says nothing more until the caller leaves.
    pub async fn keep(&mut self) -> io::Result<()> {
        while self.socket.read(&mut [0; 1024]).await? > 0 {}
        Ok(())
    }
}

/// A relay on a port of its own.
pub struct ScriptedRelay {
    /// Where it listens, on loopback.
    pub port: u16,
    callers: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl ScriptedRelay {
    /// Begins to follow `script`.
    pub async fn following(script: Script) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), script).await
    }

    /// Begins to follow `script` at this address.
    pub async fn at(address: SocketAddr, script: Script) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let callers = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(serve(listener, script, callers.clone()));
        Self {
            port,
            callers,
            task,
        }
    }

    /// Takes no connection from now on.
    pub async fn close(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// How many called.
    pub fn callers(&self) -> usize {
        self.callers.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, script: Script, callers: Arc<AtomicUsize>) {
    while let Ok((mut socket, _)) = listener.accept().await {
        let before = callers.fetch_add(1, Ordering::SeqCst);
        let script = script.clone();
        tokio::spawn(async move {
            // Each thing that is said is a packet of its own.
            socket.set_nodelay(true)?;
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                if socket.read_buf(&mut request).await? == 0 {
                    return Ok(());
                }
            }
            script(Caller { socket, before }).await
        });
    }
}
