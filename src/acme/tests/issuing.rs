//! What goes well.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use super::{Authority, Manner, eventually, names, read_current};
use crate::acme::paths;

#[tokio::test]
async fn a_certificate_is_issued_for_all_domains() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let domains = ["radio.test", "Live.Radio.test"];
    let settings = authority.settings(&domains);
    assert_eq!(read_current(&settings), None);
    let kept = authority.keep(&domains).await;
    kept.issued(1).await;
    let certificate = read_current(&settings).unwrap();
    assert_eq!(certificate.names, names(&["radio.test", "live.radio.test"]));
    let told = || kept.status().valid_until == Some(certificate.validity.not_after);
    eventually("the status tells of it", told).await;
    let status = kept.status();
    assert_eq!((status.failed_total, status.last_error), (0, None));
    assert!(status.last_success.unwrap() <= SystemTime::now());
    let day = Duration::from_secs(24 * 3600);
    let next = status.next_attempt.unwrap();
    let begin = certificate.validity.not_before;
    assert!(begin + day * 56 < next && next < begin + day * 61);
    let account = settings.state_dir.join("account.json");
    for path in [paths(&settings).key, paths(&settings).chain, account] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_good_certificate_is_left_alone_after_a_restart() {
    let Some(mut authority) = Authority::open(Manner::default()).await else {
        return;
    };
    authority.keep(&["radio.test"]).await.issued(1).await;
    let settings = authority.settings(&["radio.test"]);
    let first = fs::read(paths(&settings).chain).unwrap();
    authority.kill();
    let kept = authority.keep(&["radio.test"]).await;
    let looked = || kept.status().next_attempt.is_some();
    eventually("it has been looked at", looked).await;
    assert_eq!(kept.status().failed_total, 0);
    assert_eq!(fs::read(paths(&settings).chain).unwrap(), first);
}

#[tokio::test]
async fn a_certificate_is_renewed_at_two_thirds_and_is_never_half_seen() {
    let manner = Manner {
        validity_seconds: 6,
        ..Manner::default()
    };
    let Some(authority) = Authority::open(manner).await else {
        return;
    };
    let settings = authority.settings(&["radio.test"]);
    let kept = authority.keep(&["radio.test"]).await;
    kept.issued(1).await;
    let first = read_current(&settings).unwrap();
    // A pair of two certificates fails in here.
    let renewed = || read_current(&settings).unwrap() != first;
    eventually("there is another one", renewed).await;
    let second = read_current(&settings).unwrap();
    assert!(second.validity.not_before < first.validity.not_after);
    assert_eq!(kept.status().failed_total, 0);
    let registrations = authority.log().matches("POST /sign-me-up").count();
    assert_eq!(registrations, 1, "{}", authority.log());
}

#[tokio::test]
async fn other_domains_or_a_deleted_file_bring_a_new_certificate_at_once() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    authority.keep(&["radio.test"]).await.issued(1).await;
    let domains = ["radio.test", "more.test"];
    let settings = authority.settings(&domains);
    let kept = authority.keep(&domains).await;
    kept.issued(1).await;
    assert_eq!(read_current(&settings).unwrap().names, names(&domains));
    fs::remove_file(paths(&settings).key).unwrap();
    kept.issued(2).await;
    assert_eq!(read_current(&settings).unwrap().names, names(&domains));
}

#[tokio::test]
async fn another_server_means_another_account_and_another_certificate() {
    let first = Authority::open(Manner::default()).await;
    let second = Authority::open(Manner::default()).await;
    let (Some(first), Some(second)) = (first, second) else {
        return;
    };
    second.keep(&["radio.test"]).await.issued(1).await;
    let left = second.settings(&[]).state_dir;
    let account = fs::read(left.join("account.json")).unwrap();
    // What one server left is found by a keeper that asks the other.
    let found = first.settings(&[]).state_dir;
    fs::rename(left, &found).unwrap();
    first.keep(&["radio.test"]).await.issued(1).await;
    assert_ne!(fs::read(found.join("account.json")).unwrap(), account);
}
