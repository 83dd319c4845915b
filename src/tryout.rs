//! The `demo` command: the demo's fleet, the balancer before it, listeners who come and go, all in one process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use log::{LevelFilter, error};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::app::{self, Stop};
use crate::cli::DemoFlags;
use crate::config::{self, Address, Bind, Config, Sources};
use crate::demo::{DemoFleet, MOUNT, Style, Summary};
use crate::logging;
use crate::terminal::print_line;

/// How long the simulated listeners may take to leave once the demo is over.
const LEAVE_DEADLINE: Duration = Duration::from_secs(2);

/// How long the balancer may take to open, and how often that is tried.
const OPENING_DEADLINE: Duration = Duration::from_secs(5);
const OPENING_STEP: Duration = Duration::from_millis(20);

/// Runs the demo to its end; 1 when nothing was heard or the port is taken.
pub fn run(flags: &DemoFlags) -> ExitCode {
    logging::at(LevelFilter::Warn);
    let stage = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    match stage.and_then(|stage| play(flags, stage)) {
        Ok(code) => code,
        Err(cause) => {
            error!("the demo cannot start: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn play(flags: &DemoFlags, stage: Runtime) -> io::Result<ExitCode> {
    let fleet = stage.block_on(DemoFleet::start(flags.relays.into()))?;
    let balancer = SocketAddr::from((Ipv4Addr::LOCALHOST, flags.port));
    let config = configuration(balancer, &fleet.origins(), flags.proxy)?;
    introduce(balancer, &config);

    let (curtain, lifted) = watch::channel(());
    let length = flags.length;
    let show = stage.spawn(async move {
        opened(balancer).await;
        let summary = fleet
            .run(balancer, length, Style::of_stdout(), io::stdout())
            .await;
        drop(curtain);
        summary
    });
    app::serve(config, None, Stop::Dropped(lifted)).map_err(io::Error::other)?;
    let ended = stage.block_on(async { tokio::time::timeout(LEAVE_DEADLINE, show).await });
    stage.shutdown_timeout(LEAVE_DEADLINE);
    Ok(match ended {
        Ok(Ok(Ok(summary))) => verdict(&summary),
        // Stopped by a signal: that was what the person wanted.
        _ => ExitCode::SUCCESS,
    })
}

/// Waits until the balancer accepts connections: who comes earlier would count as one who heard nothing.
async fn opened(balancer: SocketAddr) {
    let open = async {
        while TcpStream::connect(balancer).await.is_err() {
            tokio::time::sleep(OPENING_STEP).await;
        }
    };
    // If it never opens, the listeners say so.
    let _ = tokio::time::timeout(OPENING_DEADLINE, open).await;
}

fn verdict(summary: &Summary) -> ExitCode {
    if summary.heard_audio() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn introduce(balancer: SocketAddr, config: &Config) {
    print_line(format_args!(
        "Playlist:         http://{balancer}{MOUNT}.m3u"
    ));
    if let Some(admin) = config.admin.bind {
        print_line(format_args!("What is going on: http://{admin}/status"));
    }
    print_line(
        "One listener after the other tunes in; now and then a relay dies. Ctrl-C ends it.\n",
    );
}

/// The configuration as an operator would give it by environment, with polls quick enough to watch.
fn configuration(balancer: SocketAddr, relays: &[SocketAddr], proxy: bool) -> io::Result<Config> {
    let relays: Vec<String> = relays.iter().map(ToString::to_string).collect();
    let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, balancer.port().saturating_add(1)));
    let mode = if proxy { "proxy" } else { "redirect" };
    let environment: BTreeMap<String, OsString> = [
        ("ICECAST_RELAYS", relays.join(",")),
        ("PORT", balancer.port().to_string()),
        ("BALANCER__ADMIN__BIND", admin.to_string()),
        ("BALANCER__MODE", mode.to_owned()),
        ("BALANCER__POLL__INTERVAL", "2s".to_owned()),
        ("BALANCER__POLL__TIMEOUT", "1s".to_owned()),
        ("BALANCER__SELECT__SLOW_START", "5s".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.into()))
    .collect();
    let sources = Sources {
        file: None,
        environment,
    };
    let mut config = config::load(&sources).map_err(io::Error::other)?.config;
    config.binds = vec![Bind::plain(Address::Tcp(balancer))];
    for (number, relay) in (1..).zip(&mut config.relays) {
        relay.relay.name = format!("relay{number}");
    }
    Ok(config)
}
