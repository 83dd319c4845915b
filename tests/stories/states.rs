//! States: what an operator set of relays outlives the process.

use std::fs;
use std::net::TcpListener;

use crate::harness::{ConfigText, Fleet, Folder, Guarded, eventually, own_listener, seconds};

const MOUNT: &str = "/live.mp3";

fn remembering(fleet: &Fleet, relays: &[usize], folder: &Folder) -> ConfigText {
    let file = folder.path().join("relays.json");
    let key = format!("state_file = \"{}\"", file.display());
    ConfigText::of_some(fleet, relays).with_admin(&key)
}

#[test]
fn a_drained_relay_stays_drained_when_the_balancer_is_killed_and_started_again() {
    let (fleet, folder) = (Fleet::of(2).carrying(MOUNT), Folder::new("states"));
    let start = || Guarded::with_config(remembering(&fleet, &[1, 2], &folder));
    let guarded = start();
    guarded.order("drain", fleet.relay(1));
    drop(guarded);

    let guarded = start();
    let status = guarded.balancer.admin_status();
    assert_eq!(status.of(fleet.relay(1)).admin_state(), "drain");
    let shares = fleet.shares(&guarded.balancer.tune_in_times(6, MOUNT));
    assert_eq!(shares, [0, 6]);
    guarded.order("ready", fleet.relay(1));
    guarded.order("maint", fleet.relay(2));
    drop(guarded);

    let status = start().balancer.admin_status();
    assert_eq!(status.of(fleet.relay(1)).admin_state(), "ready");
    assert_eq!(status.of(fleet.relay(2)).admin_state(), "maint");
}

#[test]
fn a_state_goes_with_its_relay_and_a_broken_file_is_told_and_ignored() {
    let (fleet, folder) = (Fleet::of(2).carrying(MOUNT), Folder::new("states"));
    let both = remembering(&fleet, &[1, 2], &folder);
    let guarded = Guarded::with_config(both.clone());
    guarded.order("drain", fleet.relay(1));
    assert!(folder.read("relays.json").contains(&fleet.relay(1).name()));
    guarded.balancer.reload(&both);
    let drained = guarded.balancer.admin_status().of(fleet.relay(1));
    assert_eq!(drained.admin_state(), "drain", "a reload changes no state");

    guarded.balancer.reload(&remembering(&fleet, &[2], &folder));
    assert!(!folder.read("relays.json").contains(&fleet.relay(1).name()));
    drop(guarded);

    fs::write(folder.path().join("relays.json"), "{\"relays\": 7}").unwrap();
    let guarded = Guarded::with_config(both);
    assert_eq!(
        guarded
            .balancer
            .count("every relay is ready, whatever was set before"),
        1
    );
    assert_eq!(
        fleet.shares(&guarded.balancer.tune_in_times(6, MOUNT)),
        [3, 3]
    );
}

#[test]
fn an_order_that_cannot_be_stored_is_in_force_and_its_command_says_what_to_do() {
    let (fleet, folder) = (Fleet::of(1).carrying(MOUNT), Folder::new("states"));
    let guarded = Guarded::with_config(remembering(&fleet, &[1], &folder));
    let file = folder.path().join("relays.json");
    // Modes forbid root nothing, but in the way of the next version stands a folder.
    let in_the_way = folder.path().join(".relays.json.new");
    fs::create_dir(&in_the_way).unwrap();
    let name = fleet.relay(1).name();

    let ended = guarded.command(&["drain", &name]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.output.is_empty(), "{ended:?}");
    for words in [
        &format!("{name}: drain ("),
        "in force",
        "but not stored",
        &format!("cannot write {}", file.display()),
        "give the same order again",
    ] {
        assert!(ended.errors.contains(words), "{words} in {ended:?}");
    }
    assert_eq!(ended.errors.trim_end().lines().count(), 1, "{ended:?}");
    let state = || guarded.balancer.admin_status().of(fleet.relay(1));
    assert_eq!(state().admin_state(), "drain");

    fs::remove_dir(&in_the_way).unwrap();
    let ended = guarded.command(&["drain", &name]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(folder.read("relays.json").contains(&name));

    fs::create_dir(&in_the_way).unwrap();
    let ended = guarded.command(&["maint", &name]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    fs::remove_dir(&in_the_way).unwrap();
    eventually(seconds(60), "it is stored by itself", || {
        folder.read("relays.json").contains("maint")
    });
}

/// One who lets connections in and says nothing: the first round of polls takes as long as it may.
fn silent() -> TcpListener {
    own_listener()
}

#[test]
fn what_is_ordered_and_written_while_a_new_process_starts_is_not_lost() {
    let (fleet, folder, silent) = (
        Fleet::of(2).carrying(MOUNT),
        Folder::new("states"),
        silent(),
    );
    let config = remembering(&fleet, &[1, 2], &folder)
        .and_relay_at(silent.local_addr().unwrap())
        .polled("interval = \"3s\"\ntimeout = \"3s\"");
    let guarded = Guarded::with_config(config.clone());
    let balancer = &guarded.balancer;
    guarded.order("drain", fleet.relay(2));
    let old = balancer.process().id();

    balancer.process().signal("USR2");
    eventually(seconds(5), "the new one is on its way", || {
        balancer.count("taking over") == 0 && balancer.count("admin on http") == 2
    });
    guarded.order("drain", fleet.relay(1));
    guarded.order("ready", fleet.relay(2));
    let key = format!("token_file = \"{}\"", guarded.token.path());
    balancer.reload(&config.with_admin(&key).with("mode = \"proxy\""));
    eventually(seconds(10), "it answers", || {
        balancer.ask_as_operator("/status").json()["pid"] != old
    });

    let state = |relay| {
        let status = balancer.admin_status();
        status.of(fleet.relay(relay)).admin_state()
    };
    assert_eq!([state(1), state(2)], ["drain", "ready"]);
    eventually(seconds(3), "what was written is in force", || {
        balancer.tune_in(MOUNT).status == 200
    });
    assert_eq!([state(1), state(2)], ["drain", "ready"]);
}

#[test]
fn who_has_handed_over_keeps_no_states() {
    let (fleet, folder) = (Fleet::of(2).carrying(MOUNT), Folder::new("states"));
    let config = remembering(&fleet, &[1, 2], &folder).with("mode = \"proxy\"");
    let guarded = Guarded::with_config(config);
    let balancer = &guarded.balancer;
    let _stays = balancer.radio(MOUNT);
    let old = balancer.process().id();
    balancer.process().signal("USR2");
    eventually(seconds(10), "the new one answers", || {
        balancer.ask_as_operator("/status").json()["pid"] != old
    });
    guarded.order("drain", fleet.relay(1));

    let before = balancer.count("the configuration is in force");
    balancer.hang_up();
    eventually(seconds(5), "the old one has read", || {
        balancer.count("the configuration is in force") > before
    });
    assert!(folder.read("relays.json").contains(&fleet.relay(1).name()));
}
