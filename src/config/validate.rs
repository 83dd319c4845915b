//! What only the whole can tell: things that are there twice, addresses in each other's way, redirect loops.
//!
//! In: a [`Draft`] whose single values are good. Out: problems. Pure.

use std::collections::{HashMap, HashSet};

use super::address::{is_own, overlap};
use super::draft::Draft;
use super::error::{Fault, Problem, Spot, quoted};
use super::relay::Entry;
use super::{Address, Bind};
use crate::fleet::Origin;

/// Adds every problem of the draft as a whole.
pub(super) fn judge(draft: &Draft, problems: &mut Vec<Problem>) {
    binds(draft, problems);
    binds_without_certificate(draft, problems);
    acme_without_plain_bind(draft, problems);
    h2_without_tls(draft, problems);
    admin(draft, problems);
    relays_twice(draft, problems);
    for entry in draft.relays.iter().flatten() {
        loops(draft, entry, problems);
    }
    mounts_twice(draft, problems);
}

fn binds(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut earlier: Vec<&Bind> = Vec::new();
    for (bind, spot) in draft.binds.iter().flatten() {
        if let Some(other) = earlier
            .iter()
            .find(|other| in_the_way(&bind.address, &other.address))
        {
            let [bind, other] = [bind, other].map(|bind| quoted(&bind.address.to_string()));
            let found = format!("{bind} beside {other}");
            let fault = Fault::expected("an address that no other bind covers", found);
            problems.push(spot.clone().with(fault));
        }
        earlier.push(bind);
    }
}

fn binds_without_certificate(draft: &Draft, problems: &mut Vec<Problem>) {
    let on_tls = draft.binds.iter().flatten().find(|(bind, _)| bind.tls);
    if let (Some((bind, spot)), true) = (on_tls, draft.tls.is_without_certificate()) {
        let expected = "a certificate for a bind with tls = true ([[tls.certificate]] with cert and key, or [tls.acme])";
        let fault = Fault::expected(
            expected,
            format!("none beside {}", quoted(&bind.address.to_string())),
        );
        problems.push(spot.clone().with(fault));
    }
}

/// RFC 8555 8.3: an authority visits by plain http.
fn acme_without_plain_bind(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut binds = draft.binds.iter().flatten();
    let are_all_tls = binds.all(|(bind, _)| bind.tls);
    let first = draft.binds.iter().flatten().next();
    if let (Some((_, spot)), true, true) = (first, draft.tls.acme.is_some(), are_all_tls) {
        let expected = "a [[bind]] without tls beside it, which the authority of [tls.acme] reaches at port 80";
        problems.push(spot.clone().with(Fault::expected(expected, "none")));
    }
}

/// RFC 9113 3.3: browsers speak HTTP/2 on TLS only, where both sides say so.
fn h2_without_tls(draft: &Draft, problems: &mut Vec<Problem>) {
    for (bind, spot) in draft.binds.iter().flatten() {
        if bind.h2 && !bind.tls {
            let found = format!("{} without", quoted(&bind.address.to_string()));
            let fault = Fault::expected("tls = true for a bind with h2 = true", found);
            problems.push(spot.clone().with(fault));
        }
    }
}

fn in_the_way(a: &Address, b: &Address) -> bool {
    match (a, b) {
        (Address::Tcp(a), Address::Tcp(b)) => overlap(a, b),
        (a, b) => a == b,
    }
}

fn admin(draft: &Draft, problems: &mut Vec<Problem>) {
    let (Some(admin), Some(spot)) = (&draft.admin.bind, &draft.admin.at) else {
        return;
    };
    if let Some(public) = draft
        .public_addresses()
        .find(|public| overlap(admin, public))
    {
        let found = format!("\"{admin}\" beside \"{public}\"");
        let fault = Fault::expected("an address that no public bind covers", found);
        problems.push(spot.clone().with(fault));
    }
}

/// A relay whose url is another's is not told too that the name which comes from the url is the other's.
fn relays_twice(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut urls: HashMap<&Origin, &str> = HashMap::new();
    let mut names: HashSet<&str> = HashSet::new();
    for entry in draft.relays.iter().flatten() {
        let relay = &entry.config.relay;
        let other = urls.get(&relay.url).copied();
        if let Some(other) = other {
            let found = format!("\"{}\", the url of {}", relay.url, quoted(other));
            let fault = Fault::expected("a server that no other relay is", found);
            problems.push(entry.url_at.clone().with(fault));
        }
        urls.entry(&relay.url).or_insert(&relay.name);
        let told = other.is_some() && entry.name_at == entry.url_at;
        if !names.insert(&relay.name) && !told {
            let fault = Fault::expected("a name that no other relay has", quoted(&relay.name));
            problems.push(entry.name_at.clone().with(fault));
        }
    }
}

/// SECURITY: a listener would be sent in circles, and a poll would ask ourselves.
fn loops(draft: &Draft, entry: &Entry, problems: &mut Vec<Problem>) {
    let relay = &entry.config.relay;
    let public = relay.public.iter().zip(&entry.public_at);
    let mut told: Vec<&Spot> = Vec::new();
    for (origin, spot) in std::iter::once((&relay.url, &entry.url_at)).chain(public) {
        if leads_here(draft, origin) && !told.contains(&spot) {
            let fault = Fault::expected(
                "another server than this balancer (a redirect to itself would never end)",
                format!("\"{origin}\""),
            );
            problems.push(spot.clone().with(fault));
            told.push(spot);
        }
    }
}

fn leads_here(draft: &Draft, origin: &Origin) -> bool {
    draft.public_url.as_ref() == Some(origin)
        || draft.public_addresses().any(|bind| is_own(origin, bind))
        || draft.admin.bind.is_some_and(|bind| is_own(origin, &bind))
}

fn mounts_twice(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut paths = HashSet::new();
    for (path, _, spot) in draft.mounts.iter().flatten() {
        if !paths.insert(path) {
            let fault = Fault::expected("a path that no other [[mount]] has", quoted(path));
            problems.push(spot.clone().with(fault));
        }
    }
}
