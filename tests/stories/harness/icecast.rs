//! A real icecast2: its configuration, its process, and what it says about itself.
//!
//! A master and a relay are the same program; what makes one a relay is the XML that is put in.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::authority::Certifier;
use super::folder::Folder;
use super::http::{ADMIN, Answer, Question};
use super::icecast_xml::{CERTIFICATE, xml};
use super::ports;
use super::process::{Process, mortal_and_unprivileged};
use super::tools;
use super::wait::{eventually, seconds, within};

/// What differs between the servers of a fleet.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// `<limits><clients>`, which counts listeners, sources, relays and questions alike; 0 means the default of 200.
    pub clients: u32,
    /// `<limits><burst-size>`; `None` means the default of 65535.
    pub burst_bytes: Option<u32>,
    /// Who gives it the certificate with which it speaks TLS on a second port; `None`: it does not.
    pub certifier: Option<Certifier>,
    /// Elements of its own: `<master-server>`, `<relay>`, `<mount>`.
    pub elements: String,
}

/// One icecast2, running or not; dropping it ends it.
#[derive(Debug)]
pub struct Icecast {
    name: String,
    address: SocketAddr,
    secure: Option<SocketAddr>,
    folder: Folder,
    run: RefCell<Option<Run>>,
}

/// One life of its process.
#[derive(Debug)]
struct Run {
    process: Process,
    began: Instant,
}

/// For how long a server is not asked after its start.
///
/// ICECAST: 2.4.4 dies of SIGSEGV when it is asked before its own stats thread has begun: 3 of 120 starts on a busy
/// machine, none of 130 when left alone for 0.4 s (measured).
const SHY: Duration = Duration::from_millis(400);

impl Icecast {
    /// Starts one, on an address of its own, without waiting for it to listen.
    #[track_caller]
    pub fn start(name: &str, server: &Server) -> Self {
        tools::require();
        let address = ports::own_address();
        let certifier = server.certifier.as_ref();
        let secure = certifier.map(|_| ports::another_port_of(address.ip()));
        let folder = Folder::new(name);
        folder.write("icecast.xml", &xml(address, secure, folder.path(), server));
        let icecast = Self {
            name: name.to_owned(),
            address,
            secure,
            folder,
            run: RefCell::new(None),
        };
        if let Some(certifier) = certifier {
            icecast.certify(certifier);
        }
        icecast.live();
        icecast
    }

    fn live(&self) {
        let mut command = mortal_and_unprivileged("icecast2");
        command
            .arg("-c")
            .arg(self.folder.path().join("icecast.xml"));
        let output = std::fs::File::create(self.folder.path().join("output")).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let process = Process::start(command);
        let began = Instant::now();
        *self.run.borrow_mut() = Some(Run { process, began });
    }

    /// Waits until it answers.
    #[track_caller]
    pub fn wait_until_up(&self) {
        self.wait_until("listens", || self.listed_mounts().is_some());
    }

    /// Waits, after a start, until `ready` says true; a server that died or hangs meanwhile is started once more.
    #[track_caller]
    pub fn wait_until(&self, what: &str, ready: impl Fn() -> bool) {
        within(seconds(6), || ready() || self.has_died());
        if !ready() {
            self.restart();
        }
        let what = format!("{} at {} {what}", self.name, self.address);
        eventually(seconds(15), &what, ready);
    }

    fn has_died(&self) -> bool {
        let mut run = self.run.borrow_mut();
        run.as_mut().is_none_or(|run| run.process.ended().is_some())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it speaks TLS.
    pub fn secure_address(&self) -> Option<SocketAddr> {
        self.secure
    }

    /// Puts another certificate in its place; ICECAST: 2.4 reads it at its start.
    pub fn certify(&self, certifier: &Certifier) {
        self.folder
            .write(CERTIFICATE, &certifier.certificate(self.address.ip()));
    }

    /// Kills it (SIGKILL).
    pub fn kill(&self) {
        // Dropping it kills it and waits until it is gone.
        drop(self.run.borrow_mut().take().expect("a running icecast2"));
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    #[track_caller]
    pub fn stop(&self) {
        self.signal("TERM");
        eventually(seconds(5), &format!("{} ends", self.name), || {
            self.has_died()
        });
        drop(self.run.borrow_mut().take());
    }

    /// Hangs it (SIGSTOP): its connections stay, the kernel accepts more, nothing answers.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let run = self.run.borrow();
        let process = &run.as_ref().expect("a running icecast2").process;
        process.signal(name);
    }

    /// Starts it again where it was, without waiting for it.
    pub fn restart(&self) {
        drop(self.run.borrow_mut().take());
        self.live();
    }

    /// Asks it something as its administrator; `None` when there is no good answer.
    pub fn ask(&self, target: &str) -> Option<Answer> {
        if self.run.borrow().as_ref()?.began.elapsed() < SHY {
            return None;
        }
        let question = Question::get(target).with(ADMIN).within(seconds(2));
        let answer = question.ask(self.address);
        answer.ok().filter(|answer| answer.status == 200)
    }

    /// Its mounts, hidden ones too; `None` while it does not answer.
    pub fn listed_mounts(&self) -> Option<Vec<ListedMount>> {
        let page = self.ask("/admin/listmounts")?.text();
        let sources = page.split("<source ").skip(1);
        Some(sources.filter_map(ListedMount::parse).collect())
    }

    /// Whether it says that this plays now on one mount.
    pub fn shows_title(&self, mount: &str, title: &str) -> bool {
        let page = self.ask(&format!("/admin/stats?mount={mount}"));
        let shown = format!("<title>{}</title>", title.replace('&', "&amp;"));
        page.is_some_and(|answer| answer.text().contains(&shown))
    }

    /// Says once what plays now on one mount: each time is a block of metadata to every listener.
    #[track_caller]
    pub fn announce(&self, mount: &str, title: &str) {
        let said = self.ask(&announcement(mount, title));
        said.unwrap_or_else(|| panic!("{} does not take the title {title:?}", self.name));
    }

    /// Sets what plays now on one mount, and waits until the server says so.
    #[track_caller]
    pub fn set_title(&self, mount: &str, title: &str) {
        let command = announcement(mount, title);
        // ICECAST: a relay's title is overwritten by the master's with the first block of metadata, so it is said again.
        eventually(
            seconds(5),
            &format!("{} shows the title {title:?}", self.name),
            || {
                let shows = self.shows_title(mount, title);
                if !shows {
                    self.ask(&command);
                }
                shows
            },
        );
    }
}

impl Drop for Icecast {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.folder.tail("error.log") + &self.folder.tail("output");
            eprintln!("--- {} at {} ---\n{log}", self.name, self.address);
        }
    }
}

fn announcement(mount: &str, title: &str) -> String {
    let song = title.replace('%', "%25").replace(' ', "%20");
    let song = song.replace('&', "%26");
    format!("/admin/metadata?mount={mount}&mode=updinfo&song={song}")
}

/// One mount as `/admin/listmounts` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedMount {
    /// Its path on this server.
    pub path: String,
    /// Its listeners.
    pub listeners: u32,
    /// Whether something feeds it now; an idle on-demand mount is listed too.
    pub running: bool,
}

impl ListedMount {
    fn parse(element: &str) -> Option<Self> {
        let path = between(element, "mount=\"", "\"")?.to_owned();
        let listeners = between(element, "<listeners>", "</listeners>")?
            .parse()
            .ok()?;
        Some(Self {
            path,
            listeners,
            running: element.contains("<Connected>"),
        })
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}
