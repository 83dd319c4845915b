//! Relays that send more metadata than any stream has.

use std::io::{Cursor, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use bytes::BytesMut;

use super::relay::{Script, script};
use super::rig::{ANSWER, HOLD, Rig};
use super::sound::{MP3, noise};
use crate::stream::head;
use crate::stream::icy::METADATA_ALLOWANCE_BYTES;
use crate::stream::link::Link;

const HEAD: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nicy-metaint: 256\r\n\r\n";
const BURST_BYTES: usize = 40_960;

/// The longest block, whose title is long.
fn longest_block() -> Vec<u8> {
    [&[255][..], &[b'x'; 4_080]].concat()
}

/// The noise with the block that says nothing after each 256 bytes.
fn with_blocks(audio: &[u8]) -> Vec<u8> {
    let pieces = audio.chunks(256).map(|audio| [audio, &[0]].concat());
    pieces.collect::<Vec<_>>().concat()
}

/// Plays a burst, and then floods its caller with titles.
fn floods_with_titles() -> Script {
    script(|mut caller| async move {
        if caller.before > 0 {
            return Ok(());
        }
        let burst = with_blocks(&noise(1, BURST_BYTES));
        caller.say(&[HEAD, &burst].concat()).await?;
        let titles = [&[b'a'; 256][..], &longest_block()].concat().repeat(100);
        loop {
            caller.say(&titles).await?;
        }
    })
}

fn plays() -> Script {
    script(|mut caller| async move {
        let audio = noise(1, 4 * BURST_BYTES);
        caller.say(&[MP3, &audio[..BURST_BYTES]].concat()).await?;
        let rest = audio[BURST_BYTES..].to_vec();
        let interval = Duration::from_millis(20);
        let piece = |n: u32| {
            let from = 1_000 * n as usize;
            rest.get(from..from + 1_000).unwrap_or_default().to_vec()
        };
        caller.play(interval, piece).await
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_that_floods_with_titles_is_left() {
    let rig = Rig::of([floods_with_titles(), plays()], ANSWER).await;
    let mut listener = rig.tune_in(HOLD).await.unwrap();
    listener.hears_until(|it| it.seams() != [0, 0, 0]).await;
    assert!(listener.heard.starts_with(&noise(1, BURST_BYTES)));
    assert_eq!(rig.callers(), [1, 1]);
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn link_that_brings_nothing_but_metadata_is_read_in_turns_and_then_fails() {
    let (head, _) = head::parse(HEAD).unwrap().unwrap();

    let body = [noise(1, 256), longest_block()].concat().repeat(100);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let endless = Box::new(Cursor::new(body));
    let mut link = Link::over(endless, BytesMut::new(), &head).unwrap();
    let woken = Arc::<Woken>::default();
    let waker = woken.clone().into();
    let mut cx = Context::from_waker(&waker);
    let (mut audio, mut turns) = (0, 0);
    let error = loop {
        match link.poll_audio(&mut cx, &mut [0; 100], |_, _| {}) {
            Poll::Ready(Ok(0)) => panic!("all of it was read"),
            Poll::Ready(Ok(bytes)) => audio += bytes,
            Poll::Ready(Err(error)) => break error,
            Poll::Pending => turns += 1,
        }
        assert_eq!(woken.0.load(Ordering::SeqCst), turns, "no further turn");
    };
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(turns >= 20, "read in {turns} turns");
    assert!(audio < METADATA_ALLOWANCE_BYTES / 10, "{audio}");
}
