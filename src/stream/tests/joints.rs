//! Where listeners go on with another relay.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

use super::relay::{Script, script, silent};
use super::rig::{ANSWER, HOLD, Rig};
use super::sound::{MP3, OGG, Programme, noise};
use crate::stream::link::FIRST_AUDIO_BYTES;

/// So much is played in a second.
const PER_SECOND: usize = 16_000;

/// Says the head and the beginning of the first page, and the rest when it is told to.
fn says_when(told: &Arc<Notify>, body: Vec<u8>) -> Script {
    let told = told.clone();
    script(move |mut caller| {
        let (told, body) = (told.clone(), body.clone());
        async move {
            let (beginning, rest) = body.split_at(FIRST_AUDIO_BYTES);
            caller.say(&[OGG, beginning].concat()).await?;
            told.notified().await;
            caller.say(rest).await?;
            caller.keep().await
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_moves_before_its_first_page_gets_it_once() {
    // The first page is longer than what has to come before a listener is answered.
    let head = [b"OpusHead\x01\x02", [0; FIRST_AUDIO_BYTES].as_slice()].concat();
    let body = |serial| Programme { serial, seed: 1 }.begin_with(&head, 6);
    let (first, second) = (Arc::default(), Arc::default());
    let scripts = [says_when(&first, body(1)), says_when(&second, body(2))];
    let rig = Rig::of(scripts, ANSWER).await;
    let mut listener = rig.tune_in(HOLD).await.unwrap();
    rig.ask_to_move();
    listener
        .hears_until(|listener| listener.seams() != [0; 3])
        .await;
    assert!(listener.heard.is_empty(), "no page was whole");
    first.notify_one();
    second.notify_one();
    listener.hears(body(2).len()).await;
    listener.listens_for(Duration::from_millis(100)).await;
    assert!(listener.heard == body(2), "{}", listener.heard.len());
    assert_eq!(listener.seams(), [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ogg_body_cut_anywhere_in_its_first_bytes_is_taken_for_ogg() {
    for cut in 1..4 {
        let ours = Programme { serial: 1, seed: 1 };
        let theirs = Programme { serial: 2, ..ours };
        let first = script(move |mut caller| async move {
            if caller.before > 0 {
                return Ok(());
            }
            let body = ours.begin(6);
            caller.say(&[OGG, &body[..cut]].concat()).await?;
            sleep(Duration::from_millis(100)).await;
            caller.say(&body[cut..]).await
        });
        let second = script(move |mut caller| async move {
            caller.say(&[OGG, &theirs.begin(12)].concat()).await?;
            caller.keep().await
        });
        let rig = Rig::of([first, second], ANSWER).await;
        let mut listener = rig.tune_in(HOLD).await.unwrap();
        let whole = ours.begin(12);
        listener.hears(whole.len()).await;
        // Pages are told apart by what is in them, and go out under the first relay's number.
        assert!(listener.heard == whole, "{cut}");
        assert_eq!(listener.seams(), [1, 0, 0], "{cut}");
    }
}

/// Plays `audio` as a live source does that began at `start`: the last seconds at once, then as time goes by.
fn live(start: Instant, audio: Arc<Vec<u8>>) -> Script {
    script(move |mut caller| {
        let audio = audio.clone();
        async move {
            let edge = || 60_000 + start.elapsed().as_millis() as usize * PER_SECOND / 1_000;
            let mut at = edge() - 40_000;
            caller.say(MP3).await?;
            loop {
                let to = edge();
                caller.say(&audio[at..to]).await?;
                at = to;
                sleep(Duration::from_millis(50)).await;
            }
        }
    })
}

/// How much is heard twice by who is asked to move `phase` after a piece of audio, to a relay that has the same master's
/// time and other audio, while a third keeps him waiting.
async fn repeated_bytes(phase: Duration) -> i64 {
    let audio = Arc::new(noise(7, 600_000));
    let other = Arc::new(audio.iter().map(|byte| !byte).collect::<Vec<_>>());
    let start = Instant::now();
    let scripts = [live(start, audio.clone()), live(start, other.clone())];
    let rig = Rig::of(scripts.into_iter().chain([silent()]), ANSWER).await;
    let mut listener = rig.tune_in(HOLD).await.unwrap();
    listener.hears(45_000).await;
    listener.listens_for(phase).await;
    rig.ask_to_move();
    listener.hears_until(|it| it.seams() == [0, 0, 1]).await;
    let heard = listener.heard.len();
    listener.hears(heard + 10_000).await;
    apart(&listener.heard, &audio, &other)
}

/// From where `other` begins in what was `heard` to where `audio` ends in it.
fn apart(heard: &[u8], audio: &[u8], other: &[u8]) -> i64 {
    let begin = memchr::memmem::find(audio, &heard[..64]).unwrap();
    let pairs = heard.iter().zip(&audio[begin..]);
    let ours = pairs.take_while(|(heard, played)| heard == played).count();
    let theirs = memchr::memmem::find(other, &heard[ours..ours + 64]).unwrap();
    (begin + ours) as i64 - theirs as i64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_landing_that_waits_for_a_better_one_does_not_grow_old() {
    // Pieces come every half second: the clock of one who was asked behind a piece is not that of one before it.
    let repeated = |millis| repeated_bytes(Duration::from_millis(millis));
    let repeated = tokio::join!(repeated(0), repeated(125), repeated(250), repeated(375));
    let repeated: [i64; 4] = repeated.into();
    assert!(
        repeated.iter().all(|bytes| bytes.abs() < 5_000),
        "{repeated:?}"
    );
}
