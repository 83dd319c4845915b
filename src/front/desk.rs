//! The desk: decides how a request is answered, whoever writes the answer. Knows the fleet, not the connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::Guard;

use super::answer::Page;
use super::ask::{Ask, playlist_of};
use super::complaint::Complaint;
use super::edition::{Edition, Editions};
use super::first_polls::FirstPolls;
use super::public_status;
use super::refuse::Refusal;
use super::signpost::Signpost;
use super::tally::Tally;
use super::wish::{Decision, Wish};
use crate::acme::Challenges;
use crate::config::{Mode, WithoutHttps};
use crate::discovery::relay_of;
use crate::fleet::{Fleet, Origin, RelayId, Scheme, SharedFleet, push_location, stream_type};
use crate::select::{Key, NoRelay, RelayBackends, TuneIn, can_take, why_none};

/// Longest wait of a tune-in for the first poll of a relay that was added later, and the interval of checks.
const SURVEY_WAIT: Duration = Duration::from_secs(2);
const SURVEY_STEP: Duration = Duration::from_millis(20);

/// What the desk is made of.
pub struct Parts {
    /// Pingora's load balancer over our selection.
    pub backends: Arc<RelayBackends>,
    /// The fleet it selects from.
    pub fleet: SharedFleet,
    /// What was answered so far.
    pub tally: Arc<Tally>,
    /// What the configuration says.
    pub editions: Editions,
    /// What authorities may ask, where certificates are ordered.
    pub challenges: Option<Challenges>,
}

/// Decides.
pub struct Desk {
    backends: Arc<RelayBackends>,
    fleet: SharedFleet,
    tally: Arc<Tally>,
    complaint: Complaint,
    editions: Editions,
    challenges: Option<Challenges>,
    first_polls: FirstPolls,
}

impl Desk {
    /// Puts the desk up.
    pub fn new(parts: Parts) -> Self {
        Self {
            complaint: Complaint::default(),
            first_polls: FirstPolls::new(parts.fleet.clone()),
            backends: parts.backends,
            fleet: parts.fleet,
            tally: parts.tally,
            editions: parts.editions,
            challenges: parts.challenges,
        }
    }

    /// The edition in force, for one that is answered at once.
    pub fn edition(&self) -> Guard<Arc<Edition>> {
        self.editions.load()
    }

    /// Returns true when tune-ins no longer wait for the first polls.
    pub fn is_open(&self) -> bool {
        self.first_polls.are_over()
    }

    /// Counts a refusal.
    pub fn refused(&self, refusal: Refusal) {
        self.tally.refused(refusal);
    }

    /// Decides about a request; waits up to 2 s for the first polls after a start.
    ///
    /// # Errors
    /// The refusal that answers it.
    pub async fn decide(&self, edition: &Edition, wish: Wish<'_>) -> Result<Decision, Refusal> {
        let (path, query) = match &wish.ask {
            Ask::Preflight => return Ok(Decision::Preflight),
            Ask::Challenge(token) => return self.answer_challenge(token),
            Ask::Status => return Ok(Decision::Page(public_status::render(&self.fleet.lock()))),
            Ask::Mount { path, query } => (path, *query),
        };
        let tune_in = TuneIn {
            mount: path,
            scheme: wish.scheme,
            client: wish.client,
            is_proxied: false,
        };
        let mode = edition.modes.of(path, wish.user_agent);
        match mode {
            Mode::Redirect => self.first_polls.wait().await,
            Mode::Proxy => self.first_polls.wait_for_counts().await,
        }
        // SECURITY: a source client may name its mount like the playlist of another one.
        if let (false, Some(playlist)) = (wish.is_head, self.playlist(edition, tune_in, wish.local))
        {
            return playlist;
        }
        if wish.is_head {
            return self.head_of(edition, tune_in, mode).await;
        }
        let mut outcome = self.serve(edition, tune_in, query, mode);
        if outcome == Err(NoRelay::NotYet) {
            self.survey().await;
            if let Some(playlist) = self.playlist(edition, tune_in, wish.local) {
                return playlist;
            }
            outcome = self.serve(edition, tune_in, query, mode);
        }
        if outcome == Err(NoRelay::AllFull) && self.first_polls.wait_for_certainty().await {
            outcome = self.serve(edition, tune_in, query, mode);
        }
        outcome.map_err(|none| self.complain(none.into(), tune_in))
    }

    fn answer_challenge(&self, token: &str) -> Result<Decision, Refusal> {
        let answer = self.challenges.as_ref().and_then(|open| open.answer(token));
        let body = answer.ok_or(Refusal::NotFound)?;
        let content_type = "application/octet-stream";
        Ok(Decision::Page(Page {
            status: 200,
            content_type,
            body,
        }))
    }

    /// Lets an operator know of a refusal that only he can help with.
    pub fn complain(&self, refusal: Refusal, tune_in: TuneIn<'_>) -> Refusal {
        let now = Instant::now();
        self.complaint
            .about(refusal, &self.fleet.lock(), tune_in, now);
        refusal
    }

    fn serve(
        &self,
        edition: &Edition,
        tune_in: TuneIn<'_>,
        query: Option<&str>,
        mode: Mode,
    ) -> Result<Decision, NoRelay> {
        if mode == Mode::Proxy {
            return self.carry(tune_in);
        }
        let mut url = String::new();
        let redirected = self.redirect(edition, tune_in, query, &mut url);
        redirected
            .map(|()| Decision::Redirect(url))
            .or_else(|none| {
                // A browser on https takes no stream from a plain address, but it takes ours.
                let carried = is_carried_for_https(edition, tune_in.scheme);
                let carry = carried.then(|| self.carry(tune_in).ok()).flatten();
                carry.ok_or(none)
            })
    }

    /// Whether some relay can take the listener when we speak to it for him; places nobody.
    fn carry(&self, tune_in: TuneIn<'_>) -> Result<Decision, NoRelay> {
        let fleet = self.fleet.lock();
        let now = Instant::now();
        let ours = for_us(tune_in);
        let none = || why_none(&fleet, ours, &[], now);
        if !can_take(&fleet, ours, now) {
            return Err(none());
        }
        let mount = fleet.mounts().path(tune_in.mount).ok_or_else(none)?;
        Ok(Decision::Carry(mount))
    }

    /// Selects a relay, raises its pending, and appends the URL to send the listener to.
    ///
    /// # Errors
    /// Why no relay can take the tune-in; `url` may have grown.
    pub fn redirect(
        &self,
        edition: &Edition,
        tune_in: TuneIn<'_>,
        query: Option<&str>,
        url: &mut String,
    ) -> Result<(), NoRelay> {
        let relay = self.select(tune_in)?;
        let sent = match edition.signpost(relay) {
            Some(signpost) => signpost.send(tune_in, query, url),
            None => self
                .new_signpost(relay)
                .and_then(|signpost| signpost.send(tune_in, query, url)),
        };
        sent.ok_or(NoRelay::NoHttps)
    }

    /// The signpost of a relay that came after the edition by which somebody is answered.
    fn new_signpost(&self, relay: RelayId) -> Option<Signpost> {
        let relay = self.fleet.lock().relay(relay)?.clone();
        Some(Signpost::new(&relay, self.tally.counter(&relay.name)))
    }

    fn select(&self, tune_in: TuneIn<'_>) -> Result<RelayId, NoRelay> {
        let key = Key::from_tune_in(&tune_in);
        let found = self.backends.select_with(&key, usize::MAX, |_, _| true);
        let none = || why_none(&self.fleet.lock(), tune_in, &[], Instant::now());
        found.as_ref().map(relay_of).ok_or_else(none)
    }

    /// What a HEAD of a mount is answered: nobody is placed by it.
    async fn head_of(
        &self,
        edition: &Edition,
        tune_in: TuneIn<'_>,
        mode: Mode,
    ) -> Result<Decision, Refusal> {
        self.survey().await;
        let fleet = self.fleet.lock();
        let carried = |mount: &str| !fleet.mounts().carriers(mount).is_empty();
        if let Some((mount, kind)) = playlist_of(tune_in.mount)
            && carried(mount)
        {
            return Ok(Decision::StreamHead(Some(kind.content_type().to_owned())));
        }
        let now = Instant::now();
        let by_us = mode == Mode::Proxy || is_carried_for_https(edition, tune_in.scheme);
        if can_take(&fleet, tune_in, now) || by_us && can_take(&fleet, for_us(tune_in), now) {
            let told = fleet.describe(tune_in.mount);
            let content_type = told.and_then(|mount| mount.content_type.as_deref());
            return Ok(Decision::StreamHead(content_type.and_then(stream_type)));
        }
        Err(why_none(&fleet, tune_in, &[], now).into())
    }

    /// The playlist that is asked for, when the fleet has its mount.
    fn playlist(
        &self,
        edition: &Edition,
        tune_in: TuneIn<'_>,
        local: Option<SocketAddr>,
    ) -> Option<Result<Decision, Refusal>> {
        let (mount, kind) = playlist_of(tune_in.mount)?;
        let fleet = self.fleet.lock();
        if fleet.mounts().carriers(mount).is_empty() {
            return None;
        }
        let name = display_name(&fleet, mount);
        let page = own_origin(edition, tune_in.scheme, local).map(|origin| {
            let mut url = String::new();
            push_location(&mut url, &origin, mount, None);
            Decision::Page(Page {
                status: 200,
                content_type: kind.content_type(),
                body: kind.render(&url, &name),
            })
        });
        Some(page)
    }

    /// Waits until every relay was polled, at most 2 s.
    async fn survey(&self) {
        let began = Instant::now();
        while !self.fleet.lock().is_surveyed() && began.elapsed() < SURVEY_WAIT {
            tokio::time::sleep(SURVEY_STEP).await;
        }
    }
}

/// Our own address as a listener reaches it.
///
/// SECURITY: from the configuration, else the address the connection came to; never from Host.
fn own_origin(
    edition: &Edition,
    scheme: Scheme,
    local: Option<SocketAddr>,
) -> Result<String, Refusal> {
    if let Some(origin) = &edition.public_url {
        return Ok(origin.clone());
    }
    let local = local.ok_or(Refusal::NoPublicUrl)?;
    let origin = Origin {
        scheme,
        host: local.ip().to_canonical().to_string(),
        port: local.port(),
    };
    Ok(origin.to_string())
}

fn is_carried_for_https(edition: &Edition, scheme: Scheme) -> bool {
    scheme == Scheme::Https && edition.modes.without_https == WithoutHttps::Proxy
}

/// The tune-in when we speak to the relay: the listener's scheme does not matter to it.
fn for_us(tune_in: TuneIn<'_>) -> TuneIn<'_> {
    TuneIn {
        scheme: Scheme::Http,
        ..tune_in
    }
}

fn display_name(fleet: &Fleet, mount: &str) -> String {
    let told = fleet.describe(mount).and_then(|mount| mount.name.clone());
    told.unwrap_or_else(|| mount.trim_start_matches('/').to_owned())
}
