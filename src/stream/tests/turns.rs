//! Turns: one relay is read for a while only, then the others are.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake};
use std::time::Instant;

use bytes::BytesMut;

use super::relay::silent;
use super::rig::{ANSWER, HOLD, Rig};
use super::sound::{OGG, Programme};
use crate::stream::carried::Carried;
use crate::stream::head;
use crate::stream::joining::Joining;
use crate::stream::link::{Link, TurnedAway};
use crate::stream::scene::Scene;

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_relay_that_always_has_more_is_read_in_turns() {
    let rig = Rig::of([silent()], ANSWER).await;
    let mut carried = Carried::Nothing;
    let ours = Programme { serial: 1, seed: 1 };
    carried.carry(&ours.begin(6), |_| {});
    let scene = Scene {
        voyage: &rig.voyage(HOLD),
        carried: &carried,
        heard_at: Instant::now(),
        bytes_per_second: None,
    };
    // No socket is as quick as this: all is there already, two million bytes of another programme.
    let theirs = Programme { serial: 3, seed: 2 }.begin(400);
    let (head, _) = head::parse(OGG).unwrap().unwrap();
    let endless = Box::new(Cursor::new(theirs));
    let link = Link::over(endless, BytesMut::new(), &head).unwrap();
    let mut joining = Joining::new(rig.seat(), link, &scene);

    let woken = Arc::<Woken>::default();
    let waker = woken.clone().into();
    let mut turns = 0;
    let end = loop {
        match joining.poll(&mut Context::from_waker(&waker), &scene) {
            Ok(_) => turns += 1,
            Err(why) => break why,
        }
        assert!(woken.0.load(Ordering::SeqCst) >= turns, "no further turn");
    };

    assert!(matches!(end, TurnedAway::HungUp), "{end}");
    assert!(turns >= 5, "read in {turns} turns");
}
