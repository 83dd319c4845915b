//! What the fleet is told of listeners and relays.

use std::time::Duration;

use super::relay::{Script, says, script, silent};
use super::rig::{ANSWER, HOLD, Rig};
use super::sound::{MP3, noise};
use crate::fleet::RelayId;

/// Comings and goings of each relay that no report has shown.
fn flows(rig: &Rig) -> Vec<(u32, u32)> {
    let fleet = rig.fleet.lock();
    let standings = fleet.iter().map(|(_, _, standing, _)| standing);
    standings
        .map(|standing| (standing.pending_listeners, standing.departed_listeners))
        .collect()
}

/// A relay that is well, until it hangs up on its first caller.
fn dies() -> Script {
    script(|mut caller| async move {
        match caller.before {
            0 => caller.say(&[MP3, &noise(1, 40_000)].concat()).await,
            _ => Ok(()),
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_turned_away_is_not_taken_for_one_who_arrived() {
    let full = script(|mut caller| async move {
        match caller.before {
            0 => caller.say(&[MP3, &noise(1, 40_000)].concat()).await?,
            _ => return caller.say(b"HTTP/1.0 403 Full\r\n\r\n").await,
        }
        caller.keep().await
    });
    let rig = Rig::of([full], ANSWER).await;
    let listener = rig.tune_in(HOLD).await.unwrap();
    assert!(rig.tune_in(HOLD).await.is_err());
    assert_eq!(flows(&rig), [(1, 0)]);
    drop(listener);
    assert_eq!(flows(&rig), [(0, 0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_many_crossings_nobody_is_counted_who_left() {
    let moody = |mood: usize| {
        script(move |mut caller| async move {
            match (caller.before + mood) % 4 {
                0 => Ok(()),
                1 => caller.say(b"HTTP/1.0 404 No\r\n\r\n").await,
                2 => caller.keep().await,
                _ => caller.say(&[MP3, &noise(1, 40_000)].concat()).await,
            }
        })
    };
    let scripts = [moody(3), moody(1), moody(2)];
    let rig = Rig::of(scripts, Duration::from_millis(300)).await;
    let mut listener = rig.tune_in(HOLD).await.unwrap();
    let crossed = || rig.callers().iter().sum::<usize>() >= 12;
    listener.hears_until(|_| crossed()).await;
    assert!(listener.seams()[0] > 0);
    drop(listener);
    assert_eq!(flows(&rig), [(0, 0); 3]);
}

/// Whether the second relay is suspect after a listener of the first tried it.
async fn is_suspect_who(script: Script) -> bool {
    let rig = Rig::of([dies(), script], Duration::from_millis(300)).await;
    let mut listener = rig.tune_in(HOLD).await.unwrap();
    // Both were tried, and now it is the second's turn again.
    listener.hears_until(|_| rig.callers()[1] >= 2).await;
    let fleet = rig.fleet.lock();
    fleet.standing(RelayId(1)).unwrap().suspect
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_says_no_to_one_is_not_suspect_to_all() {
    let no = || says(b"HTTP/1.0 401 Authentication Required\r\n\r\n".to_vec());
    assert!(!is_suspect_who(no()).await);
    assert!(is_suspect_who(silent()).await);
}
