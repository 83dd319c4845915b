//! Pounding: somebody asks again and again, every few milliseconds, and counts what became of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::http::Question;
use super::wait::millis;

/// Askers, each on new connections.
const ASKERS: u32 = 4;

/// Asks until it is told to finish.
#[derive(Debug)]
pub struct Pounding {
    is_over: Arc<AtomicBool>,
    askers: Vec<JoinHandle<Beaten>>,
}

/// What became of it.
#[derive(Debug, Default, Clone)]
pub struct Beaten {
    /// Questions that were answered below 500.
    pub answered: usize,
    /// Questions that were not.
    pub failed: usize,
    /// What went wrong, and when.
    pub faults: Vec<(Instant, String)>,
    /// When answers came.
    pub answers: Vec<Instant>,
}

impl Pounding {
    /// Asks `server` for `target`, some 200 times a second.
    pub fn of(server: SocketAddr, target: &str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let askers = (0..ASKERS).map(|_| {
            let (is_over, question) = (is_over.clone(), Question::get(target));
            thread::spawn(move || ask(server, &question, &is_over))
        });
        let askers = askers.collect();
        Self { is_over, askers }
    }

    /// Ends it, and tells what became of all questions.
    pub fn finish(self) -> Beaten {
        self.is_over.store(true, Ordering::Relaxed);
        let beaten = self.askers.into_iter().map(|asker| asker.join().unwrap());
        let mut all = beaten.fold(Beaten::default(), |mut all, one| {
            all.answered += one.answered;
            all.failed += one.failed;
            all.faults.extend(one.faults);
            all.answers.extend(one.answers);
            all
        });
        all.answers.sort_unstable();
        all
    }
}

fn ask(server: SocketAddr, question: &Question, is_over: &AtomicBool) -> Beaten {
    let mut beaten = Beaten::default();
    while !is_over.load(Ordering::Relaxed) {
        let fault = match question.ask(server) {
            Ok(answer) if answer.status < 500 => None,
            Ok(answer) => Some(format!("{}: {}", answer.status, answer.text())),
            Err(error) => Some(format!("{error:?}")),
        };
        match fault {
            None => {
                beaten.answered += 1;
                beaten.answers.push(Instant::now());
            }
            Some(fault) => {
                beaten.failed += 1;
                beaten.faults.push((Instant::now(), fault));
            }
        }
        // The pace of the crowd, not a wait for anything.
        thread::sleep(millis(20));
    }
    beaten
}
