//! The program: reads the command line and the configuration, sets up the log, hands over to the app.

use std::process::ExitCode;

use clap::Parser;
use icecast_balancer::app::{self, Operator, Signals, Stop};
use icecast_balancer::cli::{Cli, Command, EXIT_USAGE};
use icecast_balancer::config::{self, Loaded, Sources};
use icecast_balancer::fleet::AdminState;
use icecast_balancer::terminal::{print_error, print_line};
use icecast_balancer::{control, documents, logging, service, tryout};

fn main() -> ExitCode {
    let _log = logging::FlushAtEnd;
    icecast_balancer::tls::install_provider();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return explain(&answer),
    };
    let sources = Sources::of_process(cli.source.config);
    match cli.command.unwrap_or(Command::Run) {
        Command::Run => run(sources),
        Command::Check => check(&sources),
        Command::Status(flags) => control::status(&flags, &sources),
        Command::Drain(flags) => control::order(AdminState::Drain, &flags, &sources),
        Command::Ready(flags) => control::order(AdminState::Ready, &flags, &sources),
        Command::Maint(flags) => control::order(AdminState::Maint, &flags, &sources),
        Command::Healthcheck(flags) => control::healthcheck(&flags, &sources),
        Command::Upgrade(flags) => control::upgrade(&flags, &sources),
        Command::Demo(flags) => tryout::run(&flags),
        Command::Foster { words } => service::foster::run(&words),
        Command::Documents { folder } => documents::write(&folder),
    }
}

/// Prints clap's answer; `--help` and `--version` are answers too, and no mistake.
fn explain(answer: &clap::Error) -> ExitCode {
    // A closed terminal is nothing to report to itself.
    let _ = answer.print();
    if answer.use_stderr() {
        ExitCode::from(EXIT_USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

fn run(sources: Sources) -> ExitCode {
    // Before anything that takes time: whoever started us may tell us something by now.
    let signals = match Signals::remember() {
        Ok(signals) => signals,
        Err(error) => {
            logging::report(format_args!("cannot listen for signals: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let Loaded {
        config, notices, ..
    } = match config::load(&sources) {
        Ok(loaded) => loaded,
        Err(problems) => {
            // Not printed: a supervisor is to see the end of the process, even if it does not read.
            logging::report(problems);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    logging::at(config.log.level);
    for notice in notices {
        log::warn!("{notice}");
    }
    let operator = Operator { sources, signals };
    match app::serve(config, Some(operator), Stop::Signal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check(sources: &Sources) -> ExitCode {
    match config::load(sources) {
        Ok(Loaded {
            config, notices, ..
        }) => {
            for notice in notices {
                print_line(format_args!("note: {notice}"));
            }
            let names: Vec<&str> = config
                .relays
                .iter()
                .map(|r| r.relay.name.as_str())
                .collect();
            print_line(format_args!(
                "configuration ok; relays: {}",
                names.join(", ")
            ));
            ExitCode::SUCCESS
        }
        Err(problems) => {
            print_error(problems);
            ExitCode::from(EXIT_USAGE)
        }
    }
}
