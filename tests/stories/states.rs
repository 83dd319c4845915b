//! States: what an operator set of relays outlives the process.

use std::fs;

use crate::harness::{ConfigText, Fleet, Folder, Guarded};

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
