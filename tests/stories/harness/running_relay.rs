//! A relay at work: what it carries, who listens to it, and what a story does to it.

use std::net::SocketAddr;

use super::authority::Certifier;
use super::icecast::Icecast;
use super::listener::{Listener, Listeners};
use super::relay::Relay;
use super::wait::{eventually, seconds};
use super::wire::Wire;

/// A relay at work.
#[derive(Debug)]
pub struct RunningRelay {
    icecast: Icecast,
    plan: Relay,
    promised: Vec<(String, bool)>,
    /// The slow way to the master, for a relay that lags.
    _wire: Option<Wire>,
}

impl RunningRelay {
    /// Starts the `number`th relay; [`Self::wait_until_it_carries_all`] tells when it is of use.
    #[track_caller]
    pub fn start(number: usize, plan: &Relay, master: SocketAddr, carried: &[&str]) -> Self {
        let wire = (!plan.lag().is_zero()).then(|| Wire::delayed(plan.lag(), master));
        let master = wire.as_ref().map_or(master, Wire::address);
        let icecast = Icecast::start(&format!("relay{number}"), &plan.server(master));
        Self {
            _wire: wire,
            icecast,
            plan: plan.clone(),
            promised: plan.promises(carried),
        }
    }

    /// Waits until every mount of its plan is there and, where it is not hidden, on the public status page.
    #[track_caller]
    pub fn wait_until_it_carries_all(&self) {
        let what = format!("carries {:?}", self.promised);
        self.icecast.wait_until(&what, || self.carries_all());
    }

    fn carries_all(&self) -> bool {
        self.promised
            .iter()
            .all(|(mount, running)| self.carries(mount, *running))
    }

    fn carries(&self, mount: &str, running: bool) -> bool {
        let listed = self.icecast.listed_mounts().unwrap_or_default();
        let there = listed
            .iter()
            .any(|found| found.path == mount && found.running == running);
        there && (self.plan.hides(mount) || self.shows(mount, running))
    }

    /// The status page lags behind the list of mounts by up to 0.3 s.
    fn shows(&self, mount: &str, running: bool) -> bool {
        let page = self.icecast.ask(&format!("/status-json.xsl?mount={mount}"));
        let page = page.map(|answer| answer.text()).unwrap_or_default();
        page.contains("\"listenurl\"") && page.contains("\"server_type\"") == running
    }

    /// What the balancer calls it: `host:port`.
    pub fn name(&self) -> String {
        self.address().to_string()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.icecast.address()
    }

    /// Where it speaks TLS.
    #[track_caller]
    pub fn secure_address(&self) -> SocketAddr {
        let address = self.icecast.secure_address();
        address.expect("a relay with a certificate")
    }

    /// What the balancer calls it where it reaches it by https.
    #[track_caller]
    pub fn secure_name(&self) -> String {
        self.secure_address().to_string()
    }

    /// Gets another certificate, to be shown from its next start on.
    pub fn certify(&self, certifier: impl Into<Certifier>) {
        self.icecast.certify(&certifier.into());
    }

    /// Kills it (SIGKILL).
    pub fn kill(&self) {
        self.icecast.kill();
    }

    /// Ends it as a machine's shutdown does (SIGTERM).
    #[track_caller]
    pub fn stop(&self) {
        self.icecast.stop();
    }

    /// Hangs it: connections are accepted, nothing is answered (SIGSTOP).
    pub fn freeze(&self) {
        self.icecast.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.icecast.thaw();
    }

    /// Starts it again, and waits until it carries its mounts.
    #[track_caller]
    pub fn restart(&self) {
        self.icecast.restart();
        self.wait_until_it_carries_all();
    }

    /// Sets what plays now on this relay alone.
    #[track_caller]
    pub fn set_title(&self, mount: &str, title: &str) {
        self.icecast.set_title(mount, title);
    }

    /// Whether it has the mount and something feeds it.
    pub fn has(&self, mount: &str) -> bool {
        let mounts = self.icecast.listed_mounts().unwrap_or_default();
        mounts
            .iter()
            .any(|found| found.path == mount && found.running)
    }

    /// Waits until the master's title has come here.
    #[track_caller]
    pub fn wait_for_title(&self, mount: &str, title: &str) {
        let what = format!("{} shows {title:?}", self.name());
        eventually(seconds(10), &what, || {
            self.icecast.shows_title(mount, title)
        });
    }

    /// The public status page as it stands, byte for byte.
    #[track_caller]
    pub fn status_page(&self) -> Vec<u8> {
        self.icecast
            .ask("/status-json.xsl")
            .expect("a status page")
            .body
    }

    /// `n` people who tune in to the first mount directly and go on listening until the value is dropped.
    #[track_caller]
    pub fn listeners(&self, n: usize) -> Listeners {
        let (mount, _) = self.promised.first().expect("a mount to listen to");
        let before = self.reported_listeners();
        let listeners = Listeners::tuned_in(self.address(), mount, n);
        let all = before + u32::try_from(n).unwrap();
        let what = format!("{} reports {all} listeners", self.name());
        eventually(seconds(5), &what, || self.reported_listeners() == all);
        listeners
    }

    /// Listeners tune in until this relay takes no client more, of any kind.
    #[track_caller]
    pub fn fill(&self) -> Listeners {
        let (mount, _) = self.promised.first().expect("a mount to listen to");
        let mut listeners = Listeners::default();
        eventually(seconds(15), &format!("{} is full", self.name()), || {
            match Listener::tuned_in(self.address(), mount) {
                Ok(listener) if listener.status() == 200 => listeners.add(listener),
                Ok(listener) => return listener.status() == 403,
                Err(_) => {}
            }
            false
        });
        listeners
    }

    /// The people on all mounts, as the relay itself counts them; 0 while it does not answer.
    pub fn reported_listeners(&self) -> u32 {
        let mounts = self.icecast.listed_mounts().unwrap_or_default();
        mounts.iter().map(|mount| mount.listeners).sum()
    }
}
