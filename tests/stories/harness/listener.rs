//! A listener: a person's player, cut down to a socket that asks for a mount and hears what comes.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::http::{Answer, Question};

/// One listener; dropping it hangs up.
#[derive(Debug)]
pub struct Listener {
    socket: TcpStream,
    head: Answer,
}

impl Listener {
    /// Asks a server for a mount and reads the head of the answer.
    ///
    /// # Errors
    /// When the server cannot be reached or sends no head.
    pub fn tuned_in(server: SocketAddr, mount: &str) -> io::Result<Self> {
        let mut socket = Question::get(mount).send_to(server)?;
        let head = Answer::read_head(&mut socket)?;
        Ok(Self { socket, head })
    }

    /// Goes where a redirect points, as a player does.
    #[track_caller]
    pub fn following(redirect: &Answer) -> Self {
        let location = redirect.location();
        let (server, mount) = split_url(location);
        Self::tuned_in(server, &mount)
            .unwrap_or_else(|e| panic!("cannot follow to {location}: {e}"))
    }

    /// What the server answered: 200 means audio comes.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// Hears so many bytes of audio.
    #[track_caller]
    pub fn hear(&mut self, bytes: usize) -> Vec<u8> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let (mut heard, mut part) = (Vec::with_capacity(bytes), [0; 4096]);
        while heard.len() < bytes && Instant::now() < deadline {
            match self.socket.read(&mut part) {
                Ok(0) | Err(_) => break,
                Ok(n) => heard.extend_from_slice(&part[..n]),
            }
        }
        assert!(
            heard.len() >= bytes,
            "heard {} bytes, expected {bytes}",
            heard.len()
        );
        heard
    }
}

/// The server and the rest of an `http://ip:port/...` URL.
#[track_caller]
pub fn split_url(url: &str) -> (SocketAddr, String) {
    let rest = url
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("not an http URL: {url}"));
    let (authority, path) = rest.split_once('/').expect("a URL with a path");
    let server = authority.parse();
    let server = server.unwrap_or_else(|e| panic!("expected ip:port in {url}: {e}"));
    (server, format!("/{path}"))
}

/// Several listeners who go on listening; dropping them hangs up.
#[derive(Debug, Default)]
pub struct Listeners(Vec<TcpStream>);

impl Listeners {
    /// `n` at once.
    #[track_caller]
    pub fn tuned_in(server: SocketAddr, mount: &str, n: usize) -> Self {
        // All ask before the first answer is awaited: a head takes icecast2 up to 0.35 s.
        let ask = || {
            Question::get(mount)
                .send_to(server)
                .expect("a listener reaches the relay")
        };
        let asked: Vec<_> = (0..n).map(|_| ask()).collect();
        let mut listeners = Self::default();
        for mut socket in asked {
            let head = Answer::read_head(&mut socket).expect("a listener gets an answer");
            assert_eq!(head.status, 200, "a listener is served");
            listeners.add(Listener { socket, head });
        }
        listeners
    }

    /// One more, who hears and forgets from now on.
    pub fn add(&mut self, listener: Listener) {
        let mut ear = listener.socket.try_clone().unwrap();
        self.0.push(listener.socket);
        thread::spawn(move || io::copy(&mut ear, &mut io::sink()));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for socket in &self.0 {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
