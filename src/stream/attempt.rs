//! An attempt: one relay on its way into a listener's stream, first connected to, then searched for the joint.
//!
//! In: a seat on a relay. Out: a [`Landing`] where the listener goes on, or why the relay is of no use. The listener's
//! stream goes on meanwhile if it can: what he is sent until the landing moves the place of the joint with it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use super::Seam;
use super::head::RelayHead;
use super::joining::Joining;
use super::landing::Landing;
use super::link::{Link, TurnedAway};
use super::scene::Scene;
use super::seats::Seat;

/// How far an attempt is.
#[derive(Debug)]
pub enum Progress {
    /// More has to come.
    Waiting,
    /// It can land, this well.
    Ready(Seam),
    /// The relay is of no use.
    Failed(Seat, TurnedAway),
}

type Opened = (Seat, Result<(Link, RelayHead), TurnedAway>);

enum Stage {
    /// The lock is never taken: it makes the future shareable between threads, as Pingora wants its sockets.
    Opening(Mutex<Pin<Box<dyn Future<Output = Opened> + Send>>>),
    Joining(Box<Joining>),
    Spent,
}

/// One relay on its way in.
pub struct Attempt {
    stage: Stage,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attempt")
    }
}

impl Attempt {
    /// Begins with the relay of `seat`.
    pub fn begin(seat: Seat, scene: &Scene<'_>) -> Self {
        let (routes, request) = (scene.voyage.routes.clone(), scene.voyage.request.clone());
        let opening = async move {
            let opened = Link::open(&seat, &routes, &request).await;
            (seat, opened)
        };
        Self {
            stage: Stage::Opening(Mutex::new(Box::pin(opening))),
        }
    }

    /// Goes as far as it can.
    pub fn poll(&mut self, cx: &mut Context<'_>, scene: &Scene<'_>) -> Progress {
        if let Stage::Opening(opening) = &mut self.stage {
            let Ok(future) = opening.get_mut() else {
                return Progress::Waiting;
            };
            let Poll::Ready((seat, opened)) = future.as_mut().poll(cx) else {
                return Progress::Waiting;
            };
            match opened {
                Ok((link, head)) if scene.is_same_type(&head) => {
                    let mut seat = seat;
                    seat.note_arrival();
                    self.stage = Stage::Joining(Box::new(Joining::new(seat, link, scene)));
                }
                Ok((_, head)) if seat.is_expected(head.content_type.as_deref()) => {
                    return self.fail(seat, TurnedAway::OtherThanBegun);
                }
                Ok(_) => return self.fail(seat, TurnedAway::OtherType),
                Err(why) => return self.fail(seat, why),
            }
        }
        let Stage::Joining(joining) = &mut self.stage else {
            return Progress::Waiting;
        };
        match joining.poll(cx, scene) {
            Ok(None) => Progress::Waiting,
            Ok(Some(seam)) => Progress::Ready(seam),
            Err(why) => match std::mem::replace(&mut self.stage, Stage::Spent) {
                Stage::Joining(joining) => Progress::Failed(joining.seat, why),
                _ => Progress::Waiting,
            },
        }
    }

    fn fail(&mut self, seat: Seat, why: TurnedAway) -> Progress {
        self.stage = Stage::Spent;
        Progress::Failed(seat, why)
    }

    /// Lands; `None` unless it is ready.
    pub fn land(self, scene: &Scene<'_>) -> Option<Landing> {
        match self.stage {
            Stage::Joining(joining) => joining.land(scene),
            _ => None,
        }
    }
}
