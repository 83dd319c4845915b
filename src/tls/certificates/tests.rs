//! What becomes of pairs whose files change.

use super::super::pair::tests::{Folder, put_key};
use super::*;

fn names(certificates: &Certificates) -> Vec<Vec<String>> {
    certificates
        .known()
        .into_iter()
        .map(|known| known.names)
        .collect()
}

#[test]
fn a_changed_pair_is_served_and_a_bad_one_is_not() {
    let folder = Folder::new("refresh");
    let kind = &rcgen::PKCS_ECDSA_P256_SHA256;
    let files = folder.pair("a", &["old.example"], kind);
    let certificates = Certificates::load(vec![files.clone()], None).unwrap();
    certificates.refresh();
    assert_eq!(certificates.reloads(), Reloads { good: 0, bad: 0 });

    folder.pair("a", &["new.example"], kind);
    certificates.refresh();
    assert_eq!(names(&certificates), [["new.example"]]);
    assert_eq!(certificates.reloads(), Reloads { good: 1, bad: 0 });

    put_key(&files.key, "no key");
    certificates.refresh();
    assert_eq!(certificates.reloads().bad, 0, "half of a change, perhaps");
    certificates.refresh();
    certificates.refresh();
    assert_eq!(names(&certificates), [["new.example"]]);
    assert_eq!(certificates.reloads(), Reloads { good: 1, bad: 1 });
}

#[test]
fn a_key_is_looked_at_again_when_only_its_mode_changed() {
    let folder = Folder::new("mode");
    let kind = &rcgen::PKCS_ECDSA_P256_SHA256;
    let files = folder.pair("a", &["old.example"], kind);
    let certificates = Certificates::load(vec![files.clone()], None).unwrap();
    folder.pair("a", &["new.example"], kind);
    let chmod = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&files.key, mode).unwrap();
    };
    chmod(0o644);
    certificates.refresh();
    certificates.refresh();
    assert_eq!(certificates.reloads(), Reloads { good: 0, bad: 1 });
    chmod(0o600);
    certificates.refresh();
    assert_eq!(names(&certificates), [["new.example"]]);
}

#[test]
fn a_pair_that_has_ended_does_not_take_the_place_of_one_that_has_not() {
    let folder = Folder::new("ended");
    let kind = &rcgen::PKCS_ECDSA_P256_SHA256;
    let files = folder.pair("a", &["old.example"], kind);
    let certificates = Certificates::load(vec![files.clone()], None).unwrap();
    folder.pair_that_ends("a", &["ended.example"], kind, 2001);
    certificates.refresh();
    certificates.refresh();
    assert_eq!(names(&certificates), [["old.example"]]);
    assert_eq!(certificates.reloads(), Reloads { good: 0, bad: 1 });
    certificates.exchange(vec![files.clone()], None).unwrap();
    assert_eq!(names(&certificates), [["old.example"]], "at a reload, too");
    assert_eq!(certificates.shelf.load().find(None).len(), 1);
    let at_start = Certificates::load(vec![files], None).unwrap();
    assert_eq!(names(&at_start), [["ended.example"]], "the best there is");
}

#[test]
fn what_is_ordered_is_served_on_when_its_files_are_damaged_at_a_reload() {
    let folder = Folder::new("reload");
    let files = folder.pair("a", &["a.example"], &rcgen::PKCS_ECDSA_P256_SHA256);
    let certificates = Certificates::load(Vec::new(), Some(files.clone())).unwrap();
    std::fs::remove_file(&files.key).unwrap();
    certificates.exchange(Vec::new(), Some(files)).unwrap();
    assert_eq!(names(&certificates), [["a.example"]]);
    assert_eq!(certificates.shelf.load().find(None).len(), 1);
}

#[test]
fn a_pair_that_is_not_there_is_waited_for() {
    let folder = Folder::new("absent");
    let certificates = Certificates::load(Vec::new(), Some(folder.files("a"))).unwrap();
    assert!(certificates.shelf.load().find(None).is_empty());
    folder.pair("a", &["late.example"], &rcgen::PKCS_ECDSA_P256_SHA256);
    certificates.refresh();
    assert_eq!(certificates.shelf.load().find(None).len(), 1);
}
