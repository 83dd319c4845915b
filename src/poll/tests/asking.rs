//! What a poll asks for: which page, in whose name, at which address.

use super::super::Poller;
use super::data;
use super::fetching::{LONG, admin, one_source, poller, target, told};
use super::server::{Reply, Server};
use crate::config::Stats;
use crate::discovery::AddressBook;

#[tokio::test]
async fn the_request_says_who_asks_and_wants_nothing_compressed() {
    let server = Server::always(Reply::page(one_source())).await;
    let mut with_password = target(&server, Stats::StatusJson);
    with_password.credentials = admin();
    poller(LONG).poll(&with_password).await;
    poller(LONG).poll(&target(&server, Stats::Shoutcast1)).await;
    let requests: Vec<_> = server
        .requests()
        .iter()
        .map(|head| head.to_lowercase())
        .collect();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].starts_with("get /status-json.xsl http/1.1\r\n"));
    let agent = concat!(
        "user-agent: icecast-balancer/",
        env!("CARGO_PKG_VERSION"),
        "\r\n"
    );
    assert!(requests[0].contains(agent));
    assert!(requests[0].contains("accept-encoding: identity\r\n"));
    assert!(requests[0].contains("connection: close\r\n"));
    assert!(
        !requests[0].contains("authorization"),
        "a public page gets no password"
    );
    assert!(requests[1].starts_with("get /7.html http/1.1\r\n"));
    assert!(requests[1].contains("user-agent: mozilla"));
}

#[tokio::test]
async fn only_the_admin_page_gets_the_password_and_no_debug_print_shows_it() {
    let server = Server::always(Reply::page(data("admin/stats-limits.xml"))).await;
    let mut target = target(&server, Stats::AdminStats);
    target.credentials = admin();
    let poller = poller(LONG);
    let polled = poller.poll(&target).await;
    assert_eq!(told(&polled.outcome), "report of 0");
    let head = server.requests().concat().to_lowercase();
    // admin:hackme-canary
    assert!(
        head.contains("authorization: basic ywrtaw46agfja21llwnhbmfyeq==\r\n"),
        "{head}"
    );
    let printed = format!("{target:?} {poller:?} {polled:?}");
    assert!(
        printed.contains("admin") && !printed.contains("canary"),
        "{printed}"
    );
}

#[tokio::test]
async fn names_are_looked_up_in_the_book_only() {
    let server = Server::always(Reply::page(one_source())).await;
    let book = AddressBook::default();
    let poller = Poller::new(LONG, book.clone(), None).unwrap();
    let mut target = target(&server, Stats::StatusJson);
    // The system's resolver knows this name.
    target.url.host = "localhost".to_owned();
    let outcome = poller.poll(&target).await.outcome;
    assert_eq!(told(&outcome), "failed: localhost does not resolve");
    book.note("localhost", &[server.address.ip()]);
    let outcome = poller.poll(&target).await.outcome;
    assert_eq!(told(&outcome), "report of 1");
    assert!(
        server.requests()[0].contains("localhost:"),
        "the Host header names the relay"
    );
}
