//! The application: the only file that knows every part. Takes a valid configuration apart and puts the parts together.

mod admin;
mod announce;
mod census;
mod entry;
mod fds;

use std::sync::Arc;

use ipnet::IpNet;
use log::info;
use pingora::listeners::ListenerConfig;
use pingora::protocols::l4::stream::L4BufferSettings;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server};
use pingora::services::background::background_service;
use pingora::services::listening::Service;
use pingora_load_balancing::{Backends, LoadBalancer};
use thiserror::Error;

pub use crate::service::Stop;

use admin::Identity;

use crate::acme::Acme;
use crate::admin::{AdminPages, Source};
use crate::config::{self, Address, Config, RelayConfig};
use crate::discovery::{AddressBook, RelayDiscovery};
use crate::fleet::{Fleet, MountRules, Relay, Rules, SharedFleet, Thresholds};
use crate::front::{
    Budget, Desk, Door, Entrance, Express, Frame, Gate, Manners, Modes, Parts, Porter, Tally, Way,
};
use crate::poll::{Poller, PollerError, RelayCheck, Target, pulse};
use crate::select::{RelayBackends, Rule, SelectConfig};
use crate::service::{
    CannotListen, Doors, Entry, Herald, Keeper, KeeperParts, Life, Notifier, Sockets,
};
use crate::stream::{Mover, Routes, Seats, Studio};
use crate::tls::{BadPair, Watch};

/// Why the balancer could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address is taken, not ours, or not allowed.
    #[error(transparent)]
    Bind(#[from] CannotListen),
    /// A listening socket could not be held twice.
    #[error("cannot hold the listening sockets: {0}")]
    Sockets(std::io::Error),
    /// A certificate or its key changed for the worse since it was checked.
    #[error("cannot use a certificate: {0}")]
    Certificate(#[from] BadPair),
    /// TLS could not be set up.
    #[error("cannot speak TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client of the poller could not be made.
    #[error(transparent)]
    Poller(#[from] PollerError),
}

/// Serves until told to stop.
///
/// # Errors
/// Nothing was served: an address is taken, or a part could not be built.
pub fn serve(config: Config, stop: Stop) -> Result<(), StartError> {
    let sockets = Sockets::open(&config)?;
    let life = Arc::new(Life::default());
    let relays: Vec<Arc<Relay>> = config
        .relays
        .iter()
        .map(|relay| Arc::new(relay.relay.clone()))
        .collect();
    let fleet = SharedFleet::new(Fleet::new(relays.clone(), rules(&config)));
    let tally = Arc::new(Tally::new(relays.len()));
    let mut server = Server::new_with_opt_and_conf(None, server_conf(&config));
    server.bootstrap();

    let book = AddressBook::default();
    let balancer = background_service("fleet", backends(&config, &relays, &fleet, &book)?);
    let acme = config.tls.acme.clone().map(Acme::new);
    let parts = Parts {
        challenges: acme.as_ref().map(Acme::challenges),
        backends: balancer.task(),
        fleet: fleet.clone(),
        tally: tally.clone(),
        public_url: config.public_url.clone(),
        modes: Modes::new(&config),
    };
    let studio = Studio {
        seats: Seats::new(balancer.task(), fleet.clone()),
        routes: Arc::new(Routes::new(&config, book)),
        streams: Arc::default(),
        stall_timeout: config.stream.stall_timeout,
        hold: config.stream.hold,
        life: life.clone(),
    };
    let mover = Mover {
        fleet: fleet.clone(),
        streams: studio.streams.clone(),
        drain_time: config.stream.drain_time,
        rebalance: config.stream.rebalance,
    };
    server.add_service(background_service("mover", mover));
    let streams = studio.streams.clone();
    let certificates = entry::certificates(&config)?;
    let ways = entry::ways(&config, &certificates)?;
    let budget = Arc::new(entry::budget(&config));
    let census = census::of(&fleet, &streams, &budget);
    let service = front(
        &server.configuration,
        &config,
        parts,
        studio,
        ways,
        budget.clone(),
        life.clone(),
    );
    let mut doors = Doors::at(&sockets, &life);
    server.add_service(
        doors
            .hang(service, Entry::Public)
            .map_err(StartError::Sockets)?,
    );
    if !config.tls.is_without_certificate() {
        let watch = Watch(certificates.clone());
        server.add_service(background_service("certificates", watch));
    }
    let acme_status = acme.as_ref().map(Acme::status);
    if let Some(acme) = acme {
        server.add_service(background_service("acme", acme));
    }
    if let Some(bind) = config.admin.bind {
        let identity = config.admin.tls.as_ref().map(Identity::load).transpose()?;
        let source = Source {
            fleet,
            tally,
            streams,
            certificates,
            admin_certificates: identity.as_ref().map(|own| own.certificates.clone()),
            budget,
            acme: acme_status,
            life: life.clone(),
        };
        let pages = AdminPages::new(source).guarded_by(config.admin.token.clone());
        let service = admin::service(bind, pages, identity.as_ref())?;
        server.add_service(
            doors
                .hang(service, Entry::Operator)
                .map_err(StartError::Sockets)?,
        );
        if let Some(identity) = identity {
            let watch = Watch(Arc::new(identity));
            server.add_service(background_service("admin certificate", watch));
        }
    }
    server.add_service(balancer);
    let notifier = Arc::new(Notifier::default());
    let herald = Herald {
        life: life.clone(),
        census: census.clone(),
        notifier: notifier.clone(),
        pulses: doors.pulses(),
    };
    server.add_service(background_service("herald", herald));
    announce::all(&config);
    let parts = KeeperParts {
        stop,
        times: config.stop,
        life,
        census,
        notifier,
    };
    server.run(RunArgs {
        shutdown_signal: Box::new(Keeper::new(parts, sockets)),
    });
    info!("stopped");
    Ok(())
}

fn server_conf(config: &Config) -> ServerConf {
    let processors = || std::thread::available_parallelism().map_or(1, Into::into);
    ServerConf {
        threads: config.threads.unwrap_or_else(processors),
        // One attempt for each relay, and one to find that there is no further one.
        max_retries: config.relays.len() + 1,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    }
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

/// Pingora's load balancer with our discovery, our health check and our selection.
fn backends(
    config: &Config,
    relays: &[Arc<Relay>],
    fleet: &SharedFleet,
    book: &AddressBook,
) -> Result<RelayBackends, StartError> {
    let discovery = RelayDiscovery::new(relays.to_vec(), book.clone());
    let poller = Poller::new(
        config.poll.timeout,
        book.clone(),
        config.upstream.ca_file.as_deref(),
    )?;
    let targets = config.relays.iter().map(target).collect();
    let check = RelayCheck::new(fleet.clone(), poller, targets, config.poll.interval);
    let select = SelectConfig {
        fleet: fleet.clone(),
        rule: Rule {
            policy: config.select.policy,
            slow_start: config.select.slow_start,
        },
    };
    let backends = Backends::new(Box::new(discovery));
    let mut balancer = LoadBalancer::from_backends_with_config(backends, Some(select));
    balancer.set_health_check(Box::new(check));
    balancer.health_check_frequency = Some(pulse(config.poll.interval));
    balancer.update_frequency = Some(config.discovery.refresh);
    balancer.parallel_health_check = true;
    Ok(balancer)
}

fn target(relay: &RelayConfig) -> Target {
    Target {
        name: relay.relay.name.clone(),
        url: relay.relay.url.clone(),
        stats: relay.stats,
        credentials: relay.credentials.clone(),
    }
}

fn front(
    conf: &Arc<ServerConf>,
    config: &Config,
    parts: Parts,
    studio: Studio,
    ways: Vec<Way>,
    budget: Arc<Budget>,
    life: Arc<Life>,
) -> Service<Gate> {
    let desk = Arc::new(Desk::new(parts));
    let trusted: Arc<[IpNet]> = config.trusted_proxies.clone().into();
    let manners = Manners::new(config);
    let express = Express::new(desk.clone(), &manners, trusted.clone());
    let door = Door::new(Frame {
        desk: desk.clone(),
        manners,
        trusted_proxies: trusted.clone(),
        studio,
        slow_listener_timeout: config.stream.slow_listener_timeout,
    });
    let porter = Porter::at(Entrance {
        ways,
        budget,
        trusted_proxies: trusted,
    });
    let gate = Gate::new(
        porter,
        desk,
        express,
        pingora_proxy::http_proxy(conf, door),
        life,
    );
    let mut service = Service::new("front".to_owned(), gate);
    for bind in &config.binds {
        let listener = match &bind.address {
            Address::Tcp(address) => ListenerConfig::tcp(address.to_string()),
            Address::Unix(path) => ListenerConfig::uds(path.to_string_lossy()),
        };
        // PINGORA: (0.9.1) fills 64 KiB with zeros per connection otherwise; the gate has a buffer of its own.
        service.add_listener(listener.l4_buffer(L4BufferSettings::default().read(0)));
    }
    service
}
