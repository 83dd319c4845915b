//! The configuration while it is read: typed values that still know where they stand.
//!
//! In: the file's root section, then the drop-in variables. Out: a [`Draft`] to be judged, at last a [`Config`].

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::drop_in::DropIn;
use super::error::{Place, Spot};
use super::reader::Reader;
use super::relay::{self, Entry};
use super::section::{Read, Section};
use super::value;
use super::{
    Address, Admin, AdminTls, Bind, Config, Discovery, Limits, ListenerRule, Log, Mode, Mount,
    Poll, Redirect, Reload, Select, Stop, Stream, Tls, Token, Upstream, address, authorities,
    carried, certificates, operator, settings, state,
};
use crate::fleet::Origin;

/// The port of the Python project and of most containers.
const DEFAULT_PORT: u16 = 8080;
const DEFAULT_ADMIN_PORT: u16 = 8081;

/// A configuration with the spots of what is still to be judged together.
///
/// In its lists `None` stands in the place of what was tried and refused: a list is empty only when nobody gave one.
#[derive(Debug)]
pub(super) struct Draft {
    mode: Mode,
    threads: Option<usize>,
    pub(super) public_url: Option<Origin>,
    trusted_proxies: Vec<IpNet>,
    pub(super) binds: Vec<Option<(Bind, Spot)>>,
    pub(super) tls: Tls,
    limits: Limits,
    pub(super) admin: AdminDraft,
    poll: Poll,
    select: Select,
    redirect: Redirect,
    discovery: Discovery,
    log: Log,
    stop: Stop,
    stream: Stream,
    upstream: Upstream,
    reload: Reload,
    rules: Vec<Option<ListenerRule>>,
    pub(super) relays: Vec<Option<Entry>>,
    pub(super) mounts: Vec<Option<(String, Mount, Spot)>>,
}

/// The operator's address and where it was given; nowhere where it is the default.
#[derive(Debug)]
pub(super) struct AdminDraft {
    pub(super) bind: Option<SocketAddr>,
    pub(super) at: Option<Spot>,
    pub(super) tls: Option<AdminTls>,
    pub(super) token: Option<Token>,
    hosts: Vec<String>,
    state_file: Option<PathBuf>,
}

/// Reads the root of the file.
pub(super) fn read(root: &mut Section<'_, '_>) -> Draft {
    Draft {
        mode: root.scalar("mode", settings::mode).or(Mode::Redirect),
        threads: root.scalar("threads", settings::threads).value(),
        public_url: root.scalar("public_url", address::origin).value(),
        trusted_proxies: trusted_proxies(root),
        limits: root.section("limits", settings::limits),
        admin: root.section("admin", admin),
        poll: root.section("poll", settings::poll),
        select: root.section("select", settings::select),
        redirect: root.section("redirect", settings::redirect),
        discovery: root.section("discovery", settings::discovery),
        log: root.section("log", settings::log),
        stop: root.section("stop", settings::stop),
        stream: root.section("stream", carried::stream),
        upstream: root.section("upstream", authorities::upstream),
        reload: root.section("reload", state::reload),
        binds: flat(root.tables("bind", bind)),
        tls: root.section("tls", certificates::tls),
        relays: flat(root.tables("relay", relay::read)),
        mounts: flat(root.tables("mount", mount)),
        rules: carried::rules(root),
    }
}

fn flat<T>(tried: Vec<Option<Option<T>>>) -> Vec<Option<T>> {
    tried.into_iter().map(Option::flatten).collect()
}

fn trusted_proxies(root: &mut Section<'_, '_>) -> Vec<IpNet> {
    match root.list("trusted_proxies", address::network).value() {
        Some(networks) => networks.into_iter().map(|(network, _)| network).collect(),
        None => settings::private_networks(),
    }
}

fn admin(section: &mut Section<'_, '_>) -> AdminDraft {
    let (bind, at) = match section.scalar("bind", address::admin_bind) {
        Read::Value(bind, spot) => (bind, Some(spot)),
        Read::Refused => (None, None),
        Read::Absent => (Some(loopback(DEFAULT_ADMIN_PORT)), None),
    };
    let token = carried::token(section);
    AdminDraft {
        bind,
        at,
        tls: operator::tls(section),
        token,
        hosts: operator::hosts(section),
        state_file: state::file(section),
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Reads one `[[bind]]`.
fn bind(section: &mut Section<'_, '_>) -> Option<(Bind, Spot)> {
    let tls = section.scalar("tls", value::boolean).or(false);
    let h2 = section.scalar("h2", value::boolean).or(false);
    let proxy_protocol = section.scalar("proxy_protocol", value::boolean).or(false);
    let address = section.scalar("address", address::bind);
    if let Read::Absent = address {
        section.refuse_missing("address", "an address such as \"0.0.0.0:8080\"");
    }
    let (address, spot) = address.with_spot()?;
    let bind = Bind {
        address,
        tls,
        h2,
        proxy_protocol,
    };
    Some((bind, spot))
}

/// Reads one `[[mount]]`.
fn mount(section: &mut Section<'_, '_>) -> Option<(String, Mount, Spot)> {
    let path = section.scalar("path", value::public_path);
    let mode = section.scalar("mode", settings::mode);
    let capacity = section.scalar("capacity", value::capacity);
    let hidden = section.scalar("hidden", value::boolean);
    if let Read::Absent = path {
        section.refuse_missing("path", "a mount's path such as \"/live.mp3\"");
    }
    let (path, spot) = path.with_spot()?;
    let mount = Mount {
        capacity_listeners: capacity.value(),
        hidden: hidden.or(false),
        mode: mode.value(),
    };
    Some((path, mount, spot))
}

impl Draft {
    /// Lets the drop-in variables replace the relays and the binds of the file, and says so.
    pub(super) fn set_aside_for(&mut self, drop_in: DropIn, reader: &mut Reader) {
        if !drop_in.relays.is_empty() {
            if !self.relays.is_empty() {
                reader.note_over_file("ICECAST_RELAYS", "every [[relay]]");
            }
            self.relays = drop_in.relays;
        }
        if let Some(bind) = drop_in.bind {
            if !self.binds.is_empty() {
                reader.note_over_file("PORT", "every [[bind]]");
            }
            self.binds = vec![Some(bind)];
        }
    }

    /// Binds where nobody said otherwise; the default of the operator's address evades the public ones.
    pub(super) fn fill_binds(&mut self, reader: &mut Reader) {
        if self.binds.is_empty() {
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT));
            let spot = Spot::bare(Place::Whole);
            let bind = Bind::plain(Address::Tcp(address));
            self.binds.push(Some((bind, spot)));
        }
        if self.admin.bind.is_some() && self.admin.at.is_none() {
            let mut ports = (DEFAULT_ADMIN_PORT..=u16::MAX).map(loopback);
            self.admin.bind = ports.find(|admin| self.is_free(admin));
            self.note_evaded(reader);
        }
        operator::note_exposed(&self.admin, reader);
    }

    fn note_evaded(&self, reader: &mut Reader) {
        if let Some(admin) = self.admin.bind
            && admin.port() != DEFAULT_ADMIN_PORT
        {
            reader.notices.push(format!(
                "admin.bind is {admin}, because a public bind has port {DEFAULT_ADMIN_PORT}"
            ));
        }
    }

    fn is_free(&self, address: &SocketAddr) -> bool {
        !self
            .public_addresses()
            .any(|bind| address::overlap(bind, address))
    }

    /// The public addresses that are no unix sockets.
    pub(super) fn public_addresses(&self) -> impl Iterator<Item = &SocketAddr> {
        self.binds
            .iter()
            .flatten()
            .filter_map(|(bind, _)| match &bind.address {
                Address::Tcp(address) => Some(address),
                Address::Unix(_) => None,
            })
    }

    /// The configuration of a draft in which nothing was refused.
    pub(super) fn into_config(self) -> Config {
        let mounts = self.mounts.into_iter().flatten();
        let relays = self.relays.into_iter().flatten();
        Config {
            mode: self.mode,
            threads: self.threads,
            public_url: self.public_url,
            trusted_proxies: self.trusted_proxies,
            binds: self
                .binds
                .into_iter()
                .flatten()
                .map(|(bind, _)| bind)
                .collect(),
            tls: self.tls,
            limits: self.limits,
            admin: Admin {
                bind: self.admin.bind,
                tls: self.admin.tls,
                token: self.admin.token,
                hosts: self.admin.hosts,
                state_file: self.admin.state_file,
            },
            poll: self.poll,
            select: self.select,
            redirect: self.redirect,
            discovery: self.discovery,
            log: self.log,
            stop: self.stop,
            relays: relays.map(|entry| entry.config).collect(),
            mounts: mounts.map(|(path, mount, _)| (path, mount)).collect(),
            listener_rules: self.rules.into_iter().flatten().collect(),
            stream: self.stream,
            upstream: self.upstream,
            reload: self.reload,
        }
    }
}
