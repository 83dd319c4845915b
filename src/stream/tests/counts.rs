//! What the fleet is told of listeners and relays.

use std::time::Duration;

use super::relay::{Script, says, script, silent};
use super::rig::{ANSWER, HOLD, MOUNT, Rig};
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

/// Reason why the mount is suspect on the second relay after a listener of the first tried it; the relay itself is well.
async fn trouble_after(script: Script) -> Option<&'static str> {
    let rig = Rig::of([dies(), script], Duration::from_millis(300)).await;
    rig.report_types("audio/mpeg");
    let mut listener = rig.tune_in(HOLD).await.unwrap();
    // Both were tried, and now it is the second's turn again.
    listener.hears_until(|_| rig.callers()[1] >= 2).await;
    let fleet = rig.fleet.lock();
    assert!(!fleet.standing(RelayId(1)).unwrap().suspect);
    let carriers = fleet.mounts().carriers(MOUNT);
    carriers[1].trouble.map(|trouble| trouble.reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_answers_and_does_not_serve_is_in_trouble_with_that_mount() {
    let answers = |head: &[u8], body: &[u8]| says([head, body].concat());
    for (script, reason) in [
        (
            answers(b"HTTP/1.0 401 Authentication Required\r\n\r\n", b""),
            None,
        ),
        (answers(b"HTTP/1.0 403 Full\r\n\r\n", b""), None),
        (silent(), Some("no audio in time")),
        (answers(b"", b""), Some("closed before an answer")),
        (answers(MP3, b""), Some("closed without audio")),
        (answers(MP3, &[0; 63]), Some("closed without audio")),
        (
            script(|mut caller| async move {
                caller.say(MP3).await?;
                caller.keep().await
            }),
            Some("no audio in time"),
        ),
        (
            answers(
                b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n",
                &[b'<'; 100],
            ),
            Some("a page or playlist, no stream"),
        ),
        (
            answers(
                b"HTTP/1.0 200 OK\r\nContent-Type: audio/aac\r\n\r\n",
                &[0; 100],
            ),
            Some("another type of stream"),
        ),
        (
            answers(
                b"HTTP/1.0 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n",
                b"",
            ),
            Some("unexpected status"),
        ),
        (
            answers(b"SSH-2.0-OpenSSH\r\n\r\n", b""),
            Some("answer not understood"),
        ),
    ] {
        assert_eq!(trouble_after(script).await, reason);
    }
}
