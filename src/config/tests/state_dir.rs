//! `[tls.acme] state_dir`: a directory that is there must be a place for keys, and is left as it is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::disk::Folder;

#[test]
fn directory_that_others_can_write_to_is_refused_before_anything_is_done_to_it() {
    let folder = Folder::new();
    let toml = "[[relay]]\nurl = \"http://a\"\n[tls.acme]\ndomains = [\"a.example\"]\nstate_dir = \"state\"";
    let file = folder.write("x.toml", toml, 0o644);
    assert!(folder.problems_of(&file).is_empty(), "it is not there yet");
    let state = file.with_file_name("state");
    assert!(!state.exists(), "and is not made for a check");
    fs::create_dir(&state).unwrap();
    for mode in [0o1777, 0o777, 0o770] {
        fs::set_permissions(&state, Permissions::from_mode(mode)).unwrap();
        let told = format!(
            "x.toml:5: tls.acme.state_dir: state: expected a directory that only its owner can write to, found mode {mode:04o} \
             (name a directory in it that is not there yet; or chmod go-w, if nothing else uses it)"
        );
        assert_eq!(folder.problems_of(&file), [told]);
        let found = fs::metadata(&state).unwrap().permissions().mode();
        assert_eq!(found & 0o7777, mode);
    }
    for mode in [0o755, 0o700] {
        fs::set_permissions(&state, Permissions::from_mode(mode)).unwrap();
        assert!(folder.problems_of(&file).is_empty(), "{mode:o}");
    }
    fs::remove_dir(&state).unwrap();
    folder.write("state", "", 0o600);
    assert_eq!(
        folder.problems_of(&file),
        ["x.toml:5: tls.acme.state_dir: state: expected a directory, found something else"]
    );
}

#[test]
fn directory_is_not_looked_at_without_domains() {
    let folder = Folder::new();
    let toml = "[[relay]]\nurl = \"http://a\"\n[tls.acme]\nstate_dir = \"/tmp\"";
    let file = folder.write("x.toml", toml, 0o644);
    assert!(folder.problems_of(&file).is_empty());
}
