//! The command line: what an operator types, and what is said when it makes no sense.

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
    version,
    after_help = "Exit codes: 0 done, 64 bad flags or configuration, 1 could not start."
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
    /// Try it without a relay of your own: a small fleet on loopback, the balancer before it, listeners that come and go.
    Demo(DemoFlags),
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
    /// End by itself after this time, such as 10s.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub length: Option<Duration>,
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
}
