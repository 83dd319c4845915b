//! A fleet: one master, a source for each of its mounts, and relays that pull from it. All of them real.

use super::http::Answer;
use super::icecast::{Icecast, Server};
use super::programme::Format;
use super::relay::Relay;
use super::running_relay::RunningRelay;
use super::source::Source;
use super::wait::{eventually, seconds};

/// A fleet at work; dropping it ends all of it.
#[derive(Debug)]
pub struct Fleet {
    // Fields are dropped in this order: first those who pull, then the source, then the master.
    relays: Vec<RunningRelay>,
    sources: Vec<(String, Source)>,
    master: Icecast,
}

/// A fleet that knows its relays and not yet its mounts.
#[derive(Debug)]
pub struct FleetPlan(Vec<Relay>);

impl Fleet {
    /// `n` relays that pull everything.
    pub fn of(n: usize) -> FleetPlan {
        FleetPlan(vec![Relay::of_everything(); n])
    }

    /// These relays.
    pub fn made_of(relays: impl IntoIterator<Item = Relay>) -> FleetPlan {
        FleetPlan(relays.into_iter().collect())
    }

    /// The relay with this number; the first is 1.
    #[track_caller]
    pub fn relay(&self, number: usize) -> &RunningRelay {
        &self.relays[number - 1]
    }

    /// All relays, the first first.
    pub fn relays(&self) -> &[RunningRelay] {
        &self.relays
    }

    /// The source of a mount.
    #[track_caller]
    pub fn source(&self, mount: &str) -> &Source {
        let found = self.sources.iter().find(|(fed, _)| fed == mount);
        &found.expect("a mount with a source").1
    }

    /// Where all sources feed, and from where all relays pull.
    pub fn master(&self) -> &Icecast {
        &self.master
    }

    /// Which relay a redirect points to, by its number.
    #[track_caller]
    pub fn chosen_by(&self, redirect: &Answer) -> usize {
        let location = redirect.location();
        let is_at =
            |relay: &RunningRelay| location.starts_with(&format!("http://{}/", relay.name()));
        let place = self.relays.iter().position(is_at);
        place.unwrap_or_else(|| panic!("{location} is none of {:?}", self.names())) + 1
    }

    /// How many of these redirects point to each relay, the first relay first.
    #[track_caller]
    pub fn shares(&self, redirects: &[Answer]) -> Vec<usize> {
        let mut shares = vec![0; self.relays.len()];
        for redirect in redirects {
            shares[self.chosen_by(redirect) - 1] += 1;
        }
        shares
    }

    /// What the balancer calls the relays.
    pub fn names(&self) -> Vec<String> {
        self.relays.iter().map(RunningRelay::name).collect()
    }
}

impl FleetPlan {
    /// Starts the fleet with one mount, and waits until every relay carries what it shall.
    #[track_caller]
    pub fn carrying(self, mount: &str) -> Fleet {
        self.carrying_all(&[mount])
    }

    /// Starts the fleet with several mounts.
    #[track_caller]
    pub fn carrying_all(self, mounts: &[&str]) -> Fleet {
        let mounts: Vec<_> = mounts.iter().map(|mount| (*mount, Format::Mp3)).collect();
        self.carrying_formats(&mounts)
    }

    /// Starts the fleet with several mounts, each in its format.
    #[track_caller]
    pub fn carrying_formats(self, mounts: &[(&str, Format)]) -> Fleet {
        let master = Icecast::start("master", &Server::default());
        // Encoded while the master starts, not while it waits for its source.
        for (_, format) in mounts {
            format.programme();
        }
        master.wait_until_up();
        let feed = |(mount, format): &(&str, Format)| {
            let source = Source::feeding_in(*format, master.address(), mount);
            // ICECAST: (2.4.4, seen once) of two sources in one millisecond the second may never be answered.
            wait_until_fed(&master, mount);
            ((*mount).to_owned(), source)
        };
        let sources = mounts.iter().map(feed).collect();
        let mounts: Vec<_> = mounts.iter().map(|(mount, _)| *mount).collect();
        let relays = start_relays(&self.0, &master, &mounts);
        for relay in &relays {
            relay.wait_until_it_carries_all();
        }
        Fleet {
            relays,
            sources,
            master,
        }
    }
}

#[track_caller]
fn wait_until_fed(master: &Icecast, mount: &str) {
    eventually(seconds(5), "the master carries the mount", || {
        let listed = master.listed_mounts().unwrap_or_default();
        listed.iter().any(|it| it.path == mount && it.running)
    });
}

fn start_relays(plans: &[Relay], master: &Icecast, mounts: &[&str]) -> Vec<RunningRelay> {
    let numbered = (1..).zip(plans);
    let start = |(number, plan)| RunningRelay::start(number, plan, master.address(), mounts);
    numbered.map(start).collect()
}
