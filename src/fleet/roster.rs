//! The roster: who belongs to the fleet, in the order of the configuration, and what becomes of the others when that changes.
//!
//! INVARIANT: a place is given to one name and url and never to another: whoever still holds the id of a relay that went means
//! that relay. What stays of one that is forgotten is its place, some hundred bytes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::mount::{MountTable, PollTime};
use super::{AdminState, Fleet, Origin, Record, Relay, RelayId, Rules, Scheme, Standing, unpolled};

/// What another configuration changed in the fleet, by the relays' names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reform {
    /// Those that were not there before.
    pub came: Vec<String>,
    /// Those that are no longer there.
    pub left: Vec<String>,
    /// Those of which something else is said now.
    pub changed: Vec<String>,
}

impl Fleet {
    /// The relays that are configured, in the order of the configuration.
    pub fn roster(&self) -> impl Iterator<Item = (RelayId, &Arc<Relay>)> {
        let relay = |id: &RelayId| Some((*id, self.relays.get(id.index())?));
        self.roster.iter().filter_map(relay)
    }

    /// The relays that are no longer configured and may still have listeners of ours.
    pub fn leaving(&self) -> &[RelayId] {
        &self.leaving
    }

    /// Makes these the fleet. A relay with the same name and url stays as it is, health, counts and all; one that goes takes
    /// nobody any more; one that comes is unknown until its first poll. An admin state stays with its name.
    pub fn reform(&mut self, relays: Vec<Arc<Relay>>, rules: Rules, now: Instant) -> Reform {
        self.was_surveyed |= self.is_surveyed();
        let mut reform = Reform::default();
        let places = self.places();
        let before = std::mem::take(&mut self.roster);
        let states = self.states(&before);
        let members: HashSet<RelayId> = before.iter().copied().collect();
        for relay in relays {
            let place = places.get(&(relay.name.clone(), relay.url.clone()));
            let id = match place {
                Some(id) if members.contains(id) => {
                    self.amend(*id, relay, &mut reform);
                    *id
                }
                place => {
                    reform.came.push(relay.name.clone());
                    let state = states.get(&relay.name).copied().unwrap_or_default();
                    self.welcome(place.copied(), relay, state)
                }
            };
            self.roster.push(id);
        }
        self.part(before, &mut reform);
        self.judge_by(rules);
        self.remount(now);
        reform
    }

    /// Forgets a relay that is leaving and has no listener left.
    pub fn forget(&mut self, id: RelayId) {
        self.leaving.retain(|leaving| *leaving != id);
        if self.roster.contains(&id) {
            return;
        }
        if let Some(record) = self.records.get_mut(id.index()) {
            *record = Record::default();
        }
    }

    fn places(&self) -> HashMap<(String, Origin), RelayId> {
        let ids = (0..).map(RelayId).zip(&self.relays);
        ids.map(|(id, relay)| ((relay.name.clone(), relay.url.clone()), id))
            .collect()
    }

    fn states(&self, roster: &[RelayId]) -> HashMap<String, AdminState> {
        let state = |id: &RelayId| {
            let name = self.relay(*id)?.name.clone();
            Some((name, self.standing(*id)?.admin_state))
        };
        roster.iter().filter_map(state).collect()
    }

    /// Takes over what is said of a relay that stays.
    fn amend(&mut self, id: RelayId, relay: Arc<Relay>, reform: &mut Reform) {
        let place = id.index();
        let (Some(known), Some(standing)) =
            (self.relays.get_mut(place), self.standings.get_mut(place))
        else {
            return;
        };
        if **known == *relay {
            return;
        }
        reform.changed.push(relay.name.clone());
        standing.weight = relay.weight;
        standing.capacity_listeners = relay.capacity_listeners;
        standing.serves_https = relay.public_for(Scheme::Https).is_some();
        *known = relay;
    }

    /// Gives a relay that comes its place: the one that it had before, or a new one.
    fn welcome(&mut self, id: Option<RelayId>, relay: Arc<Relay>, state: AdminState) -> RelayId {
        let mut standing = Standing {
            admin_state: state,
            ..unpolled(&relay)
        };
        let place = id.map_or(self.relays.len(), RelayId::index);
        match (
            self.relays.get_mut(place),
            self.standings.get_mut(place),
            self.records.get_mut(place),
        ) {
            (Some(known), Some(known_standing), Some(record)) => {
                // Some of its listeners may still be there.
                let flow = std::mem::take(&mut record.flow);
                standing.take_flow(&flow);
                *record = Record {
                    flow,
                    ..Record::default()
                };
                *known_standing = standing;
                *known = relay;
            }
            _ => {
                self.relays.push(relay);
                self.standings.push(standing);
                self.records.push(Record::default());
            }
        }
        id.unwrap_or(RelayId(place as u32))
    }

    /// Lets those go that are in the roster no more.
    fn part(&mut self, before: Vec<RelayId>, reform: &mut Reform) {
        let members: HashSet<RelayId> = self.roster.iter().copied().collect();
        self.leaving.retain(|id| !members.contains(id));
        for id in before.into_iter().filter(|id| !members.contains(id)) {
            self.set_admin_state(id, AdminState::Leaving);
            let name = self.relay(id).map(|relay| relay.name.clone());
            reform.left.extend(name);
            self.leaving.push(id);
        }
    }

    fn judge_by(&mut self, rules: Rules) {
        let before = std::mem::replace(&mut self.rules, rules).stale_after;
        let stale_after = self.rules.stale_after;
        for standing in &mut self.standings {
            let until = standing.fresh_until;
            standing.fresh_until =
                until.and_then(|until| (until + stale_after).checked_sub(before));
        }
    }

    /// Makes the table of mounts anew from the last reports, as other relays and other rules have it.
    fn remount(&mut self, now: Instant) {
        let table = MountTable::new(self.relays.len(), &self.roster, &self.rules.mounts);
        let before = std::mem::replace(&mut self.mounts, table);
        for id in &self.roster {
            let place = id.index();
            let (Some(relay), Some(record)) = (self.relays.get(place), self.records.get(place))
            else {
                continue;
            };
            if let (Some(report), Some(began)) = (&record.report, record.reported_at) {
                let poll = PollTime {
                    began,
                    is_count_doubtful: false,
                };
                self.mounts.apply(*id, report.listed_by(relay), poll, now);
            }
        }
        self.mounts.inherit(before);
    }
}
