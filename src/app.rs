//! The application: the only file that knows every part. Takes a valid configuration apart and puts the parts together.

mod admin;
mod announce;
mod census;
mod entry;
mod fds;
mod memory;
mod parts;
mod reload;
mod waiting;

use std::sync::Arc;

use log::info;
use pingora::apps::HttpServerOptions;
use pingora::listeners::ListenerConfig;
use pingora::protocols::l4::stream::L4BufferSettings;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server};
use pingora::services::background::background_service;
use pingora::services::listening::Service;
use pingora_load_balancing::{Backends, LoadBalancer};
use thiserror::Error;

pub use crate::service::{Signals, Stop};

use admin::Identity;
use parts::Parts;
use reload::Reload;

use crate::acme::Acme;
use crate::admin::{AdminPages, Source, StateRetry};
use crate::config::{Address, Config, Reading, Sources};
use crate::front::{
    self, AccessLog, Desk, Door, Entrance, Express, Frame, Gate, Porter, TuneInPermits, Way,
};
use crate::poll::{PollerError, Rounds};
use crate::select::{RelayBackends, SelectConfig};
use crate::service::{
    CannotListen, Doors, Entry, Herald, Keeper, KeeperParts, Life, Notifier, Sockets, Tenure,
    mode_of,
};
use crate::stream::{Mover, Seats, Studio};
use crate::tls::{BadPair, Watch};
use memory::MemoryTrim;

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

/// Who has the configuration read again, or another process take over.
#[derive(Debug)]
pub struct Operator {
    /// Where the configuration comes from.
    pub sources: Sources,
    /// How he says so.
    pub signals: Signals,
}

/// Serves until told to stop. Without an operator nothing is read again.
///
/// # Errors
/// Nothing was served: an address is taken, or a part could not be built.
pub fn serve(config: Config, operator: Option<Operator>, stop: Stop) -> Result<(), StartError> {
    let sockets = Sockets::open(&config)?;
    let life = Arc::new(Life::default());
    let mut server = Server::new_with_opt_and_conf(None, server_conf(&config));
    server.bootstrap();

    let parts = Arc::new(Parts::of(&config)?);
    parts.take(&config, &config)?;
    entry::tell(&parts.certificates);
    parts.states.restore(&mut parts.fleet.lock());
    let backends = Arc::new(backends(&parts));
    let rounds = Rounds {
        backends: backends.clone(),
        check: parts.check.clone(),
        pace: parts.pace.subscribe(),
    };
    let acme = parts.acme.as_ref();
    let acme = acme.map(|settings| Acme::new(settings.subscribe()));
    let desk = Desk::new(front::Parts {
        challenges: acme.as_ref().map(Acme::challenges),
        backends,
        fleet: parts.fleet.clone(),
        tally: parts.tally.clone(),
        editions: parts.editions.clone(),
    });
    let studio = Studio {
        seats: Seats::new(select(&parts)),
        routes: parts.routes.clone(),
        streams: Arc::default(),
        wishes: parts.wishes.clone(),
        life: life.clone(),
    };
    let mover = Mover {
        fleet: parts.fleet.clone(),
        streams: studio.streams.clone(),
        wishes: parts.wishes.clone(),
    };
    server.add_service(background_service("mover", mover));
    let streams = studio.streams.clone();
    let ways = entry::ways(&config, &parts.certificates)?;
    let census = census::of(&parts.fleet, &streams, &parts.budget);
    let access_log = Arc::<AccessLog>::default();
    let tune_ins = TuneInPermits::default();
    let frame = Frame {
        tune_ins: tune_ins.clone(),
        desk: Arc::new(desk),
        editions: parts.editions.clone(),
        studio,
        access_log: access_log.clone(),
    };
    let service = front(
        &server.configuration,
        &config,
        &parts,
        frame,
        ways,
        life.clone(),
    );
    let memory = MemoryTrim {
        tune_ins,
        streams: streams.clone(),
    };
    server.add_service(background_service("memory", memory));
    let doors = Doors::at(&sockets, &life);
    server.add_service(
        doors
            .hang(service, Entry::Public)
            .map_err(StartError::Sockets)?,
    );
    let watch = Watch(parts.certificates.clone());
    server.add_service(background_service("certificates", watch));
    let acme_status = acme.as_ref().map(Acme::status);
    if let Some(work) = acme {
        let life = life.clone();
        server.add_service(background_service("acme", Tenure { work, life }));
    }
    let reading = Reading::taken_now();
    if let Some(bind) = config.admin.bind {
        let identity = config.admin.tls.as_ref().map(Identity::load).transpose()?;
        let source = Source {
            fleet: parts.fleet.clone(),
            tally: parts.tally.clone(),
            streams,
            book: parts.book.clone(),
            certificates: parts.certificates.clone(),
            admin_certificates: identity.as_ref().map(|own| own.certificates.clone()),
            budget: parts.budget.clone(),
            access_log: access_log.clone(),
            reading: reading.clone(),
            acme: acme_status,
            life: life.clone(),
        };
        let retry = StateRetry {
            states: parts.states.clone(),
            fleet: parts.fleet.clone(),
            life: life.clone(),
        };
        server.add_service(background_service("relay states", retry));
        let pages = AdminPages::new(source)
            .guarded_by(parts.token.clone())
            .answering_to(parts.admin_hosts.clone())
            .remembering_in(parts.states.clone());
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
    server.add_service(background_service("fleet", rounds));
    let notifier = Arc::new(Notifier::default());
    let herald = Herald {
        life: life.clone(),
        census: census.clone(),
        notifier: notifier.clone(),
    };
    server.add_service(background_service("herald", herald));
    announce::all(&config);
    let mut keeper = KeeperParts {
        stop,
        times: parts.times.clone(),
        life: life.clone(),
        census,
        notifier: notifier.clone(),
        catch_up: Arc::new(|| {}),
    };
    let mut upgrade = None;
    if let Some(Operator { sources, signals }) = operator {
        upgrade = Some(signals.upgrade);
        let asked = (sources, signals.reload);
        let reload = Reload::new(parts.clone(), asked, config, reading, notifier, life);
        let read_again = reload.catch_up();
        keeper.catch_up = Arc::new(move || {
            read_again();
            parts.states.restore(&mut parts.fleet.lock());
        });
        server.add_service(background_service("reload", reload));
    }
    server.run(RunArgs {
        shutdown_signal: Box::new(Keeper::new(keeper, sockets, upgrade)),
    });
    access_log.log_summary();
    info!("stopped");
    Ok(())
}

fn server_conf(config: &Config) -> ServerConf {
    let processors = || std::thread::available_parallelism().map_or(1, Into::into);
    ServerConf {
        threads: config.threads.unwrap_or_else(processors),
        // The door ends a listener's quest when every relay was asked, however many there are by then.
        max_retries: usize::MAX,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    }
}

/// The fleet and the rule by which relays are selected.
fn select(parts: &Parts) -> SelectConfig {
    SelectConfig {
        fleet: parts.fleet.clone(),
        rule: parts.rule.clone(),
    }
}

/// Pingora's load balancer with our discovery, our health check and our selection.
fn backends(parts: &Parts) -> RelayBackends {
    let backends = Backends::new(Box::new(parts.discovery.clone()));
    let mut balancer = LoadBalancer::from_backends_with_config(backends, Some(select(parts)));
    balancer.set_health_check(Box::new(parts.check.clone()));
    balancer
}

fn front(
    conf: &Arc<ServerConf>,
    config: &Config,
    parts: &Parts,
    frame: Frame,
    ways: Vec<Way>,
    life: Arc<Life>,
) -> Service<Gate> {
    let desk = frame.desk.clone();
    let express = Express::new(desk.clone());
    let door = Door::new(frame);
    let porter = Porter::at(Entrance {
        ways,
        budget: parts.budget.clone(),
        editions: parts.editions.clone(),
    });
    let mut proxy = pingora_proxy::http_proxy(conf, door);
    // PINGORA: (0.9.1) answers CONNECT by itself otherwise, in its own name; the door refuses it.
    let mut options = HttpServerOptions::default();
    options.allow_connect_method_proxying = true;
    proxy.server_options = Some(options);
    let gate = Gate::new(porter, desk, express, proxy, life);
    let mut service = Service::new("front".to_owned(), gate);
    for bind in &config.binds {
        let listener = match &bind.address {
            Address::Tcp(address) => ListenerConfig::tcp(address.to_string()),
            Address::Unix(path) => {
                let listener = ListenerConfig::uds(path.to_string_lossy());
                match mode_of(path) {
                    Ok(mode) => listener.permissions(mode),
                    Err(_) => listener,
                }
            }
        };
        // PINGORA: (0.9.1) fills 64 KiB with zeros per connection otherwise; the gate has a buffer of its own.
        service.add_listener(listener.l4_buffer(L4BufferSettings::default().read(0)));
    }
    service
}
