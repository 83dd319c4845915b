//! Commands: what the binary tells an operator who starts it wrongly, or asks it first.

use crate::harness::{Balancer, ConfigText, Ended, Fleet, Folder};

/// Four mistakes, each named by its key or its word in [`FOUR_NAMES`].
const FOUR_MISTAKES: &str = "
speling = true
[poll]
interval = \"5 parsecs\"
[[relay]]
url = \"http://127.0.0.1:8000\"
weight = 0
[[relay]]
url = \"gopher://127.0.0.1\"
";

const FOUR_NAMES: [&str; 4] = ["speling", "interval", "weight", "gopher"];

#[test]
fn without_a_relay_it_says_so_in_one_line_and_ends() {
    let ended = Ended::of(&["run"]);

    assert_eq!(ended.code, Some(64));
    let said = ended.said();
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains("relay"), "{said}");
}

#[test]
fn a_broken_configuration_is_refused_with_every_mistake_named() {
    for subcommand in ["run", "check"] {
        let ended = Ended::of_config(subcommand, FOUR_MISTAKES);

        assert_eq!(ended.code, Some(64), "{subcommand}");
        for name in FOUR_NAMES {
            assert!(
                ended.said().contains(name),
                "{subcommand} names {name}: {}",
                ended.said()
            );
        }
    }
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_refused() {
    let no_toml = Ended::of_config("check", "[[relay]\nurl = ");
    assert_eq!(no_toml.code, Some(64));
    assert!(
        no_toml.said().contains("balancer.toml"),
        "{}",
        no_toml.said()
    );

    let nowhere = Ended::of(&["check", "--config", "/nowhere/balancer.toml"]);
    assert_eq!(nowhere.code, Some(64));
    assert!(
        nowhere.said().contains("/nowhere/balancer.toml"),
        "{}",
        nowhere.said()
    );
}

#[test]
fn a_good_configuration_passes_the_check() {
    let address = "127.0.0.1:8000".parse().unwrap();
    let config = ConfigText::of_none().and_relay_at(address);

    let ended = Ended::of_config("check", &config.to_string());

    assert_eq!(ended.code, Some(0), "{}", ended.said());
}

#[test]
fn help_and_mistaken_flags_are_told_apart() {
    let help = Ended::of(&["--help"]);
    assert_eq!(help.code, Some(0));
    for word in ["run", "check", "--config"] {
        assert!(help.output.contains(word), "{word} in {}", help.output);
    }
    let mistaken = Ended::of(&["--nonsense"]);
    assert_eq!(mistaken.code, Some(64));
    assert!(
        mistaken.errors.contains("--nonsense"),
        "{}",
        mistaken.errors
    );
}

#[test]
fn an_address_that_is_taken_is_named_and_ends_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let bind = format!("[[bind]]\naddress = \"{address}\"\n[admin]\nbind = \"\"");
    let config = ConfigText::of_none().and_relay_at("127.0.0.1:8000".parse().unwrap());

    let ended = Ended::of_config("run", &config.with_section(&bind).to_string());

    assert_eq!(ended.code, Some(1));
    assert!(
        ended.said().contains(&address.to_string()),
        "{}",
        ended.said()
    );
}

#[test]
fn a_configuration_file_and_the_environment_serve_alike() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let by_environment = Balancer::in_front_of(&fleet);
    let by_file = Balancer::with_config(&ConfigText::of(&fleet));

    for balancer in [by_environment, by_file] {
        let redirect = balancer.tune_in("/live.mp3");
        assert_eq!((redirect.status, fleet.chosen_by(&redirect)), (307, 1));
    }
}

#[test]
fn a_unix_socket_takes_the_place_of_nothing_that_is_in_use() {
    let folder = std::env::temp_dir().join(format!("icecast-balancer-unix-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, live) = (folder.join("notes.txt"), folder.join("live.sock"));
    std::fs::write(&file, "keep me").unwrap();
    let _somebody = std::os::unix::net::UnixListener::bind(&live).unwrap();
    let config = ConfigText::of_none().and_relay_at("127.0.0.1:8000".parse().unwrap());

    for path in [&file, &live, &folder.join("nowhere/x.sock")] {
        let path = path.to_str().unwrap();
        let bind = format!("[[bind]]\naddress = \"unix:{path}\"\n[admin]\nbind = \"\"");
        let ended = Ended::of_config("run", &config.clone().with_section(&bind).to_string());
        assert_eq!(ended.code, Some(1), "{}", ended.said());
        assert!(ended.said().contains(path), "{}", ended.said());
    }

    assert_eq!(std::fs::read_to_string(&file).unwrap(), "keep me");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_documents_tell_of_every_command_that_is_shown() {
    let folder = Folder::new("documents");
    let ended = Ended::of(&["documents", folder.path().to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let help = Ended::of(&["--help"]).output;
    let shown = help.split("Commands:").nth(1).unwrap();
    let shown = shown.split("Options:").next().unwrap();
    // A command stands two spaces in, the rest of what it does further.
    let named = shown.lines().filter_map(|line| line.strip_prefix("  "));
    let named = named.filter(|line| !line.starts_with(' '));
    let commands: Vec<&str> = named.filter_map(|line| line.split(' ').next()).collect();
    assert!(commands.contains(&"healthcheck"), "{commands:?}");
    let completions = folder.read("bash/icecast-balancer");
    for command in commands.into_iter().filter(|name| *name != "help") {
        let page = folder.read(&format!("man1/icecast-balancer-{command}.1"));
        assert!(page.contains(command), "{command}");
        assert!(completions.contains(command), "{command}");
    }
    assert!(!completions.contains("documents"), "that is for packages");
}
