//! The parts that a configuration is handed to: at the start, and whenever it was read again. Each holds what it needs of it as
//! one value, which is exchanged whole.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::fds::raise_fd_limit;
use super::{StartError, entry};
use crate::acme;
use crate::admin::{AllowedHosts, SharedHosts, SharedToken, States};
use crate::config::{self, Config, Mode, RelayConfig};
use crate::discovery::{AddressBook, RelayDiscovery};
use crate::fleet::{Fleet, MountRules, Reform, Relay, RelayId, Rules, SharedFleet, Thresholds};
use crate::front::{Budget, Edition, Editions, Tally};
use crate::poll::{Pace, Poller, RelayCheck, Target};
use crate::select::Rule;
use crate::service;
use crate::stream::Routes;
use crate::tls::Certificates;

/// The parts.
pub(super) struct Parts {
    pub fleet: SharedFleet,
    pub tally: Arc<Tally>,
    pub editions: Editions,
    pub budget: Arc<Budget>,
    pub rule: Arc<ArcSwap<Rule>>,
    pub wishes: Arc<ArcSwap<config::Stream>>,
    pub times: Arc<ArcSwap<config::Stop>>,
    pub routes: Arc<Routes>,
    pub book: AddressBook,
    pub discovery: RelayDiscovery,
    pub check: RelayCheck,
    pub pace: watch::Sender<Pace>,
    pub certificates: Arc<Certificates>,
    pub token: SharedToken,
    pub admin_hosts: SharedHosts,
    pub states: Arc<States>,
    pub acme: Option<watch::Sender<acme::Settings>>,
}

impl Parts {
    /// The parts of a balancer that starts with this configuration, before they [`take`](Self::take) it.
    pub fn of(config: &Config) -> Result<Self, StartError> {
        let book = AddressBook::default();
        let tally = Arc::<Tally>::default();
        let mut fleet = Fleet::new(relays(config), rules(config));
        // A predecessor keeps its listeners, and those that are redirected are not lost with a process.
        if proxies(config) && !service::has_predecessor() {
            fleet.note_start(Instant::now());
        }
        let fleet = SharedFleet::new(fleet);
        let ca_file = config.upstream.ca_file.as_deref();
        let poller = Poller::new(config.poll.timeout, book.clone(), ca_file)?;
        let poll_sockets = raise_fd_limit().poll_sockets();
        Ok(Self {
            editions: Arc::new(ArcSwap::from_pointee(Edition::of(config, &[], &tally))),
            budget: Arc::new(Budget::new(config.limits.clone())),
            rule: Arc::new(ArcSwap::from_pointee(rule(config))),
            wishes: Arc::new(ArcSwap::from_pointee(config.stream.clone())),
            times: Arc::new(ArcSwap::from_pointee(config.stop)),
            routes: Arc::new(Routes::new(book.clone())),
            discovery: RelayDiscovery::new(book.clone()),
            check: RelayCheck::new(fleet.clone(), poller, poll_sockets),
            pace: watch::Sender::new(pace(config)),
            certificates: Arc::default(),
            token: SharedToken::default(),
            admin_hosts: SharedHosts::default(),
            states: Arc::new(States::kept_in(config.admin.state_file.clone())),
            acme: config.tls.acme.clone().map(watch::Sender::new),
            fleet,
            tally,
            book,
        })
    }

    /// Hands a configuration out, in a process that was built on the one of its start. All that can fail comes first: it is taken
    /// as a whole or not at all.
    pub fn take(&self, config: &Config, started: &Config) -> Result<Reform, StartError> {
        let ca_file = config.upstream.ca_file.as_deref();
        let poller = self.check.poller();
        let poller = poller.succeeded_by(config.poll.timeout, self.book.clone(), ca_file)?;
        let connector = self.routes.connector(&config.upstream);
        if !lacks_certificates(config, started) {
            let pairs = config.tls.certificates.clone();
            self.certificates.exchange(pairs, entry::awaited(started))?;
        }

        let now = Instant::now();
        let (reform, roster) = {
            let mut fleet = self.fleet.lock();
            let reform = fleet.reform(relays(config), rules(config), now);
            let roster: Vec<_> = fleet.roster().map(|(id, r)| (id, r.clone())).collect();
            (reform, roster)
        };
        // A relay that came takes nobody before its first poll, which is the last step.
        let ids: Vec<RelayId> = roster.iter().map(|(id, _)| *id).collect();
        self.routes.lead_to(config, &ids, connector);
        let edition = Edition::of(config, &roster, &self.tally);
        self.editions.store(Arc::new(edition));
        let names: HashSet<&str> = roster.iter().map(|(_, r)| r.name.as_str()).collect();
        self.tally.keep(|name| names.contains(name));
        self.rule.store(Arc::new(rule(config)));
        self.wishes.store(Arc::new(config.stream.clone()));
        self.times.store(Arc::new(config.stop));
        self.budget.limit(entry::limits(config));
        self.token.store(config.admin.token.clone().map(Arc::new));
        let hosts = AllowedHosts::new(&config.admin.hosts);
        self.admin_hosts.store(Arc::new(hosts));
        let targets = ids.iter().copied().zip(config.relays.iter().map(target));
        self.check.ask(targets, poller, config.poll.interval);
        self.discovery.look_for(roster);
        self.pace.send_replace(pace(config));
        self.order_by(config.tls.acme.as_ref());
        Ok(reform)
    }

    /// What did not change must not break off an order that runs.
    fn order_by(&self, new: Option<&acme::Settings>) {
        let (Some(acme), Some(new)) = (&self.acme, new) else {
            return;
        };
        acme.send_if_modified(|settings| {
            let is_news = settings != new && settings.state_dir == new.state_dir;
            if is_news {
                settings.clone_from(new);
            }
            is_news
        });
    }
}

/// Whether the certificate that is ordered would be of other files, or of none, or where there was none.
pub(super) fn moves_certificate(
    new: Option<&acme::Settings>,
    started: Option<&acme::Settings>,
) -> bool {
    new.map(acme::paths) != started.map(acme::paths)
}

/// Whether binds with TLS would be left without certificates, until the next start takes them away.
pub(super) fn lacks_certificates(config: &Config, started: &Config) -> bool {
    started.binds.iter().any(|bind| bind.tls) && config.tls.is_without_certificate()
}

/// Returns true when streams are proxied on purpose, and not only for listeners on https.
fn proxies(config: &Config) -> bool {
    let mounts = config.mounts.values().filter_map(|mount| mount.mode);
    let rules = config.listener_rules.iter().map(|rule| rule.mode);
    let mut modes = mounts.chain(rules).chain([config.mode]);
    modes.any(|mode| mode == Mode::Proxy)
}

fn relays(config: &Config) -> Vec<Arc<Relay>> {
    let relays = config.relays.iter();
    relays.map(|relay| Arc::new(relay.relay.clone())).collect()
}

fn rules(config: &Config) -> Rules {
    let mounts = &config.mounts;
    let capacity =
        |(path, mount): (&String, &config::Mount)| Some((path.clone(), mount.capacity_listeners?));
    let hidden = mounts.iter().filter(|(_, mount)| mount.hidden);
    Rules {
        thresholds: Thresholds {
            fall: config.poll.fall,
            rise: config.poll.rise,
        },
        stale_after: config.poll.stale_after,
        mounts: MountRules {
            capacities: mounts.iter().filter_map(capacity).collect(),
            hidden: hidden.map(|(path, _)| path.clone()).collect(),
        },
    }
}

fn rule(config: &Config) -> Rule {
    Rule {
        policy: config.select.policy,
        slow_start: config.select.slow_start,
    }
}

fn pace(config: &Config) -> Pace {
    Pace {
        interval: config.poll.interval,
        refresh: config.discovery.refresh,
    }
}

fn target(relay: &RelayConfig) -> Target {
    Target {
        name: relay.relay.name.clone(),
        url: relay.relay.url.clone(),
        stats: relay.stats,
        credentials: relay.credentials.clone(),
    }
}
