//! What of a configuration waits for the next start: what the process was built on. Pure.

use std::path::Path;

use super::parts::{lacks_certificates, moves_certificate};
use crate::config::{Admin, AdminTls, Config, Tls};
use crate::tls::Files;

/// The keys under which `new` says something else than the configuration that the process `started` with.
///
/// Every part of a configuration is named here once: one that is new to it must be taken or must wait.
pub(super) fn waiting(started: &Config, new: &Config) -> Vec<&'static str> {
    let Config {
        threads,
        binds,
        admin,
        tls,
        log: _,
        mode: _,
        public_url: _,
        trusted_proxies: _,
        limits: _,
        poll: _,
        select: _,
        redirect: _,
        discovery: _,
        relays: _,
        mounts: _,
        listener_rules: _,
        stream: _,
        stop: _,
        upstream: _,
        reload: _,
    } = new;
    let Admin {
        bind,
        tls: admin_tls,
        state_file,
        token: _,
        hosts: _,
    } = admin;
    let Tls {
        acme,
        certificates: _,
        hsts: _,
    } = tls;
    let differs = [
        ("threads", *threads != started.threads),
        ("[[bind]]", *binds != started.binds),
        ("[admin] bind", *bind != started.admin.bind),
        (
            "[admin] cert, key, client_ca",
            shown_and_asked(admin_tls) != shown_and_asked(&started.admin.tls),
        ),
        (
            "[admin] state_file",
            *state_file != started.admin.state_file,
        ),
        (
            "[tls.acme]",
            moves_certificate(acme.as_ref(), started.tls.acme.as_ref()),
        ),
        ("[[tls.certificate]]", lacks_certificates(new, started)),
    ];
    let keys = differs.into_iter().filter(|(_, differs)| *differs);
    keys.map(|(key, _)| key).collect()
}

/// What the admin bind shows and asks for; what the commands show is none of its business.
fn shown_and_asked(tls: &Option<AdminTls>) -> Option<(&Files, Option<&Path>)> {
    let tls = tls.as_ref()?;
    Some((&tls.pair, tls.client_ca.as_deref()))
}
