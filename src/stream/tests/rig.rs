//! The rig: scripted relays, a fleet that knows them, and listeners who hear them through their streams.
//!
//! Relay 0 is the least loaded, then 1, and so on: that is the order in which they are chosen.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::io::ReadBuf;
use tokio::time::timeout;

use super::relay::{Script, ScriptedRelay};
use crate::discovery::AddressBook;
use crate::fleet::tests::{relays, report, rules};
use crate::fleet::{
    Fleet, MountKind, MountReport, PollOutcome, Polled, Relay, RelayId, Report, SharedFleet,
};
use crate::select::{Policy, Rule, SelectConfig};
use crate::stream::first_relay::FirstRelay;
use crate::stream::link::{Link, TurnedAway};
use crate::stream::outlet::Outlet;
use crate::stream::relay_stream::RelayStream;
use crate::stream::request::Request;
use crate::stream::routes::{Routes, SharedRoutes};
use crate::stream::scene::Voyage;
use crate::stream::seats::Seat;
use crate::stream::{Journey, Seam, Seats, Streams};

pub const MOUNT: &str = "/live";

/// More than anything here takes, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(20);

/// How long relays may take to answer, unless a test is about that.
pub const ANSWER: Duration = Duration::from_secs(10);

/// How long listeners are kept, unless a test is about that.
pub const HOLD: Duration = Duration::from_secs(10);

/// How often it is looked whether something has come true.
const LOOK: Duration = Duration::from_millis(10);

/// A fleet of scripted relays, and what listeners need to hear them.
pub struct Rig {
    /// What is known of the relays.
    pub fleet: SharedFleet,
    relays: Vec<ScriptedRelay>,
    seats: Seats,
    routes: SharedRoutes,
    streams: Arc<Streams>,
}

impl Rig {
    /// A fleet of relays that follow these scripts, and have to answer within `answer`.
    pub async fn of(scripts: impl IntoIterator<Item = Script>, answer: Duration) -> Self {
        let mut relays = Vec::new();
        for script in scripts {
            relays.push(ScriptedRelay::following(script).await);
        }
        let fleet = fleet_of("127.0.0.1", &relays);
        let local = [Ipv4Addr::LOCALHOST.into()];
        Self::put_together(fleet, relays, &local, answer).await
    }

    /// A fleet of one relay, whose name has an address for each of these scripts: 127.0.0.1, 127.0.0.2 and so on.
    pub async fn of_one_name(scripts: impl IntoIterator<Item = Script>, answer: Duration) -> Self {
        let mut relays: Vec<ScriptedRelay> = Vec::new();
        for (script, last) in scripts.into_iter().zip(1..) {
            let port = relays.first().map_or(0, |first| first.port);
            let address = (Ipv4Addr::new(127, 0, 0, last), port).into();
            relays.push(ScriptedRelay::at(address, script).await);
        }
        let fleet = fleet_of("twin", &relays[..1]);
        let last = u8::try_from(relays.len()).unwrap();
        let addresses = (1..=last).map(|last| Ipv4Addr::new(127, 0, 0, last).into());
        Self::put_together(fleet, relays, &addresses.collect::<Vec<_>>(), answer).await
    }

    async fn put_together(
        fleet: Fleet,
        relays: Vec<ScriptedRelay>,
        addresses: &[IpAddr],
        answer: Duration,
    ) -> Self {
        let (book, known) = (AddressBook::default(), fleet.iter().count());
        for (_, relay, _, _) in fleet.iter() {
            book.note(&relay.url.host, addresses);
        }
        let fleet = SharedFleet::new(fleet);
        Self {
            seats: Seats::new(select(&fleet)),
            fleet,
            routes: Arc::new(Routes::bare(known, book, answer)),
            relays,
            streams: Arc::default(),
        }
    }

    /// A listener who begins on the first relay, and is kept for `hold` without audio.
    pub async fn tune_in(&self, hold: Duration) -> Result<Listener, TurnedAway> {
        let mut voyage = self.voyage(hold);
        let mut seat = self.seat();
        let (link, head) = Link::open(&seat, &self.routes, &voyage.request).await?;
        seat.note_arrival();
        let journey = Arc::<Journey>::default();
        let streams = &self.streams;
        let aboard = streams.enter(&voyage.mount, journey.clone(), seat.id(), seat.relay());
        voyage.content_type = head.content_type;
        Ok(Listener {
            stream: RelayStream::new(voyage, aboard, seat, link, Outlet::new(None)),
            journey,
            heard: Vec::new(),
            is_given_up: false,
        })
    }

    /// The place of the relay on which a listener begins that any relay may take, or why none does.
    pub async fn first_relay(&self) -> Result<RelayId, Vec<TurnedAway>> {
        let (request, mount) = (Request::default(), MOUNT.into());
        let search = FirstRelay {
            seats: &self.seats,
            routes: &self.routes,
            request: &request,
            mount: &mount,
        };
        let (seat, ..) = search.open(self.seat()).await?;
        Ok(seat.id())
    }

    /// Each relay reports the mount with this type.
    pub fn report_types(&self, content_type: &str) {
        let mut fleet = self.fleet.lock();
        let began = Instant::now();
        for id in ids(self.relays.len()) {
            let mut mount = MountReport::bare(MOUNT, MountKind::Running, id.0);
            mount.content_type = Some(content_type.to_owned());
            let report = Report {
                listeners: id.0,
                mounts: vec![mount],
                ..Report::default()
            };
            let outcome = PollOutcome::Report(report);
            fleet.apply(id, Polled { began, outcome }, began);
        }
    }

    /// Reason why the mount is suspect, for each relay.
    pub fn troubles(&self) -> Vec<Option<&'static str>> {
        let fleet = self.fleet.lock();
        let carriers = fleet.mounts().carriers(MOUNT).iter();
        carriers
            .map(|carrier| carrier.trouble.map(|trouble| trouble.reason))
            .collect()
    }

    /// What stays the same for a listener who is kept for `hold` without audio.
    pub fn voyage(&self, hold: Duration) -> Voyage {
        Voyage {
            seats: self.seats.clone(),
            routes: self.routes.clone(),
            request: Arc::default(),
            mount: MOUNT.into(),
            content_type: None,
            stall_timeout: None,
            hold,
        }
    }

    /// A seat on the first relay, or on the next where somebody sits there.
    pub fn seat(&self) -> Seat {
        self.seats.take(&MOUNT.into(), None, &[]).unwrap()
    }

    /// Asks those who hear the first relay to leave it.
    pub fn ask_to_move(&self) {
        let berths = self.streams.on(RelayId(0));
        assert!(!berths.is_empty());
        berths.iter().for_each(|berth| {
            berth.ask_to_move();
        });
    }

    /// Lets one relay, or one address, take no connection from now on.
    pub async fn close(&mut self, place: usize) {
        self.relays[place].close().await;
    }

    /// Number of connections that each relay, or each address of one, had.
    pub fn callers(&self) -> Vec<usize> {
        self.relays.iter().map(ScriptedRelay::callers).collect()
    }
}

fn fleet_of(host: &str, scripted: &[ScriptedRelay]) -> Fleet {
    let names: Vec<_> = (0..scripted.len()).map(|n| format!("relay{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut relays = relays(&names);
    for (relay, scripted) in relays.iter_mut().zip(scripted) {
        let Relay { url, .. } = Arc::make_mut(relay);
        (url.host, url.port) = (host.to_owned(), scripted.port);
    }
    let (mut fleet, began) = (Fleet::new(relays, rules()), Instant::now());
    for id in ids(scripted.len()) {
        let outcome = report(&[(MOUNT, id.0)]);
        fleet.apply(id, Polled { began, outcome }, began);
    }
    fleet
}

fn ids(relays: usize) -> impl Iterator<Item = RelayId> {
    (0..u32::try_from(relays).unwrap()).map(RelayId)
}

fn select(fleet: &SharedFleet) -> SelectConfig {
    SelectConfig {
        fleet: fleet.clone(),
        rule: Arc::new(ArcSwap::from_pointee(Rule {
            policy: Policy::LeastListeners,
            slow_start: Duration::ZERO,
        })),
    }
}

/// Somebody who listens.
pub struct Listener {
    stream: RelayStream,
    journey: Arc<Journey>,
    /// What he heard so far.
    pub heard: Vec<u8>,
    is_given_up: bool,
}

impl Listener {
    /// Listens until `holds` of him; fails when he is given up before, or it takes too long.
    pub async fn hears_until(&mut self, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !holds(self) {
            let story = (self.heard.len(), self.seams(), self.journey.relays());
            assert!(!self.is_given_up, "given up: {story:?}");
            assert!(Instant::now() < until, "it never came true: {story:?}");
            self.hear().await;
        }
    }

    /// Listens until he has heard so many bytes.
    pub async fn hears(&mut self, bytes: usize) {
        self.hears_until(|listener| listener.heard.len() >= bytes)
            .await;
    }

    /// Listens for a time, or until he is given up.
    pub async fn listens_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until && !self.is_given_up {
            self.hear().await;
        }
    }

    /// Whether no relay could take him in time.
    pub fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    /// How many seams there were: exact, guessed, audible.
    pub fn seams(&self) -> [u64; Seam::ALL.len()] {
        let mut seams = self.journey.seams().map(|(_, count)| count);
        std::array::from_fn(|_| seams.next().unwrap())
    }

    /// Hears what comes next, if it comes soon.
    async fn hear(&mut self) {
        let mut room = [0; 32 * 1024];
        let mut room = ReadBuf::new(&mut room);
        let heard = poll_fn(|cx| self.stream.poll_next(cx, &mut room));
        if let Ok(Err(_)) = timeout(LOOK, heard).await {
            self.is_given_up = true;
        }
        self.heard.extend_from_slice(room.filled());
    }
}
