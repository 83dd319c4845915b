//! Relays that send too much, or nothing of use.

use std::time::Duration;

use super::relay::{Script, script};
use super::rig::{ANSWER, HOLD, Rig};
use super::sound::{OGG, Programme, noise};

const OURS: Programme = Programme { serial: 1, seed: 1 };
const THEIRS: Programme = Programme { serial: 3, seed: 2 };

/// Plays six pages to its first caller, and then is gone.
fn dies() -> Script {
    script(|mut caller| async move {
        match caller.before {
            0 => caller.say(&[OGG, &OURS.begin(6)].concat()).await,
            _ => Ok(()),
        }
    })
}

/// Plays the same six pages as a burst, and those that follow as they come.
fn goes_on() -> Script {
    script(|mut caller| async move {
        caller.say(&[OGG, &OURS.begin(6)].concat()).await?;
        let interval = Duration::from_millis(50);
        caller.play(interval, |n| OURS.page(6 + n)).await
    })
}

/// Sends pages on which nothing is, as fast as they are taken.
fn floods() -> Script {
    script(|mut caller| async move {
        caller.say(&[OGG, &THEIRS.begin(1)].concat()).await?;
        let pages = THEIRS.empty_page().repeat(4_000);
        loop {
            caller.say(&pages).await?;
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_that_flood_starve_no_other() {
    let rig = Rig::of([dies(), floods(), floods(), goes_on()], ANSWER).await;
    // The floods alone take longer, if nobody else has a turn.
    let mut listener = rig.tune_in(Duration::from_secs(4)).await.unwrap();
    let whole = OURS.begin(12);
    listener.hears(whole.len()).await;
    assert!(listener.heard.starts_with(&whole));
    assert_eq!(listener.seams(), [1, 0, 0]);
    assert_eq!(rig.callers(), [1, 1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_whose_pages_turn_to_garbage_is_left() {
    let turns = script(|mut caller| async move {
        if caller.before > 0 {
            return Ok(());
        }
        caller.say(&[OGG, &OURS.begin(6)].concat()).await?;
        let interval = Duration::from_millis(20);
        caller.play(interval, |_| noise(3, 4_000)).await
    });
    let rig = Rig::of([turns, goes_on()], ANSWER).await;
    let mut listener = rig.tune_in(HOLD).await.unwrap();
    let whole = OURS.begin(12);
    listener.hears(whole.len()).await;
    assert!(listener.heard.starts_with(&whole));
    assert_eq!(listener.seams(), [1, 0, 0]);
}
