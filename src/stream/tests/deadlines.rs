//! How long listeners are kept without audio.

use std::time::{Duration, Instant};

use super::relay::{says, script, silent};
use super::rig::{ANSWER, HOLD, Rig};
use super::sound::{MP3, OGG, Programme, noise};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_of_relays_that_flap_is_given_up_after_hold() {
    let flapping = || says([MP3, &noise(1, 40_000)].concat());
    let rig = Rig::of([flapping(), flapping()], ANSWER).await;
    let mut listener = rig.tune_in(Duration::from_secs(3)).await.unwrap();
    listener.listens_for(Duration::from_secs(6)).await;
    assert!(listener.is_given_up());
    assert!(
        listener.heard == noise(1, 40_000),
        "nothing twice: {}",
        listener.heard.len()
    );
    let callers: usize = rig.callers().iter().sum();
    assert!(callers < 30, "not without a pause: {callers}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lively_relay_without_overlap_is_landed_on() {
    let ours = Programme { serial: 1, seed: 1 };
    let theirs = Programme { serial: 2, seed: 2 };
    let first = script(move |mut caller| async move {
        match caller.before {
            0 => caller.say(&[OGG, &ours.begin(6)].concat()).await,
            _ => Ok(()),
        }
    });
    // As FLAC has it: each piece is as large as those of a burst.
    let lively = script(move |mut caller| async move {
        caller.say(&[OGG, &theirs.begin(12)].concat()).await?;
        let interval = Duration::from_millis(50);
        caller.play(interval, |n| theirs.page(12 + n)).await
    });
    let rig = Rig::of([first, lively], ANSWER).await;
    let mut listener = rig.tune_in(HOLD).await.unwrap();
    listener.hears(ours.begin(6).len() + 50_000).await;
    assert_eq!(listener.seams(), [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_that_becomes_a_need_has_hold_from_then_on() {
    let hold = Duration::from_millis(1_500);
    let first = script(move |mut caller| async move {
        caller.say(MP3).await?;
        if caller.before > 0 {
            caller.say(&noise(7, 100_000)).await?;
            return caller.keep().await;
        }
        caller.say(&noise(7, 40_000)).await?;
        let (began, whole) = (Instant::now(), noise(7, 100_000));
        let mut pieces = whole[40_000..].chunks(1_000);
        while began.elapsed() < hold + Duration::from_millis(200) {
            caller.say(pieces.next().unwrap()).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    });
    // The other one is waited for beyond the time of a hold that begins with the wish.
    let rig = Rig::of([first, silent()], Duration::from_millis(2_200)).await;
    let mut listener = rig.tune_in(hold).await.unwrap();
    rig.ask_to_move();
    listener.hears(100_000).await;
    assert!(listener.heard == noise(7, 100_000));
    assert_eq!(listener.seams(), [1, 0, 0]);
}
