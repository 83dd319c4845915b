//! What the balancer says about its fleet; the only file that knows the keys of its JSON.

use serde_json::Value;

use super::http::Answer;
use super::running_relay::RunningRelay;

/// The operator's `/status`.
#[derive(Debug)]
pub struct AdminStatus(Value);

impl AdminStatus {
    /// Over the parsed document.
    pub fn new(document: Value) -> Self {
        Self(document)
    }

    /// What it says about one relay.
    #[track_caller]
    pub fn of(&self, relay: &RunningRelay) -> RelayStatus {
        self.named(&relay.name())
    }

    /// What it says about the relay of this name.
    #[track_caller]
    pub fn named(&self, name: &str) -> RelayStatus {
        let relays = self.0["relays"].as_array().expect("a list of relays");
        let found = relays.iter().find(|relay| relay["name"] == name);
        RelayStatus(
            found
                .unwrap_or_else(|| panic!("no {name} in {}", self.0))
                .clone(),
        )
    }
}

impl AdminStatus {
    /// How often the relay was polled that was polled least.
    #[track_caller]
    pub fn fewest_polls(&self) -> u64 {
        let relays = self.0["relays"].as_array().expect("a list of relays");
        let polls = relays
            .iter()
            .map(|relay| RelayStatus(relay.clone()).polls());
        polls.min().expect("a relay")
    }

    /// Why other relays come before the one of this name for a mount; `None` when none does.
    #[track_caller]
    pub fn suspicion(&self, mount: &str, relay: &str) -> Option<String> {
        let named = |list: &Value, key: &str, name: &str| {
            let list = list.as_array().expect("a list");
            let found = list.iter().find(|entry| entry[key] == name);
            found
                .unwrap_or_else(|| panic!("no {name} in {}", self.0))
                .clone()
        };
        let mount = named(&self.0["mounts"], "path", mount);
        let carrier = named(&mount["relays"], "relay", relay);
        carrier["suspect"].as_str().map(str::to_owned)
    }
}

/// What the operator's `/status` says about one relay.
#[derive(Debug, Clone)]
pub struct RelayStatus(Value);

impl RelayStatus {
    /// `up`, `down` or `unknown`.
    pub fn health(&self) -> String {
        self.word("health")
    }

    /// `ready`, `drain` or `maint`.
    pub fn admin_state(&self) -> String {
        self.word("admin_state")
    }

    /// Why no listener is sent to it: `down`, `full`, ...; empty when listeners are.
    pub fn ineligible(&self) -> String {
        self.word("ineligible")
    }

    /// How often it was polled.
    pub fn polls(&self) -> u64 {
        self.0["polls"].as_u64().expect("a number")
    }

    /// Mounts of its status page to which no listener is sent.
    pub fn rejected_mounts(&self) -> Value {
        self.0["rejected_mounts"].clone()
    }

    /// Listeners whose stream the balancer carries from it.
    pub fn streams(&self) -> u64 {
        self.0["streams"].as_u64().expect("a number")
    }

    /// Listeners that count: reported and still there, and on their way.
    pub fn taken(&self) -> u64 {
        let departed = self.0["departed"].as_u64().expect("a number");
        self.listeners().saturating_sub(departed) + self.pending()
    }

    /// Why it is as it is, in words for people; empty when there is nothing to say.
    pub fn reason(&self) -> String {
        self.word("reason")
    }

    /// Listeners by its last report.
    pub fn listeners(&self) -> u64 {
        self.0["listeners"].as_u64().expect("a number")
    }

    /// Listeners sent to it that no report shows yet.
    pub fn pending(&self) -> u64 {
        self.0["pending"].as_u64().expect("a number")
    }

    /// Whether listeners go elsewhere while there is an elsewhere: barred, or its last poll failed.
    pub fn is_avoided(&self) -> bool {
        self.0["suspect"] == true || !self.ineligible().is_empty()
    }

    fn word(&self, key: &str) -> String {
        self.0[key].as_str().unwrap_or_default().to_lowercase()
    }
}

/// The public `/status`, in the order in which it was sent, which a JSON object does not keep.
#[track_caller]
pub fn parse_public(answer: &Answer) -> Vec<(String, u64)> {
    let document = answer.json();
    let object = document.as_object().expect("a JSON object");
    let text = answer.text();
    let mut entries: Vec<_> = object
        .iter()
        .map(|(name, listeners)| (name.clone(), listeners.as_u64().expect("a number")))
        .collect();
    entries.sort_by_key(|(name, _)| text.find(&format!("\"{name}\"")));
    entries
}
