//! The log: a reader that stops reading stops nothing else, and no client fills a disk with it.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Instant;

use icecast_balancer::logging;

use crate::harness::{
    BINARY, Balancer, ConfigText, Ended, FakeRelay, Fleet, Folder, LogPipe, NotifySocket, Process,
    TuneIn, clear_environment, eventually, go_on_unbroken, mortal, open_port, seconds, settled,
    under_shell, with_standard_error,
};
use crate::upgrade::{outcome, pid};

const MOUNT: &str = "/live.mp3";

/// A name that takes four bytes in the log for each of its own.
const AGENT: &str = "ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ";

fn public_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], open_port()))
}

fn healthcheck(balancer: &Balancer) -> Ended {
    Ended::of(&["healthcheck", "--admin", &balancer.admin().to_string()])
}

/// Has it log, 4 KB with each request, until lines are lost.
#[track_caller]
fn log_until_lines_are_lost(balancer: &Balancer) {
    let unknown = format!("/{}", "x".repeat(4000));
    eventually(seconds(100), "lines are lost", || {
        for _ in 0..50 {
            assert_eq!(balancer.tune_in(&unknown).status, 404);
        }
        balancer.metric("log_lines_lost_total") > 0.0
    });
}

#[test]
fn log_that_nothing_reads_stops_nothing_else() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let manager = NotifySocket::new();
    let pipe = LogPipe::new();
    let config = ConfigText::proxied(&fleet)
        .with("threads = 2")
        .with_section("[log]\nlevel = \"debug\"\n[stop]\ndrain_delay = \"0s\"");
    let balancer = Balancer::arranged(&config, public_address(), |command| {
        command.env("NOTIFY_SOCKET", manager.path());
        command.env("WATCHDOG_USEC", "4000000");
        *command = with_standard_error(command, pipe.writer());
    });
    manager.hear("READY=1");
    let radios = balancer.radios(3, MOUNT);
    settled(&radios);

    log_until_lines_are_lost(&balancer);

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    assert_eq!(balancer.tune_in("/status").status, 200);
    assert_eq!(balancer.ask_as_operator("/ready").status, 200);
    let health = healthcheck(&balancer);
    assert_eq!(health.code, Some(0), "{}", health.said());
    let fed = || {
        let heard = manager.heard();
        heard.iter().filter(|it| it.contains("WATCHDOG=1")).count()
    };
    let before = fed();
    eventually(seconds(20), "the watchdog is fed", || fed() >= before + 3);

    let text = pipe.read();
    eventually(seconds(20), "the loss is reported", || {
        text.all()
            .contains(" lines lost: standard error did not take them")
    });
    drop(radios);
    balancer.process().signal("TERM");
    eventually(seconds(20), "it ends", || {
        balancer.process().ended().is_some()
    });
    eventually(seconds(20), "the log has its end", || {
        text.all().ends_with("stopped\n")
    });
    let text = text.all();
    let reports = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once("] log: ")?;
        rest.split_once(" lines lost")?.0.parse::<u64>().ok()
    });
    assert!(reports.sum::<u64>() > 0, "{text}");
    // No line is cut: each begins with its time.
    assert!(text.lines().all(|line| line.starts_with("[20")), "{text}");
}

#[test]
fn process_ends_when_told_although_nothing_reads_its_log() {
    let relay = FakeRelay::of(MOUNT);
    for signal in ["TERM", "INT"] {
        let pipe = LogPipe::full();
        let config = ConfigText::of_none().and_relay_at(relay.address());
        let config = config.with_section("[stop]\ndrain_delay = \"0s\"");
        let balancer = Balancer::arranged(&config, public_address(), |command| {
            *command = with_standard_error(command, pipe.writer());
        });
        eventually(seconds(20), "it is ready", || {
            balancer.ask_as_operator("/ready").status == 200
        });

        balancer.process().signal(signal);

        eventually(seconds(20), "it ends", || {
            balancer.process().ended().is_some()
        });
        let ended = balancer.process().ended().unwrap();
        assert_eq!(ended.code(), Some(0), "{signal}");
    }
}

#[test]
fn upgrade_succeeds_although_nothing_reads_the_log() {
    let relay = FakeRelay::of(MOUNT);
    let pipe = LogPipe::full();
    let config = ConfigText::of_none().and_relay_at(relay.address());
    let balancer = Balancer::arranged(&config, public_address(), |command| {
        *command = with_standard_error(command, pipe.writer());
    });
    eventually(seconds(20), "it is ready", || {
        balancer.ask_as_operator("/ready").status == 200
    });
    let first = pid(&balancer);

    balancer.process().signal("USR2");

    eventually(seconds(60), "a new process serves", || {
        pid(&balancer) != first && outcome(&balancer).0 == "done"
    });
    eventually(seconds(60), "the first one is gone", || {
        balancer.process().ended().is_some()
    });
    assert_eq!(balancer.process().ended().unwrap().code(), Some(0));
    let text = pipe.read();
    let line = format!("] taking over from process {first}\n");
    eventually(seconds(20), "the new one has its log", || {
        text.all().contains(&line)
    });
}

#[test]
fn start_that_fails_ends_with_its_code_although_nothing_reads_its_log() {
    let folder = Folder::new("log");
    let broken = folder.write("broken.toml", "speling = true\n");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let text = format!(
        "[[bind]]\naddress = \"{taken}\"\n[admin]\nbind = \"\"\n[[relay]]\nurl = \"http://127.0.0.1:9\"\n"
    );
    let taken = folder.write("taken.toml", &text);
    for (file, code) in [(broken, 64), (taken, 1)] {
        let pipe = LogPipe::full();
        let mut command = mortal(BINARY);
        clear_environment(&mut command);
        command.arg("run").arg("--config").arg(&file);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(pipe.writer());
        let mut process = Process::start(command);
        eventually(seconds(20), "it ends", || process.ended().is_some());
        assert_eq!(process.ended().unwrap().code(), Some(code), "{file:?}");
    }
}

#[test]
fn log_that_cannot_be_written_ends_nothing() {
    let relay = FakeRelay::of(MOUNT);
    for (what, line) in [
        ("a full disk", "exec \"$0\" \"$@\" 2>/dev/full"),
        ("a reader that is gone", "(exec \"$0\" \"$@\" 2>&1) | true"),
        ("nothing that is open", "exec \"$0\" \"$@\" 0<&- 1>&- 2>&-"),
    ] {
        let config = ConfigText::of_none()
            .and_relay_at(relay.address())
            .with("mode = \"proxy\"");
        let balancer = Balancer::arranged(&config, public_address(), |command| {
            *command = under_shell(command, line);
        });
        eventually(seconds(20), "it is ready", || {
            balancer.ask_as_operator("/ready").status == 200
        });
        let radio = balancer.radio(MOUNT);
        radio.hear(70_000, seconds(20));
        drop(radio);
        assert_eq!(balancer.tune_in("/status").status, 200, "{what}");
        assert!(balancer.process().ended().is_none(), "{what}");
        if what != "nothing that is open" {
            assert!(balancer.metric("log_lines_lost_total") > 0.0, "{what}");
        }
    }
}

#[test]
fn command_whose_output_cannot_be_written_has_its_exit_code() {
    let folder = Folder::new("log");
    let good = folder.write("good.toml", "[[relay]]\nurl = \"http://127.0.0.1:8000\"\n");
    let broken = folder.write("broken.toml", "speling = true\n");
    for (words, file, code) in [
        (["check", "--config"], &good, 0),
        (["check", "--config"], &broken, 64),
        (["run", "--config"], &broken, 64),
        (["healthcheck", "--config"], &good, 1),
    ] {
        let mut command = mortal(BINARY);
        clear_environment(&mut command);
        command
            .args(words)
            .arg(file)
            .env("BALANCER__ADMIN__BIND", "127.0.0.1:9");
        let mut command = under_shell(&command, "exec \"$0\" \"$@\" >/dev/full 2>&1");
        command.stdin(Stdio::null());
        let mut process = Process::start(command);
        eventually(seconds(20), "it ends", || process.ended().is_some());
        assert_eq!(process.ended().unwrap().code(), Some(code), "{words:?}");
    }
}

#[test]
fn client_that_tunes_in_again_and_again_writes_a_burst_and_a_count() {
    let relay = FakeRelay::of(MOUNT);
    let config = ConfigText::of_none()
        .and_relay_at(relay.address())
        .with("mode = \"proxy\"");
    let balancer = Balancer::with_config(&config);
    let asks = TuneIn::to(MOUNT).with(("User-Agent", AGENT));
    let began = Instant::now();
    let most = || 500 + usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    let suppressed = || balancer.metric("access_log_lines_suppressed_total");
    eventually(seconds(200), "lines are suppressed", || {
        for _ in 0..50 {
            assert_eq!(balancer.radio_that(&asks).head().status, 200);
        }
        suppressed() > 100.0
    });

    eventually(seconds(100), "they are counted in a line", || {
        balancer
            .log_line_with("access log: lines suppressed: ")
            .is_some()
    });

    let log = balancer.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains(" left: "))
        .collect();
    assert!((500..=most()).contains(&lines.len()), "{}", lines.len());
    let agent = r"\xc3\xbf".repeat(15);
    assert!(lines[0].ends_with(&format!("\"{agent}\"")), "{}", lines[0]);
    let summary = balancer
        .log_line_with("access log: lines suppressed: ")
        .unwrap();
    assert!(
        summary.ends_with(" addresses=1 most=127.0.0.1"),
        "{summary}"
    );
}

/// The variable that makes [`thread_that_panics_does_not_wait_for_the_reader_of_the_log`] panic.
const PANICS: &str = "ICECAST_BALANCER_STORY_PANICS";

#[test]
fn thread_that_panics_does_not_wait_for_the_reader_of_the_log() {
    if std::env::var_os(PANICS).is_some() {
        let _flush = logging::FlushAtEnd;
        logging::at(log::LevelFilter::Info);
        let thread = std::thread::Builder::new().name("worker".to_owned());
        let panics = thread.spawn(|| panic!("the reason\nof it"));
        assert!(panics.unwrap().join().is_err());
        return;
    }
    let myself = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--nocapture"]);
        command.arg("log::thread_that_panics_does_not_wait_for_the_reader_of_the_log");
        command.env(PANICS, "1").env_remove("RUST_BACKTRACE");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    for (pipe, is_read) in [(LogPipe::full(), false), (LogPipe::new(), true)] {
        let mut command = myself();
        command.stderr(pipe.writer());
        let mut process = Process::start(command);
        eventually(seconds(20), "it ends", || process.ended().is_some());
        assert!(process.ended().unwrap().success());
        if is_read {
            let text = pipe.read();
            eventually(seconds(20), "the panic is logged", || {
                text.all().contains(
                    "ERROR] panic: the reason of it thread=\"worker\" at=tests/stories/log.rs:",
                )
            });
        }
    }
}
