//! External account binding, before a server that takes bound accounts only.

use std::fs;

use secrecy::SecretString;

use super::{Authority, Kept, Manner, quick, read_current};
use crate::acme::{Binding, Settings};

/// Padded, and with letters of base64url that base64 has not.
const KEY: &str = "-_-_zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wE=";

const OTHER_KEY: &str = "b10lLJs8l1GPIzsLP0s6pMt8O0XVGnfTaCeROxQM0BIt2XrJMDHJZBM5NuQmQJQH";

fn bound(settings: Settings, key_id: &str, key: &str) -> Settings {
    let key = SecretString::from(key);
    let binding = Some(Binding::new(key_id.to_owned(), &key).unwrap());
    Settings {
        binding,
        ..settings
    }
}

async fn open() -> Option<Authority> {
    let manner = Manner {
        keys: vec![("kid-1", KEY.trim_end_matches('=')), ("kid-2", OTHER_KEY)],
        ..Manner::default()
    };
    Authority::open(manner).await
}

fn account(settings: &Settings) -> String {
    fs::read_to_string(settings.state_dir.join("account.json")).unwrap()
}

#[tokio::test]
async fn a_bound_account_gets_a_certificate_and_stays_when_the_key_is_taken_out() {
    let Some(authority) = open().await else {
        return;
    };
    let settings = bound(authority.settings(&["radio.test"]), "kid-1", KEY);
    let kept = authority.keep_with(settings.clone()).await;
    kept.issued(1).await;
    assert_eq!(kept.status().failed_total, 0);
    drop(kept);
    let first = account(&settings);
    assert!(first.contains("kid-1") && !first.contains(KEY.trim_end_matches('=')));
    let kept = authority.keep(&["other.test"]).await;
    kept.issued(1).await;
    drop(kept);
    assert_eq!(account(&settings), first);

    // Another customer is another account.
    let settings = bound(authority.settings(&["radio.test"]), "kid-2", OTHER_KEY);
    authority.keep_with(settings.clone()).await.issued(1).await;
    assert_ne!(account(&settings), first);
    assert!(read_current(&settings).is_some());
}

#[tokio::test]
async fn an_authority_that_wants_a_binding_says_which_keys_to_set() {
    let Some(authority) = open().await else {
        return;
    };
    let kept = authority.keep(&["radio.test"]).await;
    let text = kept.failure().await;
    let told = "takes bound accounts only: set eab_key_id and eab_key_file in [tls.acme]";
    assert!(text.contains(told), "{text}");
    assert!(text.contains("externalAccountRequired"), "{text}");
}

#[tokio::test]
async fn a_refused_binding_is_told_without_its_key() {
    let Some(authority) = open().await else {
        return;
    };
    for (key_id, key) in [("kid-3", KEY), ("kid-1", OTHER_KEY)] {
        let settings = bound(authority.settings(&["radio.test"]), key_id, key);
        assert!(!format!("{settings:?}").contains(key));
        let kept = Kept::begin_unanswered(settings, quick());
        let text = kept.failure().await;
        let told = format!("did not take the key \"{key_id}\": see that eab_key_id");
        assert!(text.contains(&told), "{text}");
        assert!(text.contains("urn:ietf:params:acme:error:"), "{text}");
        assert!(!text.contains(key), "{text}");
    }
}

#[test]
fn keys_are_base64url_with_or_without_padding() {
    let read = |key: &str| Binding::new("id".to_owned(), &SecretString::from(key));
    assert_eq!(read("-_-_zQE=").unwrap(), read("-_-_zQE").unwrap());
    assert_ne!(read("-_-_zQE=").unwrap(), read("-_-_zQA=").unwrap());
    for wrong in ["+/+/zQE=", "a key", "-_-_z", "=", "ä"] {
        let error = read(wrong).unwrap_err().to_string();
        assert_eq!(error, "expected a key in base64url");
    }
}
