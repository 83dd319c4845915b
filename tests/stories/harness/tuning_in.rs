//! A running balancer, asked as a listener.

use std::net::SocketAddr;

use super::balancer::Balancer;
use super::http::{Answer, Asked, Question};
use super::radio::{Radio, TuneIn};

impl Balancer {
    /// Where listeners reach it.
    pub fn address(&self) -> SocketAddr {
        self.public
    }

    /// Asks for a mount, as a player would.
    #[track_caller]
    pub fn tune_in(&self, mount: &str) -> Answer {
        self.asked(&Question::get(mount))
    }

    /// Asks for a mount with one more header.
    #[track_caller]
    pub fn tune_in_with(&self, header: (&str, &str), mount: &str) -> Answer {
        self.asked(&Question::get(mount).with(header))
    }

    /// Asks for a mount and does not wait for the answer.
    #[track_caller]
    pub fn begin_to_tune_in(&self, mount: &str) -> Asked {
        Asked(
            Question::get(mount)
                .send_to(self.public)
                .expect("the balancer takes connections"),
        )
    }

    /// A radio that plays a mount from now on.
    #[track_caller]
    pub fn radio(&self, mount: &str) -> Radio {
        let radio = self.radio_that(&TuneIn::to(mount));
        assert_eq!(radio.head().status, 200, "{}", self.said());
        radio
    }

    /// A radio that asks in its own way, whatever it is answered.
    #[track_caller]
    pub fn radio_that(&self, asks: &TuneIn) -> Radio {
        let answer = asks.at(self.public);
        answer.unwrap_or_else(|e| panic!("the balancer gave no answer: {e}"))
    }

    /// `n` radios that play a mount from now on, tuned in at the same time.
    #[track_caller]
    pub fn radios(&self, n: usize, mount: &str) -> Vec<Radio> {
        let (public, asks) = (self.public, TuneIn::to(mount));
        let radios: Vec<_> = std::thread::scope(|scope| {
            let tune_in = |_| scope.spawn(|| asks.at(public));
            let threads: Vec<_> = (0..n).map(tune_in).collect();
            let radios = threads.into_iter().map(|thread| thread.join().unwrap());
            radios.map(|radio| radio.expect("an answer")).collect()
        });
        let served = |radio: &Radio| radio.head().status == 200;
        assert!(radios.iter().all(served), "{}", self.said());
        radios
    }

    /// `n` tune-ins, four at a time.
    #[track_caller]
    pub fn tune_in_times(&self, n: usize, mount: &str) -> Vec<Answer> {
        let public = self.public;
        let ask = move || {
            Question::get(mount)
                .ask(public)
                .expect("the balancer answers")
        };
        std::thread::scope(|scope| {
            let some = |i| (0..(n + i) / 4).map(|_| ask()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|i| scope.spawn(move || some(i))).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        })
    }

    /// Asks anything on the public address.
    #[track_caller]
    pub fn asked(&self, question: &Question) -> Answer {
        let answer = question.ask(self.public);
        answer.unwrap_or_else(|e| panic!("the balancer gave no answer: {e}"))
    }

    /// The URL of a mount, as a person would type it.
    pub fn url(&self, mount: &str) -> String {
        format!("http://{}{mount}", self.public)
    }

    /// `GET /status` on the public address: each relay and its listeners, in the order they were sent.
    #[track_caller]
    pub fn status(&self) -> Vec<(String, u64)> {
        super::status::parse_public(&self.tune_in("/status"))
    }
}
