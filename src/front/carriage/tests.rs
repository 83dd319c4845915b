use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::yield_now;

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

/// A way out to a listener who has room for `room` bytes, and the listener.
fn exit(room: usize) -> (Exit<DuplexStream>, DuplexStream) {
    let (socket, listener) = duplex(room);
    let exit = Exit {
        socket,
        waiting: BytesMut::new(),
        is_flushed: true,
        timer: None,
        limit: LIMIT,
    };
    (exit, listener)
}

async fn send(exit: &mut Exit<DuplexStream>, piece: &[u8]) -> Result<(), End> {
    poll_fn(|cx| Poll::Ready(exit.send(cx, piece))).await?;
    poll_fn(|cx| exit.poll_sent(cx)).await
}

#[tokio::test]
async fn what_is_not_taken_at_once_follows() {
    let (mut exit, mut listener) = exit(100);
    let piece: Vec<u8> = (0..=255).collect();
    let hears = async {
        let mut heard = [0; 512];
        listener.read_exact(&mut heard).await.unwrap();
        heard
    };
    let sends = async {
        send(&mut exit, &piece).await.unwrap();
        send(&mut exit, &piece).await.unwrap();
    };
    let (heard, ()) = tokio::join!(hears, sends);
    assert_eq!(heard.to_vec(), piece.repeat(2));
    assert_eq!(exit.waiting.capacity(), 0, "nothing is kept for him");
    assert!(exit.timer.is_none());
}

#[tokio::test(start_paused = true)]
async fn only_who_takes_nothing_at_all_is_given_up() {
    let (mut exit, mut listener) = exit(10);
    let slow = async {
        let mut byte = [0];
        for _ in 0..20 {
            tokio::time::sleep(LIMIT / 2).await;
            listener.read_exact(&mut byte).await.unwrap();
        }
        listener
    };
    let (sent, _listener) = tokio::join!(send(&mut exit, &[0; 25]), slow);
    assert_eq!(sent, Ok(()));
    let began = tokio::time::Instant::now();
    assert_eq!(send(&mut exit, &[0; 25]).await, Err(End::TookNothing));
    assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
}

#[tokio::test]
async fn who_is_gone_has_hung_up() {
    let (mut exit, listener) = exit(10);
    drop(listener);
    assert_eq!(send(&mut exit, &[0; 5]).await, Err(End::HungUp));
}

/// Lets the ear hear what `listener` said; whether it heard him go.
async fn hears_him_go(ear: &mut Ear, socket: &mut (impl AsyncRead + Unpin)) -> bool {
    yield_now().await;
    poll_fn(|cx| Poll::Ready(ear.poll_hang_up(cx, socket).is_ready())).await
}

#[tokio::test]
async fn a_stray_byte_and_a_closed_sending_side_are_no_hang_up() {
    let (mut socket, mut listener) = duplex(1_000);
    let mut ear = Ear::Open { stray_bytes: 0 };
    listener.write_all(b"\r\nGET / HTTP/1.0").await.unwrap();
    assert!(!hears_him_go(&mut ear, &mut socket).await);
    assert!(matches!(ear, Ear::Open { stray_bytes: 16 }));
    listener.shutdown().await.unwrap();
    assert!(!hears_him_go(&mut ear, &mut socket).await);
    assert!(matches!(ear, Ear::Shut));
}

#[tokio::test]
async fn a_reset_is_a_hang_up_even_while_nothing_is_sent() {
    let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = tokio::net::TcpStream::connect(door.local_addr().unwrap());
    let (listener, accepted) = tokio::join!(listener, door.accept());
    let (mut socket, _) = accepted.unwrap();
    let listener = listener.unwrap();
    let mut ear = Ear::Open { stray_bytes: 0 };
    assert!(!hears_him_go(&mut ear, &mut socket).await);
    let linger = Some(Duration::ZERO);
    socket2::SockRef::from(&listener)
        .set_linger(linger)
        .unwrap();
    drop(listener);
    poll_fn(|cx| ear.poll_hang_up(cx, &mut socket)).await;
}

#[tokio::test]
async fn who_talks_without_end_is_not_read_any_more() {
    let mut chatter = tokio::io::repeat(b'x');
    let mut ear = Ear::Open { stray_bytes: 0 };
    // A task may not read without end either: it is interrupted now and then.
    for _ in 0..STRAY_LIMIT_BYTES / 1_024 {
        assert!(!hears_him_go(&mut ear, &mut chatter).await);
    }
    assert!(matches!(ear, Ear::Shut));
}
