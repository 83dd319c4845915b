//! The operator: a balancer whose token he knows, and the ways in which he tells it something.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::balancer::Balancer;
use super::config_text::ConfigText;
use super::ended::Ended;
use super::fleet::Fleet;
use super::http::Question;
use super::running_relay::RunningRelay;

/// The token of every [`Guarded`] balancer.
pub const TOKEN: &str = "q8fJ0c-not-in-any-log-3vXz";

/// A file that holds a token, readable by its owner alone; dropping it removes it.
#[derive(Debug)]
pub struct TokenFile(PathBuf);

impl TokenFile {
    /// Writes one.
    pub fn of(token: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("icecast-balancer-token-{}-{n}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, format!("{token}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Self(path)
    }

    /// Puts another token into it.
    pub fn rotate(&self, token: &str) {
        fs::write(&self.0, format!("{token}\n")).unwrap();
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A balancer whose operator knows the token.
#[derive(Debug)]
pub struct Guarded {
    /// The balancer.
    pub balancer: Balancer,
    /// The file with its token.
    pub token: TokenFile,
}

impl Guarded {
    /// With a configuration file that names the token's.
    #[track_caller]
    pub fn in_front_of(fleet: &Fleet) -> Self {
        Self::with_config(ConfigText::of(fleet))
    }

    /// With this configuration file, in which the token's is named.
    #[track_caller]
    pub fn with_config(config: ConfigText) -> Self {
        let token = TokenFile::of(TOKEN);
        let key = format!("token_file = \"{}\"", token.path());
        let balancer = Balancer::with_config(&config.with_admin(&key));
        Self { balancer, token }
    }

    /// Sends a good order for a relay: `drain`, `ready` or `maint`.
    #[track_caller]
    pub fn order(&self, order: &str, relay: &RunningRelay) {
        let path = format!("/relays/{}/{order}", relay.name());
        let (status, text) = self.post(&path, Some(&format!("Bearer {TOKEN}")));
        assert_eq!(status, 200, "{path}: {text}");
    }

    /// Runs one of the commands, which reads the balancer's own configuration.
    #[track_caller]
    pub fn command(&self, words: &[&str]) -> Ended {
        let file = self.balancer.config_file();
        let config = ["--config", file.to_str().unwrap()];
        Ended::of(&[words, &config].concat())
    }

    /// Runs one of the commands with flags and no configuration.
    #[track_caller]
    pub fn command_by_flags(&self, words: &[&str], token: &TokenFile) -> Ended {
        let admin = self.balancer.admin().to_string();
        let flags = ["--admin", &admin, "--token-file", token.path()];
        Ended::of(&[words, &flags].concat())
    }

    /// Sends an order by hand; returns the status and the text of the answer.
    #[track_caller]
    pub fn post(&self, path: &str, authorization: Option<&str>) -> (u16, String) {
        let question = Question::new("POST", path);
        let question = match authorization {
            Some(field) => question.with(("Authorization", field)),
            None => question,
        };
        let answer = question.ask(self.balancer.admin()).unwrap();
        (answer.status, answer.text())
    }
}
