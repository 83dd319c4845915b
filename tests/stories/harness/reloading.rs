//! A running balancer whose configuration is exchanged.

use super::balancer::Balancer;
use super::config_text::ConfigText;
use super::process;
use super::wait::{eventually, seconds};

const IN_FORCE: &str = "the configuration is in force";
const REFUSED: &str = "the configuration is refused";

impl Balancer {
    /// Puts this configuration into its file; where it listens stays.
    pub fn rewrite(&self, text: &ConfigText) {
        let binds = self.folder.read("binds");
        self.folder
            .write("balancer.toml", &format!("{text}\n{binds}"));
    }

    /// Has it read its file again, whatever is in it.
    pub fn hang_up(&self) {
        self.process.borrow().signal("HUP");
    }

    /// Gives it this configuration, and waits until that is in force.
    #[track_caller]
    pub fn reload(&self, text: &ConfigText) {
        let before = self.count(IN_FORCE);
        self.rewrite(text);
        self.hang_up();
        eventually(seconds(10), IN_FORCE, || self.count(IN_FORCE) > before);
    }

    /// Has it read what is in its file, and waits until it has refused that.
    #[track_caller]
    pub fn reload_in_vain(&self) {
        let before = self.count(REFUSED);
        self.hang_up();
        eventually(seconds(10), REFUSED, || self.count(REFUSED) > before);
    }

    /// Why it refused its configuration when it read it last, as its status page tells.
    pub fn refused(&self) -> Option<String> {
        let status = self.ask_as_operator("/status").json();
        let refused = status["configuration"]["refused"].as_str();
        refused.map(str::to_owned)
    }

    /// The value of one of its metrics.
    #[track_caller]
    pub fn metric(&self, series: &str) -> f64 {
        let metrics = self.ask_as_operator("/metrics").text();
        let line = format!("icecast_balancer_{series} ");
        let value = metrics.lines().find_map(|text| text.strip_prefix(&line));
        value.expect(series).parse().expect("a number")
    }

    /// The memory that it has resident now, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        process::resident_bytes(self.process.borrow().id())
    }

    /// How many files and sockets it has open, and how many threads.
    pub fn descriptors_and_threads(&self) -> [usize; 2] {
        let id = self.process.borrow().id();
        ["fd", "task"].map(|what| {
            let entries = std::fs::read_dir(format!("/proc/{id}/{what}"));
            entries.unwrap().count()
        })
    }

    /// How often its log has these words.
    pub fn count(&self, words: &str) -> usize {
        self.folder.read("output").matches(words).count()
    }
}
