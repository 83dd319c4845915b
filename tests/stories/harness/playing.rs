//! Players that go on playing in the background, where they are installed: what they play is kept, so that it can be judged.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use super::folder::Folder;
use super::ports;
use super::process::{Process, mortal_and_unprivileged};
use super::tools;

/// A player at work; dropping it ends it.
#[derive(Debug)]
pub struct Playing {
    _process: Process,
    folder: Folder,
}

impl Playing {
    /// mpv, which writes the samples that it would play: 16 bits, one channel, 44,100 in a second.
    pub fn by_mpv(url: &str) -> Option<Self> {
        Self::of("mpv", |command, folder| {
            let file = format!("--ao-pcm-file={}", folder.path().join("sound").display());
            command.args(["--no-config", "--really-quiet", "--no-video", "--ao=pcm"]);
            command.args([
                "--ao-pcm-waveheader=no",
                "--audio-channels=mono",
                &file,
                url,
            ]);
        })
    }

    /// VLC, which writes the frames that it would decode.
    pub fn by_vlc(url: &str) -> Option<Self> {
        Self::of("cvlc", |command, folder| {
            let file = folder.path().join("sound");
            let out = format!("#std{{access=file,mux=raw,dst={}}}", file.display());
            command.args(["-I", "dummy", "--no-one-instance", "--play-and-exit"]);
            command.args(["--sout", &out, url]);
        })
    }

    fn of(program: &str, arrange: impl Fn(&mut Command, &Folder)) -> Option<Self> {
        if !tools::is_installed(program) {
            crate::harness::skipped(&format!("{program} is not installed"));
            return None;
        }
        let folder = Folder::new(program);
        // VLC does not run as root.
        let mut command = mortal_and_unprivileged(program);
        arrange(&mut command, &folder);
        command.env("HOME", folder.path()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let _process = Process::start(command);
        Some(Self { _process, folder })
    }

    /// What it wrote so far.
    pub fn sound(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("sound")).unwrap_or_default()
    }
}

/// A browser with a page that plays a stream and tells how far it is; dropping it closes it.
#[derive(Debug)]
pub struct Browser {
    _process: Process,
    _folder: Folder,
    told: Arc<Mutex<String>>,
}

impl Browser {
    /// Chromium, without a window, on a page of another origin than the stream's.
    pub fn playing(url: &str) -> Option<Self> {
        let program = "chromium";
        if !tools::is_installed(program) {
            crate::harness::skipped(&format!("{program} is not installed"));
            return None;
        }
        let told = Arc::default();
        let page = serve_page(url, &told);
        let folder = Folder::new(program);
        let mut command = mortal_and_unprivileged(program);
        // Its own sandbox needs rights that a container often does not give; it sees nothing but our page.
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ]);
        command.args(["--no-first-run", "--disable-background-networking"]);
        command.args(["--disable-component-update", "--disable-sync"]);
        command.arg("--autoplay-policy=no-user-gesture-required");
        // The authority of a story is nobody's but the story's.
        command.arg("--ignore-certificate-errors");
        let profile = folder.path().join("profile");
        command.arg(format!("--user-data-dir={}", profile.display()));
        command.arg(format!("http://{page}/"));
        command.env("HOME", folder.path()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Some(Self {
            _process: Process::start(command),
            _folder: folder,
            told,
        })
    }

    /// How many seconds it has played.
    #[track_caller]
    pub fn played_seconds(&self) -> f64 {
        let told = self.told.lock().unwrap().clone();
        assert!(!told.contains("error"), "the page says {told:?}");
        told.parse().unwrap_or_default()
    }
}

const PAGE: &str = "<!doctype html><audio autoplay crossorigin src=\"STREAM\"></audio><script>
const audio = document.querySelector('audio');
const tell = what => fetch('/told/' + what);
audio.onerror = () => tell('error ' + audio.error.message);
audio.onended = () => tell('error: it ended');
setInterval(() => audio.error || audio.ended || tell(audio.currentTime), 250);
</script>";

/// Serves the page to the browser, and notes what the page tells; ends with the test's process.
fn serve_page(url: &str, told: &Arc<Mutex<String>>) -> SocketAddr {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::open_port()));
    let door = TcpListener::bind(address).unwrap();
    let (page, told) = (PAGE.replace("STREAM", url), Arc::clone(told));
    thread::spawn(move || {
        for guest in door.incoming().map_while(Result::ok) {
            // One that says nothing is of no use to the story, and harms nobody else.
            let _ = answer(guest, &page, &told);
        }
    });
    address
}

fn answer(mut guest: TcpStream, page: &str, told: &Mutex<String>) -> io::Result<()> {
    let mut request = [0; 4_096];
    let length = guest.read(&mut request)?;
    let request = String::from_utf8_lossy(&request[..length]);
    let target = request.split(' ').nth(1).unwrap_or_default();
    if let Some(words) = target.strip_prefix("/told/") {
        *told.lock().unwrap() = words.replace("%20", " ");
    }
    let length = page.len();
    write!(
        guest,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    )
}
