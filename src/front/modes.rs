//! Modes: who is redirected, and for whom the stream is carried. Pure.

use std::collections::HashMap;

use crate::config::{Config, ListenerRule, Mode, WithoutHttps};

/// What decides between redirecting and carrying.
#[derive(Debug, Clone)]
pub struct Modes {
    usual: Mode,
    mounts: HashMap<String, Mode>,
    rules: Vec<ListenerRule>,
    /// What becomes of a listener on https whom no relay can take over https.
    pub without_https: WithoutHttps,
}

impl Modes {
    /// The modes of a configuration.
    pub fn new(config: &Config) -> Self {
        let mounts = config.mounts.iter();
        Self {
            usual: config.mode,
            mounts: mounts
                .filter_map(|(path, mount)| Some((path.clone(), mount.mode?)))
                .collect(),
            rules: config.listener_rules.clone(),
            without_https: config.redirect.without_https,
        }
    }

    /// The mode for one listener: by his player, else by the mount, else the usual one.
    pub fn of(&self, mount: &str, user_agent: Option<&[u8]>) -> Mode {
        if let Some(agent) = user_agent
            && let Some(rule) = self
                .rules
                .iter()
                .find(|rule| rule.user_agent.is_match(agent))
        {
            return rule.mode;
        }
        self.mounts.get(mount).copied().unwrap_or(self.usual)
    }
}

#[cfg(test)]
mod tests {
    use regex::bytes::RegexBuilder;

    use super::*;

    #[test]
    fn the_player_decides_before_the_mount_and_the_mount_before_the_rest() {
        let pattern = RegexBuilder::new("^sonos").case_insensitive(true).build();
        let modes = Modes {
            usual: Mode::Redirect,
            mounts: HashMap::from([("/proxied".to_owned(), Mode::Proxy)]),
            rules: vec![ListenerRule {
                user_agent: pattern.unwrap(),
                mode: Mode::Proxy,
            }],
            without_https: WithoutHttps::Proxy,
        };
        assert_eq!(modes.of("/live", None), Mode::Redirect);
        assert_eq!(modes.of("/proxied", Some(b"VLC")), Mode::Proxy);
        assert_eq!(modes.of("/live", Some(b"Sonos/1.0 \xff")), Mode::Proxy);
        assert_eq!(modes.of("/live", Some(b"not Sonos")), Mode::Redirect);
    }
}
