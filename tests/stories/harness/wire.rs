//! A wire between two parties that a story can make slow or break: a small TCP forwarder.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::ports;

/// One wire; dropping it cuts it.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    far: SocketAddr,
    delay: Duration,
    /// How many bytes a connection brings before it breaks.
    limit_bytes: usize,
    over: AtomicBool,
    calls: Mutex<Vec<Call>>,
}

/// One connection, as long as a byte may come.
#[derive(Debug)]
struct Call {
    near: TcpStream,
    far: TcpStream,
    /// It is to end without a FIN.
    abrupt: Arc<AtomicBool>,
}

impl Wire {
    /// A wire to `far`; every byte that `far` sends comes `delay` later.
    pub fn delayed(delay: Duration, far: SocketAddr) -> Self {
        Self::laid(far, delay, usize::MAX)
    }

    /// A wire to `far`; each connection is reset once it has brought so many bytes.
    pub fn breaking_after(limit_bytes: usize, far: SocketAddr) -> Self {
        Self::laid(far, Duration::ZERO, limit_bytes)
    }

    fn laid(far: SocketAddr, delay: Duration, limit_bytes: usize) -> Self {
        Self::from_door(ports::own_listener(), far, delay, limit_bytes)
    }

    /// One more wire to the same far end, whose near end has another address and the same port.
    pub fn beside(&self) -> Self {
        let port = self.address.port();
        let address = |octet| SocketAddr::from(([127, 255, 255, octet], port));
        let mut doors = (1..=250).map(|octet| TcpListener::bind(address(octet)));
        let door = doors.find_map(Result::ok).expect("a free address");
        Self::from_door(door, self.shared.far, Duration::ZERO, usize::MAX)
    }

    fn from_door(door: TcpListener, far: SocketAddr, delay: Duration, limit_bytes: usize) -> Self {
        let address = door.local_addr().unwrap();
        let shared = Arc::new(Shared {
            far,
            delay,
            limit_bytes,
            over: AtomicBool::new(false),
            calls: Mutex::new(Vec::new()),
        });
        let theirs = Arc::clone(&shared);
        thread::spawn(move || theirs.serve(&door));
        Self { address, shared }
    }

    /// A wire to `far`.
    pub fn to(far: SocketAddr) -> Self {
        Self::delayed(Duration::ZERO, far)
    }

    /// Where the near end is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets every connection at its near end (RST); new ones are taken as before.
    pub fn reset(&self) {
        for call in self.shared.calls.lock().unwrap().drain(..) {
            close_abruptly(&call.near, &call.abrupt);
            call.let_go();
        }
    }

    /// Ends every connection at its near end (FIN); new ones are taken as before.
    pub fn cut(&self) {
        for call in self.shared.calls.lock().unwrap().drain(..) {
            let _ = call.near.shutdown(Shutdown::Both);
            call.let_go();
        }
    }
}

impl Call {
    /// Makes the threads that forward it end; the socket is closed when the last of them has.
    fn let_go(self) {
        let _ = self.far.shutdown(Shutdown::Both);
        let _ = self.near.shutdown(Shutdown::Read);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.cut();
        // Wakes the thread that waits for calls.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(self: &Arc<Self>, door: &TcpListener) {
        for near in door.incoming().map_while(Result::ok) {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let theirs = Arc::clone(self);
            thread::spawn(move || theirs.connect(near));
        }
    }

    fn connect(&self, near: TcpStream) -> io::Result<()> {
        let far = TcpStream::connect(self.far)?;
        let abrupt = Arc::new(AtomicBool::new(false));
        self.calls.lock().unwrap().push(Call {
            near: near.try_clone()?,
            far: far.try_clone()?,
            abrupt: Arc::clone(&abrupt),
        });
        let (mut there, mut back) = (near.try_clone()?, far.try_clone()?);
        let asks = thread::spawn(move || {
            let _ = io::copy(&mut there, &mut back);
            back.shutdown(Shutdown::Both)
        });
        self.bring(far, near, &abrupt);
        let mut calls = self.calls.lock().unwrap();
        calls.retain(|call| !Arc::ptr_eq(&call.abrupt, &abrupt));
        drop(calls);
        let _ = asks.join();
        Ok(())
    }

    /// Brings what the far end sends, each piece when its time has come.
    fn bring(&self, mut far: TcpStream, mut near: TcpStream, abrupt: &Arc<AtomicBool>) {
        let (store, stored) = channel();
        let abrupt = Arc::clone(abrupt);
        let limit_bytes = self.limit_bytes;
        let bringer = thread::spawn(move || {
            if deliver(&stored, &mut near, limit_bytes).is_ok_and(|broke| broke) {
                close_abruptly(&near, &abrupt);
                let _ = near.shutdown(Shutdown::Read);
            }
            if !abrupt.load(Ordering::Relaxed) {
                let _ = near.shutdown(Shutdown::Both);
            }
        });
        let _ = store_all(&mut far, &store, self.delay);
        drop(store);
        let _ = far.shutdown(Shutdown::Both);
        let _ = bringer.join();
    }
}

fn store_all(
    far: &mut TcpStream,
    store: &Sender<(Instant, Vec<u8>)>,
    delay: Duration,
) -> io::Result<()> {
    let mut part = vec![0; 16_384];
    loop {
        let n = far.read(&mut part)?;
        if n == 0
            || store
                .send((Instant::now() + delay, part[..n].to_vec()))
                .is_err()
        {
            return Ok(());
        }
    }
}

/// Delivers what is stored, at most so much; returns whether that was it.
fn deliver(
    stored: &Receiver<(Instant, Vec<u8>)>,
    near: &mut TcpStream,
    mut left_bytes: usize,
) -> io::Result<bool> {
    for (due, mut piece) in stored {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        piece.truncate(left_bytes);
        near.write_all(&piece)?;
        left_bytes -= piece.len();
        if left_bytes == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A socket that lingers for no time is closed by an RST, unless a FIN went out before.
fn close_abruptly(near: &TcpStream, abrupt: &AtomicBool) {
    let _ = SockRef::from(near).set_linger(Some(Duration::ZERO));
    abrupt.store(true, Ordering::Relaxed);
}
