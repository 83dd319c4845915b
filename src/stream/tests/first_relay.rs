//! The relay on which a stream begins.

use std::time::Duration;

use tokio::time::sleep;

use super::relay::{says, script, silent};
use super::rig::Rig;
use super::sound::{MP3, noise};
use crate::fleet::RelayId;
use crate::stream::link::TurnedAway;

const ANSWER: Duration = Duration::from_secs(5);

fn serves() -> super::relay::Script {
    script(|mut caller| async move {
        caller.say(&[MP3, &noise(1, 40_000)].concat()).await?;
        caller.keep().await
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_are_tried_at_once_when_one_fails_and_beside_one_that_is_slow() {
    let not_found = || says(b"HTTP/1.0 404 No\r\n\r\n".to_vec());
    let rig = Rig::of([not_found(), silent(), serves()], ANSWER).await;
    assert_eq!(rig.first_relay().await.unwrap(), RelayId(2));
    assert_eq!(rig.callers(), [1, 1, 1]);
    // The second was given up before it was slow, or just then.
    assert_eq!(rig.troubles()[0], Some("not found"));
    assert_eq!(rig.troubles()[2], None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_is_not_blamed_for_the_time_that_another_one_took() {
    // The first one fails when the second has just been tried, and the second one takes a moment.
    let fails_late = script(|_| async move {
        sleep(Duration::from_millis(1_700)).await;
        Ok(())
    });
    let takes_a_moment = script(|mut caller| async move {
        sleep(Duration::from_millis(600)).await;
        caller.say(&[MP3, &noise(1, 40_000)].concat()).await?;
        caller.keep().await
    });
    let rig = Rig::of([fails_late, takes_a_moment], ANSWER).await;
    assert_eq!(rig.first_relay().await.unwrap(), RelayId(1));
    assert_eq!(rig.troubles(), [Some("closed before an answer"), None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_behind_four_silent_ones_is_reached_in_time() {
    let rig = Rig::of([silent(), silent(), silent(), silent(), serves()], ANSWER).await;
    assert_eq!(rig.first_relay().await.unwrap(), RelayId(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changes_its_type_is_followed_before_the_next_reports() {
    let aac = || {
        let head = b"HTTP/1.0 200 OK\r\nContent-Type: audio/aac\r\n\r\n";
        says([head, noise(1, 40_000).as_slice()].concat())
    };
    let rig = Rig::of([aac(), aac()], ANSWER).await;
    rig.report_types("audio/mpeg");
    assert_eq!(rig.first_relay().await.unwrap(), RelayId(0));
    assert_eq!(rig.troubles(), [None, None]);

    let rig = Rig::of([aac(), serves()], ANSWER).await;
    rig.report_types("audio/mpeg");
    assert_eq!(rig.first_relay().await.unwrap(), RelayId(1));
    assert_eq!(rig.troubles(), [Some("another type of stream"), None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_no_relay_delivers_each_has_its_reason() {
    let full = says(b"HTTP/1.0 403 Full\r\n\r\n".to_vec());
    let rig = Rig::of([full, silent()], Duration::from_millis(500)).await;
    let reasons = rig.first_relay().await.unwrap_err();
    assert!(
        matches!(
            reasons[..],
            [TurnedAway::Status(403), TurnedAway::Silent(_)]
        ),
        "{reasons:?}"
    );
}
