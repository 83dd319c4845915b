//! What a running balancer replied: its JSON as far as it is shown, or why it refused. Pure.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::client::Reply;
use super::error::ControlError;

/// The fleet at one moment, as far as it is shown.
#[derive(Debug, Deserialize)]
pub struct FleetReply {
    /// Whether the first round of polls is over.
    pub ready: bool,
    /// The relays in the order of the balancer's configuration.
    pub relays: Vec<RelayReply>,
}

/// The process that answers, as far as an upgrade is concerned.
#[derive(Debug, Deserialize)]
pub struct ProcessReply {
    /// Its id.
    pub pid: i32,
    /// Whether the first round of polls is over, and no stop under way.
    pub ready: bool,
    /// `starting`, `serving` or `stopping`.
    pub phase: String,
    /// Version of its program.
    pub version: String,
    /// The last upgrade.
    pub upgrade: Option<UpgradeReply>,
}

/// An upgrade in a [`ProcessReply`].
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct UpgradeReply {
    /// When it ended.
    pub at: String,
    /// `under way`, `done` or `failed`.
    pub outcome: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// From whom the process took over.
    #[serde(default)]
    pub predecessor: Option<i32>,
}

/// One relay in a [`FleetReply`].
#[derive(Debug, Deserialize)]
pub struct RelayReply {
    /// Its name.
    pub name: String,
    /// `unknown`, `up` or `down`.
    pub health: String,
    /// `ready`, `drain` or `maint`.
    pub admin_state: String,
    /// Why it takes no listener; `None` when it may.
    pub ineligible: Option<String>,
    /// Why its last poll brought no report.
    pub reason: Option<String>,
    /// Listeners by its last report.
    pub listeners: u32,
    /// Listeners sent to it that no report shows yet.
    pub pending: u32,
    /// Both together over its weight.
    pub load: f64,
    /// The most listeners it may have.
    pub capacity: Option<u32>,
}

/// How a relay stands after an order.
#[derive(Debug, Deserialize)]
pub struct OrderReply {
    name: String,
    admin_state: String,
    health: String,
    listeners: u32,
    pending: u32,
    /// Why the order is not stored, with status 507.
    problem: Option<String>,
}

impl fmt::Display for OrderReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, state, health) = (&self.name, &self.admin_state, &self.health);
        let text = format!(
            "{name}: {state} (health {health}, {} listeners, {} pending)",
            self.listeners, self.pending
        );
        f.write_str(&printable(&text))
    }
}

/// Reads the reply to a question for the fleet.
///
/// # Errors
/// It is none.
pub fn fleet(reply: &Reply, address: &str) -> Result<FleetReply, ControlError> {
    parse(reply, address)
}

/// Reads the reply to the question whether the balancer is ready: what it said.
///
/// # Errors
/// It is not, or somebody else answered.
pub fn ready(reply: &Reply, address: &str) -> Result<String, ControlError> {
    let said = first_line(&reply.body);
    let address = address.to_owned();
    match reply.status {
        200 if said == "ready" => Ok(said),
        503 => Err(ControlError::NotReady { address, said }),
        status => Err(ControlError::NotABalancer {
            address,
            found: format!("status {status}"),
        }),
    }
}

/// Reads of the reply to a question for the fleet who answers.
///
/// # Errors
/// It is none.
pub fn process(reply: &Reply, address: &str) -> Result<ProcessReply, ControlError> {
    parse(reply, address)
}

/// Reads the reply to an order.
///
/// # Errors
/// It was not carried out.
pub fn relay(reply: &Reply, address: &str) -> Result<OrderReply, ControlError> {
    let address_of = || address.to_owned();
    let refused = |why| ControlError::Refused {
        address: address_of(),
        why,
    };
    let why = first_line(&reply.body);
    match reply.status {
        401 => Err(ControlError::WrongToken {
            address: address_of(),
        }),
        403 => Err(ControlError::NoTokenThere {
            address: address_of(),
        }),
        429 => Err(refused(why)),
        503 if why.starts_with("another process") => Err(refused(why)),
        507 => Err(not_stored(reply, address)),
        // Another 404 is that of a server that knows no relays.
        404 if why.starts_with("no relay is called") => Err(refused(why)),
        _ => parse(reply, address),
    }
}

fn parse<T: DeserializeOwned>(reply: &Reply, address: &str) -> Result<T, ControlError> {
    match reply.status {
        200 => read(reply, address),
        421 => Err(ControlError::NameNotListed {
            address: address.to_owned(),
        }),
        status => Err(ControlError::NotABalancer {
            address: address.to_owned(),
            found: format!("status {status}"),
        }),
    }
}

/// The order is in force, and the file of the states could not be written.
fn not_stored(reply: &Reply, address: &str) -> ControlError {
    let state: OrderReply = match read(reply, address) {
        Ok(state) => state,
        Err(error) => return error,
    };
    ControlError::NotStored {
        address: address.to_owned(),
        state: state.to_string(),
        why: printable(state.problem.as_deref().unwrap_or("no reason given")),
    }
}

fn read<T: DeserializeOwned>(reply: &Reply, address: &str) -> Result<T, ControlError> {
    let not_a_balancer = |found| ControlError::NotABalancer {
        address: address.to_owned(),
        found,
    };
    serde_json::from_slice(&reply.body).map_err(|error| {
        not_a_balancer(format!(
            "unexpected JSON: {}",
            printable(&error.to_string())
        ))
    })
}

/// The names of a thousand relays fit in.
const LINE_LIMIT_BYTES: usize = 128 * 1024;

fn first_line(body: &[u8]) -> String {
    let body = body.get(..LINE_LIMIT_BYTES).unwrap_or(body);
    let text = String::from_utf8_lossy(body);
    printable(text.lines().next().unwrap_or_default())
}

/// SECURITY: some words come from relays, or from whoever answers there; none of them may steer a terminal.
pub fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(shown).collect()
}
