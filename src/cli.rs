//! The command line: what an operator types, and what is said when it makes no sense.

mod version;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Bad flags or a bad configuration: BSD's EX_USAGE.
pub const EXIT_USAGE: u8 = 64;

/// The front door of a fleet of Icecast relays: sends each listener to the least-loaded relay that carries the mount.
///
/// Without a command it serves. Relays come from ICECAST_RELAYS (host[:port], comma-separated) or from a configuration
/// file; `conf/icecast-balancer.toml` documents every key.
#[derive(Debug, Parser)]
#[command(
    name = "icecast-balancer",
    version = version::SHORT,
    long_version = version::LONG,
    after_help = "Exit codes: 0 done, 64 bad flags or configuration, 1 could not start, or could not be asked or refused."
)]
pub struct Cli {
    /// What to do; `run` when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The configuration file.
    #[command(flatten)]
    pub source: ConfigFlag,
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub struct ConfigFlag {
    /// Configuration file (TOML); environment variables win over it.
    #[arg(long, short, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until told to stop.
    Run,
    /// Report every problem of the configuration and exit: 0 without one, 64 with.
    Check,
    /// Show what a running balancer knows of its relays, and why one takes no listener.
    Status(StatusFlags),
    /// Have a running balancer send nobody new to a relay, before it is stopped for example.
    Drain(OrderFlags),
    /// Have a running balancer send listeners to a relay again.
    Ready(OrderFlags),
    /// Have a running balancer take a relay out of service.
    Maint(OrderFlags),
    /// Exit with 0 when a running balancer is ready, with 1 when it is not: what containers ask.
    Healthcheck(AdminFlag),
    /// Have a new process, of the program and the configuration as they are now, take over from the running one.
    Upgrade(AdminFlag),
    /// Try it without a relay of your own: a small fleet on loopback, the balancer before it, listeners that come and go.
    Demo(DemoFlags),
    /// Start a program and tell what becomes of it: what an upgrade does for itself.
    #[command(hide = true)]
    Foster {
        /// The program and its words.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Write the man pages and the completions of bash, zsh and fish below a folder; for packages.
    #[command(hide = true)]
    Documents {
        /// Where to; made when it is not there.
        folder: PathBuf,
    },
}

/// How the demo runs.
#[derive(Debug, Clone, Args)]
pub struct DemoFlags {
    /// Relays in the demo's fleet.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub relays: u8,
    /// Port of the balancer on 127.0.0.1; the admin address takes the next one.
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..=65534))]
    pub port: u16,
    /// Carry the streams instead of redirecting: listeners do not hear a relay die.
    #[arg(long)]
    pub proxy: bool,
    /// End by itself after this time, such as 10s.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub length: Option<Duration>,
}

/// How a running balancer's fleet is shown.
#[derive(Debug, Clone, Args)]
pub struct StatusFlags {
    /// Print the whole answer as JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub admin: AdminFlag,
}

/// Which relay a running balancer is to treat otherwise.
#[derive(Debug, Clone, Args)]
pub struct OrderFlags {
    /// The relay's whole name, as `status` shows it.
    #[arg(value_name = "RELAY")]
    pub relay: String,
    /// Whom to tell.
    #[command(flatten)]
    pub admin: AdminFlag,
    /// File with the token of the running balancer's admin.token_file; the configuration's when left out.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Where a running balancer is asked.
#[derive(Debug, Clone, Args)]
pub struct AdminFlag {
    /// The running balancer's admin address, with https:// where it speaks TLS; what [admin] of the configuration says when left out.
    #[arg(long, value_name = "HOST:PORT", value_parser = AdminAddress::parse)]
    pub admin: Option<AdminAddress>,
    /// Certificates (PEM) of the authorities that the admin address is believed from; the system's for https:// when left out.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Certificate (PEM) that is shown where admin.client_ca wants one.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its key.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
}

/// An admin address as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminAddress {
    /// What it begins with, if with one.
    pub scheme: Option<Scheme>,
    /// `host:port`.
    pub authority: String,
}

/// What an admin address begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`
    Http,
    /// `https://`
    Https,
}

impl AdminAddress {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let schemes = [("http://", Scheme::Http), ("https://", Scheme::Https)];
        let named = |(word, scheme)| Some((text.strip_prefix(word)?, Some(scheme)));
        let (rest, scheme) = schemes.into_iter().find_map(named).unwrap_or((text, None));
        let authority = authority(rest.strip_suffix('/').unwrap_or(rest))?;
        Ok(Self { scheme, authority })
    }
}

/// Reads `host:port`; nothing else may stand in it, for a URL is made of it.
fn authority(text: &str) -> Result<String, &'static str> {
    let expected = "expected HOST:PORT such as 127.0.0.1:8081 or https://[::1]:8081";
    let (_, port) = text.rsplit_once(':').ok_or(expected)?;
    let only_host = !text.contains(|c: char| c.is_whitespace() || "/?#@\\".contains(c));
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_url = url::Url::parse(&format!("http://{text}/")).is_ok();
    (only_host && is_port && is_url)
        .then(|| text.to_owned())
        .ok_or(expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_configuration_can_be_named_before_or_after_the_command() {
        for line in [["-c", "a.toml", "check"], ["check", "--config", "a.toml"]] {
            let cli = Cli::try_parse_from(std::iter::once("x").chain(line)).unwrap();
            assert!(matches!(cli.command, Some(Command::Check)));
            assert_eq!(cli.source.config, Some("a.toml".into()));
        }
    }

    #[test]
    fn an_admin_address_is_a_host_and_a_port_and_nothing_else() {
        for good in ["127.0.0.1:8081", "[::1]:8081", "balancer.example.com:80"] {
            for (before, scheme) in [
                ("", None),
                ("http://", Some(Scheme::Http)),
                ("https://", Some(Scheme::Https)),
            ] {
                let authority = good.to_owned();
                let expected = AdminAddress { scheme, authority };
                let parsed = AdminAddress::parse(&format!("{before}{good}"));
                assert_eq!(parsed, Ok(expected));
            }
        }
        for bad in [
            "",
            "8081",
            "127.0.0.1",
            ":8081",
            "::1",
            "::1:8081",
            "127.0.0.1:0",
            "127.0.0.1:99999",
            "127.0.0.1:",
            "ftp://127.0.0.1:8081",
            "https://",
            "https://http://127.0.0.1:8081",
            "https://127.0.0.1:8081/status",
            "127.0.0.1:8081//",
            "user@127.0.0.1:8081",
            "a b:8081",
        ] {
            assert!(AdminAddress::parse(bad).is_err(), "{bad:?}");
        }
    }
}
