//! What is odd but happens: slow servers, two balancers in one directory, settings that change, files that cannot be written.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use super::{
    Authority, Between, DAY, Kept, Manner, eventually, names, put_an_old_one, quick, read_current,
};
use crate::acme::paths;

fn orders(authority: &Authority) -> usize {
    authority.log().matches("POST /order-plz").count()
}

#[tokio::test]
async fn an_order_that_is_processed_for_long_is_asked_after_and_not_made_anew() {
    let Some(mut authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let settings = authority.settings(&["radio.test"]);
    let between = Between::before(&settings).await;
    // Later than any clock has it: a day is taken instead.
    between.keep_orders_processing("18446744073709551615");
    let settings = between.settings(&settings);
    let kept = authority.keep_with(settings.clone()).await;
    let text = kept.failure().await;
    assert!(
        text.contains("the making of the certificate failed: timed out"),
        "{text}"
    );
    let next = kept.status().next_attempt.unwrap();
    let pause = next.duration_since(SystemTime::now()).unwrap();
    assert!(DAY * 23 / 24 < pause && pause <= DAY, "{pause:?}");
    assert_eq!(read_current(&settings), None);

    // A restart finds it again.
    drop(kept);
    between.meddle(|_, _| {});
    let kept = authority.keep_with(settings.clone()).await;
    kept.issued(1).await;
    assert_eq!(orders(&authority), 1);
    assert_eq!(
        read_current(&settings).unwrap().names,
        names(&["radio.test"])
    );
    drop(kept);

    // An order that the server has forgotten keeps nobody from a new one.
    between.keep_orders_processing("3600");
    let mut settings = settings;
    settings.domains.push("more.test".to_owned());
    let kept = authority.keep_with(settings.clone()).await;
    kept.failure().await;
    drop(kept);
    between.meddle(|_, _| {});
    authority.kill();
    authority.start().await;
    let kept = authority.keep_with(settings.clone()).await;
    kept.issued(1).await;
    assert_eq!(kept.status().failed_total, 0);
    assert_eq!(read_current(&settings).unwrap().names.len(), 2);
    let folders = fs::read_dir(settings.state_dir.join("certificates")).unwrap();
    assert_eq!(folders.count(), 2);
}

#[tokio::test]
async fn a_chain_that_cannot_be_written_is_fetched_again_when_it_can() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let settings = authority.settings(&["radio.test"]);
    let old = put_an_old_one(&settings);
    let between = Between::before(&settings).await;
    let settings = between.settings(&settings);
    // In the way of the second certificate's chain, just before it is written.
    let in_the_way = settings.state_dir.join("certificates/2/chain.pem");
    let made = in_the_way.clone();
    between.meddle(move |path, _| {
        if path.starts_with("/certZ/") {
            fs::create_dir_all(&made).unwrap();
        }
    });
    let kept = authority.keep_with(settings.clone()).await;
    let text = kept.failure().await;
    let told = format!("cannot write {}: ", in_the_way.display());
    assert!(text.starts_with(&told), "{text}");
    assert_eq!(fs::read(paths(&settings).chain).unwrap(), old);
    between.meddle(|_, _| {});
    fs::remove_dir(&in_the_way).unwrap();
    kept.issued(1).await;
    assert_eq!(orders(&authority), 1);
    assert_ne!(fs::read(paths(&settings).chain).unwrap(), old);
}

#[tokio::test]
async fn of_two_balancers_in_one_directory_one_orders() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let kept = authority.keep(&["radio.test"]).await;
    kept.issued(1).await;
    let settings = authority.settings(&["other.test"]);
    let second = Kept::begin_unanswered(settings.clone(), quick());
    let text = second.failure().await;
    assert!(
        text.contains("another process orders certificates into this state directory"),
        "{text}"
    );
    let current = read_current(&settings).unwrap();
    assert_eq!(current.names, names(&["radio.test"]));
    drop(second);
    // Who only reads a good certificate is in nobody's way.
    let third = Kept::begin_unanswered(authority.settings(&["radio.test"]), quick());
    eventually("it has looked", || third.status().next_attempt.is_some()).await;
    assert_eq!(third.status().failed_total, 0);
    drop((kept, third));
    authority.keep(&["other.test"]).await.issued(1).await;
    let current = read_current(&settings).unwrap();
    assert_eq!(current.names, names(&["other.test"]));
}

#[tokio::test]
async fn other_domains_are_ordered_at_once_when_the_settings_change() {
    let manner = Manner {
        blocked: vec!["forbidden.test"],
        ..Manner::default()
    };
    let Some(authority) = Authority::open(manner).await else {
        return;
    };
    let settings = authority.settings(&["forbidden.test"]);
    let mut pace = quick();
    // Nothing but the change ends that pause.
    pace.first_pause = DAY;
    pace.longest_pause = DAY;
    let kept = authority.keep_at(settings.clone(), pace).await;
    kept.failure().await;
    kept.change(|settings| settings.domains = vec!["radio.test".to_owned()]);
    kept.issued(1).await;
    kept.change(|settings| settings.domains.push("more.test".to_owned()));
    kept.issued(2).await;
    let current = read_current(&settings).unwrap();
    assert_eq!(current.names, names(&["radio.test", "more.test"]));
    let registrations = authority.log().matches("POST /sign-me-up").count();
    assert_eq!(registrations, 1);
}

#[tokio::test]
async fn another_address_of_the_operator_at_a_server_that_forgot_us_is_a_new_account() {
    let Some(mut authority) = Authority::open(Manner::default()).await else {
        return;
    };
    authority.keep(&["radio.test"]).await.issued(1).await;
    authority.kill();
    authority.start().await;
    let mut settings = authority.settings(&["other.test"]);
    settings.email = Some("successor@radio.test".to_owned());
    let kept = authority.keep_with(settings.clone()).await;
    kept.issued(1).await;
    assert_eq!(kept.status().failed_total, 0);
    let account = fs::read_to_string(settings.state_dir.join("account.json")).unwrap();
    assert!(account.contains("successor@radio.test"));
}

#[tokio::test]
async fn an_account_that_cannot_be_read_is_not_made_anew() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let settings = authority.settings(&["radio.test"]);
    let account = settings.state_dir.join("account.json");
    fs::create_dir_all(&account).unwrap();
    let kept = authority.keep(&["radio.test"]).await;
    let text = kept.failure().await;
    let told = format!("cannot read {}: ", account.display());
    assert!(text.starts_with(&told), "{text}");
    // One that is lost is, if there is room to keep the new one.
    let in_the_way = settings.state_dir.join("room");
    fs::create_dir(&in_the_way).unwrap();
    fs::remove_dir(&account).unwrap();
    let told = format!("cannot write {}: ", in_the_way.display());
    let is_told = || {
        kept.status()
            .last_error
            .is_some_and(|text| text.starts_with(&told))
    };
    eventually("there is no room", is_told).await;
    assert!(!authority.log().contains("POST /sign-me-up"));
    fs::remove_dir(&in_the_way).unwrap();
    kept.issued(1).await;
}

#[tokio::test]
async fn a_limit_of_seconds_is_waited_out_in_seconds() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let between = Between::before(&authority.settings(&["radio.test"])).await;
    between.meddle(|path, answer| {
        if path == "/sign-me-up" {
            *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            let head = answer.headers_mut();
            let problem = HeaderValue::from_static("application/problem+json");
            head.insert(CONTENT_TYPE, problem);
            head.insert(RETRY_AFTER, HeaderValue::from_static("3"));
            let kind = "urn:ietf:params:acme:error:rateLimited";
            *answer.body_mut() = format!("{{\"type\":\"{kind}\",\"detail\":\"too many\"}}");
        }
    });
    let settings = between.settings(&authority.settings(&["radio.test"]));
    let kept = authority.keep_with(settings).await;
    let begin = Instant::now();
    let text = kept.failure().await;
    assert!(text.contains("too many"), "{text}");
    between.meddle(|_, _| {});
    kept.issued(1).await;
    // The fastest pace of our own is 0.1 s.
    assert!(begin.elapsed() > Duration::from_secs(2));
}
