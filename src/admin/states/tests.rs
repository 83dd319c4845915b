use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::fleet::RelayId;
use crate::fleet::tests::{relays, rules};

struct Folder(PathBuf);

impl Folder {
    fn new(purpose: &str) -> Self {
        let name = format!("icecast-balancer-states-{purpose}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn states(&self) -> States {
        States::kept_in(Some(self.0.join("relays.json")))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fleet(names: &[&str]) -> SharedFleet {
    SharedFleet::new(Fleet::new(relays(names), rules()))
}

fn words(fleet: &SharedFleet) -> Vec<&'static str> {
    let fleet = fleet.lock();
    let words = fleet.iter().map(|(_, _, standing, _)| standing.admin_state);
    words.map(AdminState::as_str).collect()
}

#[test]
fn what_was_set_is_set_again_for_the_relays_that_are_still_there() {
    let folder = Folder::new("restore");
    let before = fleet(&["a", "b", "c"]);
    for (id, state) in [(0, AdminState::Drain), (1, AdminState::Maint)] {
        before.lock().set_admin_state(RelayId(id), state);
    }
    folder.states().keep(&before).unwrap();

    let after = fleet(&["c", "b"]);
    let states = folder.states();
    states.restore(&mut after.lock());
    assert_eq!(words(&after), ["ready", "maint"]);

    states.keep(&after).unwrap();
    let text = fs::read_to_string(folder.0.join("relays.json")).unwrap();
    assert!(
        text.contains("\"b\": \"maint\"") && !text.contains("\"a\""),
        "{text}"
    );
    let mode = fs::metadata(folder.0.join("relays.json"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_makes_no_sense_changes_nothing_and_is_replaced() {
    let folder = Folder::new("broken");
    let file = folder.0.join("relays.json");
    let fleet = fleet(&["a"]);
    for text in [
        "",
        "{",
        "[]",
        "{\"relays\":{\"a\":7}}",
        "{\"relays\":{\"a\":\"leaving\",\"b\":\"drain\"}}",
    ] {
        fs::write(&file, text).unwrap();
        folder.states().restore(&mut fleet.lock());
        assert_eq!(words(&fleet), ["ready"], "{text}");
    }
    fs::write(&file, vec![b' '; 2 * 1024 * 1024]).unwrap();
    folder.states().restore(&mut fleet.lock());
    folder.states().keep(&fleet).unwrap();
    assert!(load(&file).unwrap().relays.is_empty());
}

#[test]
fn without_a_file_nothing_is_kept() {
    let fleet = fleet(&["a"]);
    fleet.lock().set_admin_state(RelayId(0), AdminState::Drain);
    let states = States::default();
    states.keep(&fleet).unwrap();
    states.restore(&mut fleet.lock());
    assert_eq!(words(&fleet), ["drain"]);
}

#[test]
fn states_that_cannot_be_stored_are_an_error_until_they_can() {
    let folder = Folder::new("unwritable");
    let fleet = fleet(&["a"]);
    fleet.lock().set_admin_state(RelayId(0), AdminState::Drain);
    let file = folder.0.join("relays.json");
    // A folder cannot be replaced by a file.
    fs::create_dir(&file).unwrap();
    let states = folder.states();
    for _ in 0..2 {
        let error = states.keep(&fleet).unwrap_err().to_string();
        let expected = format!("cannot write {}: ", file.display());
        assert!(error.starts_with(&expected), "{error}");
    }
    states.catch_up(&fleet);
    assert!(states.is_behind());
    fs::remove_dir(&file).unwrap();
    states.catch_up(&fleet);
    assert!(!states.is_behind());
    assert_eq!(load(&file).unwrap().relays.len(), 1);
    states.keep(&fleet).unwrap();
}
