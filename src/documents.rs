//! Documents: man pages and completions, written by the program itself, so that they say what its command line says.
//!
//! In: a folder. Out: `man1/*.1` and the completions of three shells in it, named as Debian's shells look for them. Used by those
//! who package the program.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::terminal::print_error;

/// What completions are made for, and the folder that each shell's go to.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash"),
    (Shell::Zsh, "zsh"),
    (Shell::Fish, "fish"),
];

/// Writes all documents below a folder.
pub fn write(folder: &Path) -> ExitCode {
    match man_pages(&folder.join("man1")).and_then(|()| completions(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let folder = folder.display();
            print_error(format_args!("cannot write below {folder}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The command line without what is for packagers only, and without the commit, which pages would show.
fn command() -> Command {
    // `hide` is enough for the help, but the completion of bash offers what is hidden.
    let whole = Cli::command();
    let shown = whole.get_subcommands().filter(|own| !own.is_hide_set());
    Command::new(env!("CARGO_PKG_NAME"))
        .version(env!("CARGO_PKG_VERSION"))
        .about(whole.get_about().cloned().unwrap_or_default())
        .long_about(whole.get_long_about().cloned().unwrap_or_default())
        .after_help(whole.get_after_help().cloned().unwrap_or_default())
        .args(whole.get_arguments().cloned())
        .subcommands(shown.cloned())
        .disable_help_subcommand(true)
}

fn man_pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command(), folder)
}

fn completions(folder: &Path) -> io::Result<()> {
    let mut command = command();
    let name = command.get_name().to_owned();
    for (shell, place) in SHELLS {
        let place = folder.join(place);
        fs::create_dir_all(&place)?;
        let written = clap_complete::generate_to(shell, &mut command, &name, &place)?;
        if shell == Shell::Bash {
            // bash-completion looks for the bare name.
            fs::rename(written, place.join(&name))?;
        }
    }
    Ok(())
}
