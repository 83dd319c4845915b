//! Polls of a relay whose name has several addresses.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use super::super::{Poller, Target};
use super::fetching::{LONG, one_source, target, told};
use super::server::{Reply, Server};
use crate::config::Stats;
use crate::discovery::{AddressBook, AddressState, KnownAddress};

/// A poller that knows these addresses of `twin`.
fn poller_of_twin(timeout: Duration, addresses: &[&str]) -> (Poller, AddressBook) {
    let book = AddressBook::default();
    let addresses: Vec<IpAddr> = addresses.iter().map(|it| it.parse().unwrap()).collect();
    book.note("twin", &addresses);
    (Poller::new(timeout, book.clone(), None).unwrap(), book)
}

fn twin(server: &Server) -> Target {
    let mut target = target(server, Stats::StatusJson);
    target.url.host = "twin".to_owned();
    target
}

fn states(book: &AddressBook, port: u16) -> Vec<AddressState> {
    let known = book.known("twin", port);
    known.iter().map(KnownAddress::state).collect()
}

/// Takes connections at another address of the same port, and answers none.
async fn silent_beside(server: &Server) -> TcpListener {
    let address = SocketAddr::from(([127, 0, 0, 2], server.address.port()));
    TcpListener::bind(address).await.unwrap()
}

#[tokio::test]
async fn address_that_refuses_costs_no_poll() {
    let server = Server::always(Reply::page(one_source())).await;
    let (poller, book) = poller_of_twin(LONG, &["127.0.0.2", "127.0.0.1"]);
    let outcome = poller.poll(&twin(&server)).await.outcome;
    assert_eq!(told(&outcome), "report of 1");
    let expected = [AddressState::Failed, AddressState::Working];
    assert_eq!(states(&book, server.address.port()), expected);
}

#[tokio::test]
async fn address_that_is_silent_costs_no_poll_its_timeout() {
    let server = Server::always(Reply::page(one_source())).await;
    let _silent = silent_beside(&server).await;
    let (poller, book) = poller_of_twin(LONG, &["127.0.0.2", "127.0.0.1"]);
    for _ in 0..3 {
        let began = Instant::now();
        let outcome = poller.poll(&twin(&server)).await.outcome;
        assert_eq!(told(&outcome), "report of 1");
        assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    }
    assert_eq!(server.requests().len(), 3);
    let expected = [AddressState::Failed, AddressState::Working];
    assert_eq!(states(&book, server.address.port()), expected);
}

#[tokio::test]
async fn working_address_that_falls_silent_leaves_time_for_the_others() {
    let server = Server::always(Reply::page(one_source())).await;
    let _silent = silent_beside(&server).await;
    let timeout = Duration::from_secs(3);
    let (poller, book) = poller_of_twin(timeout, &["127.0.0.2", "127.0.0.1"]);
    let silent = SocketAddr::from(([127, 0, 0, 2], server.address.port()));
    book.note_answer("twin", silent, Instant::now());
    let outcome = poller.poll(&twin(&server)).await.outcome;
    assert_eq!(told(&outcome), "report of 1");
}

#[tokio::test]
async fn relay_is_refused_only_when_every_address_refuses() {
    let server = Server::always(Reply::page(one_source())).await;
    let nothing = ["127.0.0.2", "127.0.0.3"];
    let (poller, _) = poller_of_twin(LONG, &nothing);
    let outcome = poller.poll(&twin(&server)).await.outcome;
    assert_eq!(told(&outcome), "refused: connection refused");
    let _silent = silent_beside(&server).await;
    let (poller, book) = poller_of_twin(Duration::from_secs(1), &nothing);
    let outcome = poller.poll(&twin(&server)).await.outcome;
    assert_eq!(told(&outcome), "failed: no complete answer in time");
    let expected = [AddressState::Failed, AddressState::Failed];
    assert_eq!(states(&book, server.address.port()), expected);
}

#[tokio::test]
async fn answer_that_is_of_no_use_is_not_asked_for_again_elsewhere() {
    let server = Server::always(Reply::http("200 OK", "Content-Encoding: gzip\r\n", "x")).await;
    let (poller, book) = poller_of_twin(LONG, &["127.0.0.1", "127.0.0.2"]);
    let outcome = poller.poll(&twin(&server)).await.outcome;
    let told = told(&outcome);
    assert!(told.contains("Content-Encoding"), "{told}");
    let expected = [AddressState::Working, AddressState::Untried];
    assert_eq!(states(&book, server.address.port()), expected);
}
