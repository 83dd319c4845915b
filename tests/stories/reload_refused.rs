//! Refused: fifty files that are none, for a balancer that goes on with the one it has.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::harness::{Balancer, ConfigText, Ended, Fleet, Folder, go_on_unbroken, settled};

const MOUNT: &str = "/live.mp3";

/// A relay like every other; what is wrong stands before it.
const RELAY: &str = "[[relay]]\nurl = \"http://10.0.0.1:8000\"\n";

/// One line each, or more where the mistake needs it; each is wrong once.
const MISTAKES: [&str; 39] = [
    "mode = redirect",
    "mode = \"shared\"",
    "mode = \"redirect",
    "mode \"redirect\"",
    "mod = \"redirect\"",
    "mode = 1",
    "mode = \"proxy\"\nmode = \"proxy\"",
    "threads = 0",
    "threads = 1.5",
    "public_url = \"radio.example.com\"",
    "public_url = \"ftp://radio.example.com\"",
    "trusted_proxies = [\"10.0.0.0/33\"]",
    "trusted_proxies = \"all\"",
    "[poll]\ninterval = 5",
    "[poll]\ninterval = \"5\"",
    "[poll]\ninterval = \"0s\"",
    "[poll]\ninterval = \"1s\"\ntimeout = \"2s\"",
    "[poll]\nfall = 0",
    "[poll\nfall = 1",
    "[polls]\nfall = 1",
    "[poll]\n[poll]",
    "[select]\npolicy = \"best\"",
    "[redirect]\nstatus = 301",
    "[limits]\nconnections = 0",
    "[admin]\ntoken_file = \"/no/such/token\"",
    "[admin]\nstate_file = \"/no/such/folder/relays.json\"",
    "[admin]\nbind = \"everywhere\"",
    "[reload]\nwatch = \"maybe\"",
    "[upstream]\nca_file = \"/no/such/ca.pem\"",
    "[[tls.certificate]]\ncert = \"/no/such/cert.pem\"\nkey = \"/no/such/key.pem\"",
    "[[tls.certificate]]\ncert = \"/etc/hostname\"\nkey = \"/etc/hostname\"",
    "[[bind]]\naddress = \"127.0.0.1:70000\"",
    "[[bind]]\naddress = \"127.0.0.1:8088\"\ntls = true",
    "[[relay]]\nurl = \"http://10.0.0.1:8000\"",
    "[[relay]]\nurl = \"http://10.0.0.2:8000/live\"",
    "[[relay]]\nurl = \"http://10.0.0.2:8000\"\nweight = 0",
    "[[relay]]\nname = \"relay2\"",
    "[[mount]]\npath = \"live.mp3\"",
    "[[rule]]\nuser_agent = \"(\"\nmode = \"proxy\"",
];

/// The files that are no texts of ours at all.
fn others() -> Vec<(Vec<u8>, &'static str)> {
    let whole = RELAY.as_bytes();
    vec![
        (Vec::new(), "found an empty file"),
        (b" \n\n\t ".to_vec(), "found an empty file"),
        (b"# nothing but words\n".to_vec(), "relay"),
        ([whole, b"# \xff\xfe\n"].concat(), "expected UTF-8 text"),
        (b"\0\0\0\0".to_vec(), ""),
        (vec![0xff; 4096], "expected UTF-8 text"),
        ([whole, &b"#".repeat(10 << 20)].concat(), "at most 1 MiB"),
        (vec![b'['; 100_000], ""),
        (b"\x7fELF\x02\x01\x01".to_vec(), ""),
        (b"{\"relays\": [\"a\"]}".to_vec(), ""),
    ]
}

#[test]
fn fifty_broken_files_change_nothing_and_say_why() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let rule = "[[rule]]\nuser_agent = \"^Carried\"\nmode = \"proxy\"";
    let good = ConfigText::of(&fleet).with_section(rule);
    let balancer = Balancer::with_config(&good);
    let listener = crate::harness::TuneIn::to(MOUNT).with(("User-Agent", "Carried/1"));
    let radios = [balancer.radio_that(&listener)];
    settled(&radios);
    let mistakes = MISTAKES.iter().map(|lines| {
        let text = format!("{lines}\n{RELAY}");
        (text.into_bytes(), "balancer.toml:")
    });
    let files: Vec<_> = mistakes.chain(others()).collect();
    assert_eq!(files.len() + 1, 50, "and one that cannot be read");

    for (bytes, words) in files {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        fs::write(balancer.config_file(), &bytes).unwrap();
        assert_refused(&balancer, words, &shown);
    }
    fs::remove_file(balancer.config_file()).unwrap();
    assert_refused(&balancer, "balancer.toml", "no file");

    assert_eq!(balancer.count("the configuration is in force"), 0);
    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
    balancer.reload(&good);
    assert_eq!(balancer.refused(), None);
    assert_eq!(balancer.metric("config_last_reload_success"), 1.0);
}

/// It goes on as before, and says why wherever somebody may look; `check` says the same.
#[track_caller]
fn assert_refused(balancer: &Balancer, words: &str, shown: &str) {
    let file = balancer.config_file();
    let checked = Ended::of(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(checked.code, Some(64), "{shown}: {}", checked.said());

    balancer.reload_in_vain();

    let why = balancer.refused().expect(shown);
    assert!(
        why.contains(words) && why.contains("balancer.toml"),
        "{shown}: {why}"
    );
    let first = why.lines().next().unwrap();
    assert!(balancer.count(first) > 0, "{shown}: the log lacks {first}");
    assert!(
        checked.said().contains(first),
        "{shown}: {}",
        checked.said()
    );
    assert_eq!(
        balancer.metric("config_last_reload_success"),
        0.0,
        "{shown}"
    );
    assert_eq!(balancer.tune_in(MOUNT).status, 307, "{shown}");
}

#[test]
fn a_key_file_that_everybody_can_read_is_refused_as_a_part_of_the_whole() {
    let (fleet, folder) = (Fleet::of(1).carrying(MOUNT), Folder::new("secret"));
    let token = folder.write("token", "a-token-of-twenty-chars-and-more");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let key = format!("token_file = \"{}\"", token.display());
    let config = ConfigText::of(&fleet);
    let balancer = Balancer::with_config(&config.clone().with_admin(&key));
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();

    balancer.rewrite(&config.with("mode = \"proxy\""));
    balancer.reload_in_vain();

    let why = balancer.refused().unwrap();
    assert!(why.contains("admin.token_file"), "{why}");
    assert_eq!(
        balancer.tune_in(MOUNT).status,
        307,
        "the mode has not changed either"
    );
}
