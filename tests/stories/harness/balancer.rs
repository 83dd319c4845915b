//! The balancer: the real binary, as an operator starts it, asked as its operator.

use std::cell::{RefCell, RefMut};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::config_text::ConfigText;
use super::container::Image;
use super::ended::{BINARY, clear_environment};
use super::fleet::Fleet;
use super::folder::Folder;
use super::http::{Answer, Question};
use super::ports;
use super::process::{self, Process, mortal};
use super::status::AdminStatus;
use super::wait::{eventually, seconds};

/// A running balancer; dropping it ends it.
#[derive(Debug)]
pub struct Balancer {
    pub(super) public: SocketAddr,
    admin: SocketAddr,
    pub(super) folder: Folder,
    pub(super) process: RefCell<Process>,
}

impl Balancer {
    /// With the environment alone, as a container would start it, polling every second.
    #[track_caller]
    pub fn in_front_of(fleet: &Fleet) -> Self {
        Self::polling_every(1, fleet)
    }

    /// With the environment alone, polling every so many seconds.
    #[track_caller]
    pub fn polling_every(interval_seconds: u32, fleet: &Fleet) -> Self {
        let port = ports::open_port();
        let public = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let balancer = Self::start(public, ports::own_address(), |command, admin, _| {
            command.env("ICECAST_RELAYS", fleet.names().join(","));
            command.env("PORT", port.to_string());
            command.env("CACHE_TTL", interval_seconds.to_string());
            command.env("BALANCER__ADMIN__BIND", admin.to_string());
        });
        balancer.wait_until_ready();
        balancer
    }

    /// With the environment alone, in the limits of a container.
    #[track_caller]
    pub fn in_a_container(image: &Image, fleet: &Fleet) -> Self {
        let port = ports::open_port();
        let public = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let balancer = Self::start_as(
            image.program(),
            Folder::new("balancer"),
            public,
            ports::own_address(),
            |command, admin, _| {
                command.env("ICECAST_RELAYS", fleet.names().join(","));
                command.env("PORT", port.to_string());
                command.env("BALANCER__ADMIN__BIND", admin.to_string());
            },
        );
        balancer.wait_until_ready();
        balancer
    }

    /// With a configuration file; its addresses to listen on are added.
    #[track_caller]
    pub fn with_config(text: &ConfigText) -> Self {
        let balancer = Self::starting_with(text);
        balancer.wait_until_ready();
        balancer
    }

    /// As [`Self::with_config`], as soon as it takes connections: its first polls may be under way.
    #[track_caller]
    pub fn starting_with(text: &ConfigText) -> Self {
        Self::starting_with_admin_at(ports::own_address(), text)
    }

    /// As [`Self::starting_with`], with the operator's address at a place that is known before.
    #[track_caller]
    pub fn starting_with_admin_at(admin: SocketAddr, text: &ConfigText) -> Self {
        let public = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::open_port()));
        Self::put_together(text, public, admin, |_| {})
    }

    /// As [`Self::starting_with`], at this address and with something more for its start.
    #[track_caller]
    pub fn arranged(text: &ConfigText, public: SocketAddr, more: impl Fn(&mut Command)) -> Self {
        Self::put_together(text, public, ports::own_address(), more)
    }

    #[track_caller]
    fn put_together(
        text: &ConfigText,
        public: SocketAddr,
        admin: SocketAddr,
        more: impl Fn(&mut Command),
    ) -> Self {
        let balancer = Self::start(public, admin, |command, admin, folder| {
            let keys = text.admin();
            let binds =
                format!("[[bind]]\naddress = \"{public}\"\n[admin]\nbind = \"{admin}\"\n{keys}");
            let file = folder.write("balancer.toml", &format!("{text}\n{binds}"));
            folder.write("binds", &binds);
            command.arg("run").arg("--config").arg(file);
            more(command);
        });
        balancer.wait_for("takes connections", || {
            [public, balancer.admin]
                .iter()
                .all(|address| TcpStream::connect(address).is_ok())
        });
        balancer
    }

    #[track_caller]
    fn start(
        public: SocketAddr,
        admin: SocketAddr,
        arrange: impl Fn(&mut Command, SocketAddr, &Folder),
    ) -> Self {
        let folder = Folder::new("balancer");
        let binary = folder.path().join("icecast-balancer");
        std::fs::hard_link(BINARY, &binary)
            .or_else(|_| std::fs::copy(BINARY, &binary).map(drop))
            .unwrap();
        Self::start_as(mortal(binary), folder, public, admin, arrange)
    }

    #[track_caller]
    fn start_as(
        mut command: Command,
        folder: Folder,
        public: SocketAddr,
        admin: SocketAddr,
        arrange: impl Fn(&mut Command, SocketAddr, &Folder),
    ) -> Self {
        clear_environment(&mut command);
        arrange(&mut command, admin, &folder);
        let output = File::create(folder.path().join("output")).unwrap();
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let process = RefCell::new(Process::start(command));
        Self {
            public,
            admin,
            folder,
            process,
        }
    }

    #[track_caller]
    fn wait_until_ready(&self) {
        self.wait_for("is ready", || self.asked_as_operator("/ready") == Some(200));
    }

    #[track_caller]
    fn wait_for(&self, what: &str, mut holds: impl FnMut() -> bool) {
        eventually(seconds(10), &format!("the balancer {what}"), || {
            let ended = self.process.borrow_mut().ended();
            assert!(ended.is_none(), "the balancer ended: {ended:?}");
            holds()
        });
    }

    fn asked_as_operator(&self, target: &str) -> Option<u16> {
        let answer = Question::get(target).ask(self.admin);
        answer.ok().map(|answer| answer.status)
    }

    /// `GET /status` on the operator's address.
    #[track_caller]
    pub fn admin_status(&self) -> AdminStatus {
        AdminStatus::new(self.ask_as_operator("/status").json())
    }

    /// Waits until the polls of the first seconds are over: from then on only the interval counts.
    #[track_caller]
    pub fn wait_for_the_interval(&self) {
        eventually(seconds(20), "the first polls are over", || {
            self.admin_status().fewest_polls() >= 5
        });
    }

    /// Asks anything on the operator's address.
    #[track_caller]
    pub fn ask_as_operator(&self, target: &str) -> Answer {
        Question::get(target)
            .ask(self.admin)
            .expect("the operator gets an answer")
    }

    /// The operator's address.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The process that was started.
    pub fn process(&self) -> RefMut<'_, Process> {
        self.process.borrow_mut()
    }

    /// The program's file, its own, which may be replaced.
    pub fn binary(&self) -> PathBuf {
        self.folder.path().join("icecast-balancer")
    }

    /// All that it wrote.
    pub fn log(&self) -> String {
        self.folder.read("output")
    }

    /// The configuration file that it was started with.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("balancer.toml")
    }

    /// The last lines that it wrote.
    pub fn said(&self) -> String {
        self.folder.tail("output")
    }

    /// How many seams of a kind it has made: `exact`, `guessed` or `audible`.
    #[track_caller]
    pub fn seams(&self, kind: &str) -> u64 {
        let metric = format!("icecast_balancer_seams_total{{seam=\"{kind}\"}} ");
        let metrics = self.ask_as_operator("/metrics").text();
        let value = metrics.lines().find_map(|line| line.strip_prefix(&metric));
        value.map_or(0, |value| value.parse().expect("a number"))
    }

    /// The first line of its log that contains these words, when there is one.
    pub fn log_line_with(&self, words: &str) -> Option<String> {
        let log = self.folder.read("output");
        log.lines()
            .find(|line| line.contains(words))
            .map(str::to_owned)
    }

    /// The most memory that it ever had resident, in bytes.
    pub fn peak_resident_bytes(&self) -> u64 {
        process::peak_resident_bytes(self.process.borrow().id())
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        process::kill_all_that_name(self.folder.path());
        if std::thread::panicking() {
            eprintln!("--- the balancer said ---\n{}", self.folder.tail("output"));
        }
    }
}
