//! The plan of a relay: what it pulls from the master, and how.

use std::net::SocketAddr;
use std::time::Duration;

use super::authority::Certifier;
use super::icecast::Server;

/// What a relay shall pull from the master, and how.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Empty: everything, by `<master-server>`.
    pulls: Vec<Pulled>,
    clients: u32,
    burst_bytes: Option<u32>,
    lag: Duration,
    certifier: Option<Certifier>,
}

/// One mount that is pulled by name.
#[derive(Debug, Clone)]
struct Pulled {
    from: String,
    local: String,
    on_demand: bool,
    hidden: bool,
}

impl Relay {
    /// Pulls every mount of the master (`<master-server>`).
    pub fn of_everything() -> Self {
        Self {
            pulls: Vec::new(),
            clients: 0,
            burst_bytes: None,
            lag: Duration::ZERO,
            certifier: None,
        }
    }

    /// Pulls one mount by name (`<relay>`), and no other.
    pub fn of_mount(mount: &str) -> Self {
        Self::of_everything().and_mount(mount)
    }

    /// Pulls one more mount; what follows is said of this one.
    pub fn and_mount(mut self, mount: &str) -> Self {
        let (from, local) = (mount.to_owned(), mount.to_owned());
        self.pulls.push(Pulled {
            from,
            local,
            on_demand: false,
            hidden: false,
        });
        self
    }

    /// Calls the mount something else (`<local-mount>`).
    pub fn called(mut self, local: &str) -> Self {
        self.last().local = local.to_owned();
        self
    }

    /// Pulls the mount only while it has listeners.
    pub fn on_demand(mut self) -> Self {
        self.last().on_demand = true;
        self
    }

    /// Shows the mount on no public page.
    pub fn hidden(mut self) -> Self {
        self.last().hidden = true;
        self
    }

    /// Takes no more than so many clients of any kind (`<limits><clients>`).
    pub fn with_clients_limit(mut self, clients: u32) -> Self {
        self.clients = clients;
        self
    }

    /// Gives a new listener so many bytes of the recent past (`<limits><burst-size>`).
    pub fn with_burst(mut self, bytes: u32) -> Self {
        self.burst_bytes = Some(bytes);
        self
    }

    /// Has everything so much later than the master.
    pub fn lagging(mut self, lag: Duration) -> Self {
        self.lag = lag;
        self
    }

    /// Speaks TLS on one more port, with a certificate from there.
    pub fn certified_by(mut self, certifier: impl Into<Certifier>) -> Self {
        self.certifier = Some(certifier.into());
        self
    }

    /// How much later than the master it has everything.
    pub(super) fn lag(&self) -> Duration {
        self.lag
    }

    fn last(&mut self) -> &mut Pulled {
        self.pulls.last_mut().expect("say of_mount first")
    }

    /// The server that is such a relay of `master`.
    pub(super) fn server(&self, master: SocketAddr) -> Server {
        let elements = match self.pulls.as_slice() {
            [] => pull_everything(master),
            pulls => pulls.iter().map(|pulled| pulled.xml(master)).collect(),
        };
        Server {
            clients: self.clients,
            burst_bytes: self.burst_bytes,
            certifier: self.certifier.clone(),
            elements,
        }
    }

    /// The mounts that a relay of this plan lists, and whether each runs without a listener.
    pub(super) fn promises(&self, carried: &[&str]) -> Vec<(String, bool)> {
        match self.pulls.as_slice() {
            [] => carried
                .iter()
                .map(|mount| ((*mount).to_owned(), true))
                .collect(),
            pulls => pulls
                .iter()
                .map(|pulled| (pulled.local.clone(), !pulled.on_demand))
                .collect(),
        }
    }

    /// Whether no public page shows the mount.
    pub(super) fn hides(&self, local: &str) -> bool {
        self.pulls
            .iter()
            .any(|pulled| pulled.local == local && pulled.hidden)
    }
}

impl Pulled {
    fn xml(&self, master: SocketAddr) -> String {
        let (ip, port) = (master.ip(), master.port());
        let Self { from, local, .. } = self;
        let (on_demand, hidden) = (u8::from(self.on_demand), u8::from(self.hidden));
        format!(
            "<relay><server>{ip}</server><port>{port}</port><mount>{from}</mount>\
             <local-mount>{local}</local-mount><on-demand>{on_demand}</on-demand></relay>\
             <mount><mount-name>{local}</mount-name><hidden>{hidden}</hidden></mount>"
        )
    }
}

fn pull_everything(master: SocketAddr) -> String {
    let (ip, port) = (master.ip(), master.port());
    // Looks for the master's mounts again every 2 s; the default of 120 s outlasts a story.
    format!(
        "<master-server>{ip}</master-server><master-server-port>{port}</master-server-port>\
         <master-password>hackme</master-password><master-update-interval>2</master-update-interval>"
    )
}
