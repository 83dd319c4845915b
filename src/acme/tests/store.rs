//! The state directory: who may read it, what is whole, what is broken.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Folder, made, names};
use crate::acme::certificate::{Certificate, PairError};
use crate::acme::files::ReservedFile;
use crate::acme::store::{Need, Paths, Store};
use crate::acme::{FolderFault, judge_folder};

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
fn directory_that_is_made_and_all_that_is_in_it_are_closed_to_others() {
    let folder = Folder::new();
    let state = folder.join("new/state");
    let store = Store::new(&state);
    store.keep_account(&"an account").unwrap();
    publish(&store, "a.test");
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&folder.join("new")), 0o700);
    assert_closed(&state);
}

#[track_caller]
fn assert_closed(state: &Path) {
    let all = everything_in(state);
    assert_eq!(all.len(), 7, "{all:?}");
    for path in all {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

#[test]
fn directory_that_is_there_keeps_its_mode() {
    for own in [0o755, 0o750, 0o700, 0o711] {
        let folder = Folder::new();
        fs::set_permissions(folder.path(), Permissions::from_mode(own)).unwrap();
        let store = Store::new(folder.path());
        store.keep_account(&"an account").unwrap();
        publish(&store, "a.test");
        assert_eq!(mode(folder.path()), own);
        assert_closed(folder.path());
    }
}

#[test]
fn directory_that_others_can_write_to_is_refused_and_left_as_it_is() {
    for open in [0o777, 0o1777, 0o775, 0o720, 0o702] {
        let folder = Folder::new();
        fs::set_permissions(folder.path(), Permissions::from_mode(open)).unwrap();
        let store = Store::new(folder.path());
        let key = "a key";
        for error in [
            store.keep_account(&"an account").unwrap_err(),
            store.try_room().unwrap_err(),
            store.claim().unwrap_err(),
            store.draft(key, HERE).unwrap_err(),
        ] {
            let told = format!(
                "cannot use {}: expected a directory that only its owner can write to, found mode {open:04o} (name a directory in it",
                folder.path().display()
            );
            let error = error.to_string();
            assert!(error.starts_with(&told), "{error}");
        }
        let judged = judge_folder(folder.path()).unwrap_err();
        assert!(matches!(judged, FolderFault::OthersWrite(found) if found == open));
        let found = fs::metadata(folder.path()).unwrap().permissions().mode();
        assert_eq!(found & 0o7777, open);
        assert!(everything_in(folder.path()).is_empty());
        // One of its own inside it is as good as any.
        let inside = folder.join("state");
        publish(&Store::new(&inside), "a.test");
        assert_eq!(mode(&inside), 0o700);
    }
}

#[test]
fn directory_of_another_user_and_something_else_are_refused() {
    let folder = Folder::new();
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    let judged = judge_folder(&file).unwrap_err();
    assert!(matches!(judged, FolderFault::NotFolder), "{judged}");
    judge_folder(&folder.join("not-there")).unwrap();
    judge_folder(&file.join("below-a-file")).unwrap_err();

    let other = 65_533;
    if chown(folder.path(), Some(other), None).is_err() {
        let skipped = b"SKIPPED: directory_of_another_user: only root may give it away\n";
        let _ = std::io::stderr().write_all(skipped);
        return;
    }
    let error = Store::new(folder.path()).claim().unwrap_err().to_string();
    assert!(error.contains("found one of user 65533 (chown"), "{error}");
    // Root checks for a service that is another user.
    judge_folder(folder.path()).unwrap();
    assert_eq!(mode(folder.path()), 0o755);
}

#[test]
fn files_that_a_backup_left_open_are_closed_and_nothing_else_is_touched() {
    let folder = Folder::new();
    let store = Store::new(folder.path());
    store.keep_account(&"an account").unwrap();
    publish(&store, "a.test");
    let open = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    let own = [
        "account.json",
        "certificates/1/key.pem",
        "certificates/1/order.json",
    ];
    for name in own {
        open(&folder.join(name));
    }
    let strange = folder.join("notes.txt");
    fs::write(&strange, "").unwrap();
    open(&strange);
    // A link where a file should be leads nowhere else.
    symlink(&strange, folder.join("lock")).unwrap();

    store.shut_files();

    for name in own {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&strange), 0o644);
}

#[test]
fn reserved_file_is_filled_in_its_room_or_leaves_nothing() {
    let folder = Folder::new();
    fs::write(folder.join("a"), "old").unwrap();
    drop(ReservedFile::new(folder.path(), "a", 4096).unwrap());
    assert_eq!(everything_in(folder.path()), [folder.join("a")]);
    let reserved = ReservedFile::new(folder.path(), "a", 4096).unwrap();
    assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "old");
    assert_eq!(fs::metadata(folder.join(".a.new")).unwrap().len(), 4096);
    reserved.fill(b"new").unwrap();
    assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "new");
    assert_eq!(mode(&folder.join("a")), 0o600);
    assert_eq!(everything_in(folder.path()), [folder.join("a")]);
    let reserved = ReservedFile::new(folder.path(), "a", 2).unwrap();
    reserved.fill(b"longer than its room").unwrap();
    let text = fs::read_to_string(folder.join("a")).unwrap();
    assert_eq!(text, "longer than its room");
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
