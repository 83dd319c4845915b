//! Relays whose name has several addresses.

use std::time::Duration;

use super::relay::{Script, script, silent};
use super::rig::{ANSWER, HOLD, Rig};
use super::sound::{OGG, Programme};

const PROGRAMME: Programme = Programme { serial: 1, seed: 1 };

/// Plays six pages to its first caller and is silent then; answers no other.
fn falls_silent() -> Script {
    script(|mut caller| async move {
        if caller.before == 0 {
            caller.say(&[OGG, &PROGRAMME.begin(6)].concat()).await?;
        }
        caller.keep().await
    })
}

/// Plays the same six pages as a burst, and those that follow as they come.
fn plays() -> Script {
    script(|mut caller| async move {
        caller.say(&[OGG, &PROGRAMME.begin(6)].concat()).await?;
        let interval = Duration::from_millis(50);
        caller.play(interval, |n| PROGRAMME.page(6 + n)).await
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_goes_on_at_the_other_address_when_its_own_falls_silent() {
    let rig = Rig::of_one_name([falls_silent(), plays()], ANSWER).await;
    let mut listener = rig.tune_in(HOLD).await.unwrap();
    let whole = PROGRAMME.begin(12);
    listener.hears(whole.len()).await;
    assert!(listener.heard.starts_with(&whole));
    assert_eq!(listener.seams(), [1, 0, 0]);
    assert_eq!(rig.callers(), [1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_that_does_not_answer_is_tried_last_by_the_next_listener() {
    let answer = Duration::from_millis(300);
    let rig = Rig::of_one_name([silent(), plays()], answer).await;
    assert!(rig.tune_in(HOLD).await.is_err());
    for listeners in 1..=3 {
        let mut listener = rig.tune_in(HOLD).await.unwrap();
        listener.hears(1_000).await;
        assert_eq!(rig.callers(), [1, listeners]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_that_refuses_costs_a_listener_nothing() {
    let mut rig = Rig::of_one_name([plays(), plays()], ANSWER).await;
    rig.close(0).await;
    for listeners in 1..=3 {
        let mut listener = rig.tune_in(HOLD).await.unwrap();
        listener.hears(1_000).await;
        assert_eq!(rig.callers(), [0, listeners]);
    }
}
