//! What goes wrong: the old certificate stays, the words are the server's, and it goes on when it can.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use pingora::services::background::BackgroundService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{
    Authority, Folder, Kept, Manner, acceptor, eventually, names, own_ip, put_an_old_one, quick,
    read_current,
};
use crate::acme::{Acme, Settings, paths};

#[tokio::test]
async fn the_old_certificate_stays_while_the_server_is_down_and_is_renewed_when_it_is_back() {
    let Some(mut authority) = Authority::shut(Manner::default()).await else {
        return;
    };
    let settings = authority.settings(&["radio.test"]);
    let old = put_an_old_one(&settings);
    let kept = authority.keep(&["radio.test"]).await;
    let text = kept.failure().await;
    assert!(text.contains("Connection refused"), "{text}");
    assert!(text.contains(&settings.directory), "{text}");
    eventually("it fails again", || kept.status().failed_total >= 3).await;
    assert_eq!(fs::read(paths(&settings).chain).unwrap(), old);
    assert!(kept.status().valid_until.is_some());
    authority.start().await;
    kept.issued(1).await;
    assert_ne!(fs::read(paths(&settings).chain).unwrap(), old);
    eventually("the error is over", || kept.status().last_error.is_none()).await;
}

#[tokio::test]
async fn every_second_nonce_may_be_refused() {
    let manner = Manner {
        refused_nonces_percent: 50,
        ..Manner::default()
    };
    let Some(authority) = Authority::open(manner).await else {
        return;
    };
    let kept = authority.keep(&["radio.test", "more.test"]).await;
    kept.issued(1).await;
    assert_eq!(kept.status().failed_total, 0);
}

#[tokio::test]
async fn a_refused_order_is_told_in_the_servers_words() {
    let manner = Manner {
        blocked: vec!["forbidden.test"],
        ..Manner::default()
    };
    let Some(authority) = Authority::open(manner).await else {
        return;
    };
    let domains = ["radio.test", "forbidden.test"];
    let settings = authority.settings(&domains);
    let old = put_an_old_one(&settings);
    let kept = authority.keep(&domains).await;
    let text = kept.failure().await;
    assert!(text.contains("issuance is forbidden by policy"), "{text}");
    assert!(text.contains("forbidden.test"), "{text}");
    assert!(text.contains("rejectedIdentifier"), "{text}");
    assert_eq!(fs::read(paths(&settings).chain).unwrap(), old);
    drop(kept);
    let folders = || fs::read_dir(settings.state_dir.join("certificates")).unwrap();
    let tidy = || folders().count() == 1;
    eventually("nothing of the attempts lies about", tidy).await;
}

#[tokio::test]
async fn a_domain_whose_challenge_finds_no_answer_is_named() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let settings = authority.settings(&["radio.test"]);
    let old = put_an_old_one(&settings);
    let kept = Kept::begin_unanswered(settings.clone(), quick());
    let text = kept.failure().await;
    assert!(text.starts_with("radio.test was not validated: "), "{text}");
    assert!(text.contains("connection refused"), "{text}");
    assert_eq!(fs::read(paths(&settings).chain).unwrap(), old);
}

#[tokio::test]
async fn a_server_that_forgot_our_account_gets_a_new_one() {
    let Some(mut authority) = Authority::open(Manner::default()).await else {
        return;
    };
    authority.keep(&["radio.test"]).await.issued(1).await;
    authority.kill();
    authority.start().await;
    let kept = authority.keep(&["other.test"]).await;
    kept.issued(1).await;
    assert_eq!(kept.status().failed_total, 0);
    let settings = authority.settings(&["other.test"]);
    let certificate = read_current(&settings).unwrap();
    assert_eq!(certificate.names, names(&["other.test"]));
}

#[tokio::test]
async fn a_new_address_of_the_operator_is_told_to_the_server() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    authority.keep(&["radio.test"]).await.issued(1).await;
    let mut settings = authority.settings(&["other.test"]);
    settings.email = Some("successor@radio.test".to_owned());
    let kept = Kept::begin_unanswered(settings.clone(), quick());
    kept.failure().await;
    let account = fs::read_to_string(settings.state_dir.join("account.json")).unwrap();
    assert!(account.contains("successor@radio.test"));
    let log = authority.log();
    assert!(log.contains("POST /my-account"), "{log}");
}

/// Settings for a server of our own making.
fn settings_for(address: SocketAddr, folder: &Folder) -> Settings {
    Settings {
        domains: vec!["radio.test".to_owned()],
        email: None,
        directory: format!("https://{address}/dir"),
        binding: None,
        state_dir: folder.join("state"),
        ca_file: None,
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind((own_ip(), 14_000)).await.unwrap();
    let folder = Folder::new();
    let settings = settings_for(listener.local_addr().unwrap(), &folder);
    let mut pace = quick();
    pace.request = Duration::from_millis(200);
    let begin = Instant::now();
    let kept = Kept::begin_unanswered(settings.clone(), pace);
    let text = kept.failure().await;
    assert!(text.contains("timed out"), "{text}");
    let took = begin.elapsed();
    assert!(pace.request <= took && took < pace.request * 20, "{took:?}");
    drop(kept);
    pace.request = Duration::from_secs(60);
    pace.attempt = Duration::from_millis(200);
    let kept = Kept::begin_unanswered(settings, pace);
    assert_eq!(kept.failure().await, "no certificate in time");
}

/// Answers every request with 503 and an hour's patience.
async fn be_overloaded(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).await.unwrap();
        assert!(request[..read].starts_with(b"GET /dir "));
        let answer = b"HTTP/1.1 503 Later\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_asks_for_an_hour_gets_an_hour() {
    let ip = own_ip();
    let listener = TcpListener::bind((ip, 14_000)).await.unwrap();
    let folder = Folder::new();
    let mut settings = settings_for(listener.local_addr().unwrap(), &folder);
    settings.ca_file = Some(folder.join("ca.pem"));
    let acceptor = acceptor(ip, &folder);
    let server = tokio::spawn(be_overloaded(listener, acceptor));
    let kept = Kept::begin_unanswered(settings, quick());
    let text = kept.failure().await;
    server.abort();
    assert!(text.ends_with("503 Service Unavailable"), "{text}");
    let next = kept.status().next_attempt.unwrap();
    let pause = next.duration_since(SystemTime::now()).unwrap();
    assert!(Duration::from_secs(3500) < pause, "{pause:?}");
}

#[tokio::test]
async fn the_service_ends_when_the_balancer_does() {
    let folder = Folder::new();
    let settings = settings_for((own_ip(), 14_000).into(), &folder);
    let acme = Acme::new(watch::channel(settings).1);
    let (stop, stopped) = watch::channel(false);
    let status = acme.status();
    let service = tokio::spawn(async move { acme.start(stopped).await });
    eventually("it has begun", || status.read().failed_total == 1).await;
    assert!(!service.is_finished());
    stop.send(true).unwrap();
    eventually("it ends", || service.is_finished()).await;
}
