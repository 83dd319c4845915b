//! The state directory: who may read it, what is whole, what is broken.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Folder, made, names};
use crate::acme::certificate::{Certificate, PairError};
use crate::acme::store::{Need, Paths, Store};

const DAY: Duration = Duration::from_secs(24 * 3600);
const HERE: &str = "https://acme.test/dir";

fn publish(store: &Store, name: &str) -> (String, String) {
    let (chain, key) = made(&[name], DAY, DAY * 89);
    store.draft(&key, HERE).unwrap().publish(&chain).unwrap();
    (chain, key)
}

fn need(store: &Store) -> Need {
    store.current(&names(&["a.test"]), HERE).unwrap_err()
}

/// All paths, sorted; a link is not followed.
fn everything_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(everything_in(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn nobody_else_may_read_anything() {
    let folder = Folder::new();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let store = Store::new(folder.path());
    store.keep_account(&"an account").unwrap();
    publish(&store, "a.test");
    assert_eq!(mode(folder.path()), 0o700);
    let all = everything_in(folder.path());
    assert_eq!(all.len(), 7, "{all:?}");
    for path in all {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

#[test]
fn a_certificate_is_found_again_for_its_names_and_its_server_only() {
    let folder = Folder::new();
    let store = Store::new(folder.path());
    assert!(matches!(need(&store), Need::Missing));
    publish(&store, "a.test");
    assert!(store.current(&names(&["a.test"]), HERE).is_ok());
    let other = store.current(&names(&["a.test", "b.test"]), HERE);
    assert!(matches!(other, Err(Need::OtherNames(had)) if had == names(&["a.test"])));
    let other = store.current(&names(&["a.test"]), "https://trial.test/dir");
    assert!(matches!(other, Err(Need::OtherServer)));
}

#[test]
fn what_is_broken_is_seen() {
    let folder = Folder::new();
    let store = Store::new(folder.path());
    let (chain, key) = publish(&store, "a.test");
    let paths = Paths::within(folder.path());
    let (_, stranger) = made(&["a.test"], DAY, DAY);
    fs::write(&paths.key, stranger).unwrap();
    assert!(matches!(need(&store), Need::Broken(PairError::Mismatch)));
    fs::write(&paths.key, "").unwrap();
    assert!(matches!(need(&store), Need::Broken(PairError::Key(_))));
    fs::write(&paths.key, &key).unwrap();
    let cut = &chain[..chain.len() / 2];
    let tail = format!("{chain}{cut}");
    for broken in ["", "nonsense", cut, &tail, &key] {
        fs::write(&paths.chain, broken).unwrap();
        let need = need(&store);
        let seen = matches!(need, Need::Broken(PairError::Chain));
        assert!(seen, "{need}: {broken}");
    }
    fs::remove_file(&paths.chain).unwrap();
    assert!(matches!(need(&store), Need::Missing));
    fs::create_dir(&paths.chain).unwrap();
    assert!(matches!(need(&store), Need::Unreadable(_)));
}

#[test]
fn a_draft_that_is_not_published_leaves_nothing() {
    let folder = Folder::new();
    let store = Store::new(folder.path());
    let (chain, key) = publish(&store, "a.test");
    let before = everything_in(folder.path());
    let draft = store.draft("a key", HERE).unwrap();
    assert_ne!(everything_in(folder.path()), before);
    drop(draft);
    assert_eq!(everything_in(folder.path()), before);
    let paths = Paths::within(folder.path());
    assert_eq!(fs::read_to_string(paths.chain).unwrap(), chain);
    assert_eq!(fs::read_to_string(paths.key).unwrap(), key);
}

#[test]
fn room_for_an_account_is_tried_and_given_back() {
    let folder = Folder::new();
    let store = Store::new(&folder.join("state"));
    store.try_room().unwrap();
    assert_eq!(everything_in(folder.path()), [folder.join("state")]);
    fs::create_dir(folder.join("state/room")).unwrap();
    let error = store.try_room().unwrap_err().to_string();
    let path = folder.join("state/room");
    assert_eq!(error, format!("cannot write {}", path.display()));
}

#[test]
fn what_a_crash_left_is_no_hindrance() {
    let folder = Folder::new();
    let store = Store::new(folder.path());
    publish(&store, "b.test");
    for name in [".current.new", ".account.json.new"] {
        fs::write(folder.join(name), "half").unwrap();
    }
    fs::create_dir(folder.join("certificates/2")).unwrap();
    fs::write(folder.join("certificates/2/key.pem"), "half").unwrap();
    publish(&store, "a.test");
    store.keep_account(&"an account").unwrap();
    assert!(store.current(&names(&["a.test"]), HERE).is_ok());
    let account = store.account().unwrap();
    assert_eq!(account.unwrap(), b"\"an account\"");
}

#[test]
fn a_publication_that_fails_leaves_the_old_one() {
    let folder = Folder::new();
    let store = Store::new(folder.path());
    // A copy without links, as some backups make them: a folder cannot be replaced by a link.
    let current = folder.join("current");
    fs::create_dir(&current).unwrap();
    fs::write(current.join("chain.pem"), "old").unwrap();
    let draft = store.draft("a key", HERE).unwrap();
    let error = draft.publish("a chain").unwrap_err().to_string();
    assert_eq!(error, format!("cannot write {}", current.display()));
    assert_eq!(fs::read(current.join("chain.pem")).unwrap(), b"old");
    assert!(!folder.join("certificates/1").exists());
}

#[test]
fn the_last_three_are_kept() {
    let folder = Folder::new();
    let store = Store::new(folder.path());
    for _ in 0..5 {
        publish(&store, "a.test");
    }
    let exists = |n: &u32| folder.join(&format!("certificates/{n}")).exists();
    let kept: Vec<u32> = (1..=6).filter(exists).collect();
    assert_eq!(kept, [3, 4, 5]);
    let link = fs::read_link(folder.join("current")).unwrap();
    assert_eq!(link, Path::new("certificates/5"));
}

#[test]
fn a_reader_never_sees_half_of_two() {
    let folder = Folder::new();
    let store = Store::new(folder.path());
    publish(&store, "a.test");
    let pairs: Vec<_> = (0..4).map(|_| made(&["a.test"], DAY, DAY)).collect();
    let done = AtomicBool::new(false);
    let paths = Paths::within(folder.path());
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                // Three certificates may come in between; then the folder is gone as a whole.
                let Ok(paths) = paths.settled() else {
                    continue;
                };
                if let (Ok(chain), Ok(key)) = (fs::read(paths.chain), fs::read(paths.key)) {
                    Certificate::parse(&chain, &key).unwrap();
                    seen += 1;
                }
            }
            seen
        });
        for (chain, key) in pairs.iter().cycle().take(200) {
            store.draft(key, HERE).unwrap().publish(chain).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 10);
    });
}
