//! An impostor: answers every request with the same JSON, as if it were somebody's admin address.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

/// Answers for as long as the stories run.
#[derive(Debug)]
pub struct Impostor(SocketAddr);

impl Impostor {
    /// One that says this.
    pub fn saying(json: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{json}",
            json.len()
        );
        thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                let mut guest = guest;
                // Whatever was asked: the answer is the same.
                let _ = guest.read(&mut [0; 4096]);
                let _ = guest.write_all(answer.as_bytes());
            }
        });
        Self(address)
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.0
    }
}
