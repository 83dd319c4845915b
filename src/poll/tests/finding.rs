//! `stats = "auto"`: the relay's page is found, remembered, and found anew when it goes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::data;
use super::fetching::{LONG, admin, one_source, poller, target, told};
use super::server::{Reply, Server};
use crate::config::Stats;
use crate::fleet::PollOutcome;

const ADMIN: &str = "/admin/stats";
const JSON: &str = "/status-json.xsl";
const V2: &str = "/statistics?json=1";
const V1: &str = "/7.html";

/// The pages that a relay has; all others are missing. May change while it runs.
#[derive(Clone, Default)]
struct Pages(Arc<Mutex<Vec<(&'static str, Reply)>>>);

impl Pages {
    fn with(page: &'static str, reply: Reply) -> Self {
        let pages = Self::default();
        pages.set(page, reply);
        pages
    }

    fn set(&self, page: &'static str, reply: Reply) {
        let mut pages = self.0.lock().unwrap();
        pages.retain(|(name, _)| *name != page);
        pages.push((page, reply));
    }

    fn remove(&self, page: &str) {
        self.0.lock().unwrap().retain(|(name, _)| *name != page);
    }

    async fn serve(&self) -> Server {
        let pages = self.0.clone();
        Server::by_page(move |page| {
            let pages = pages.lock().unwrap();
            let found = pages.iter().find(|(name, _)| *name == page);
            found.map_or_else(Reply::missing, |(_, reply)| reply.clone())
        })
        .await
    }
}

fn json() -> Reply {
    Reply::page(one_source())
}

fn xml() -> Reply {
    Reply::page(data("admin/stats-master-5mounts.xml"))
}

fn unauthorized() -> Reply {
    Reply::http(
        "401 Authentication Required",
        "",
        "You need to authenticate\r\n",
    )
}

#[tokio::test]
async fn each_kind_of_server_is_found_and_then_asked_for_its_page_only() {
    let cases = [
        (ADMIN, xml(), "report of 10", 1),
        (JSON, json(), "report of 1", 2),
        (
            V2,
            Reply::page(data("shoutcast/v2-statistics.json")),
            "report of 1",
            3,
        ),
        (
            V1,
            Reply::page(data("shoutcast/v1-7.html")),
            "report of 5",
            4,
        ),
    ];
    for (page, reply, expected, asked) in cases {
        let server = Pages::with(page, reply).serve().await;
        let mut target = target(&server, Stats::Auto);
        target.credentials = admin();
        let poller = poller(LONG);
        for _ in 0..3 {
            assert_eq!(
                told(&poller.poll(&target).await.outcome),
                expected,
                "{page}"
            );
        }
        let pages = server.pages();
        assert_eq!(pages[..asked], [ADMIN, JSON, V2, V1][..asked]);
        assert_eq!(pages[asked..], [page, page]);
    }
}

#[tokio::test]
async fn without_credentials_the_admin_page_is_not_asked_for() {
    let pages = Pages::with(JSON, json());
    pages.set(ADMIN, xml());
    let server = pages.serve().await;
    poller(LONG).poll(&target(&server, Stats::Auto)).await;
    assert_eq!(server.pages(), [JSON]);
}

#[tokio::test]
async fn a_configured_page_is_the_only_one_asked_for() {
    for (stats, page) in [
        (Stats::AdminStats, ADMIN),
        (Stats::StatusJson, JSON),
        (Stats::Shoutcast2, V2),
        (Stats::Shoutcast1, V1),
    ] {
        let server = Pages::default().serve().await;
        let outcome = poller(LONG).poll(&target(&server, stats)).await.outcome;
        assert_eq!(told(&outcome), format!("failed: {page}: 404 Not Found"));
        assert_eq!(server.pages(), [page]);
    }
}

#[tokio::test]
async fn refused_credentials_fall_back_to_the_public_page() {
    let pages = Pages::with(ADMIN, unauthorized());
    pages.set(JSON, json());
    let server = pages.serve().await;
    let mut target = target(&server, Stats::Auto);
    target.credentials = admin();
    let poller = poller(LONG);
    for _ in 0..2 {
        assert_eq!(told(&poller.poll(&target).await.outcome), "report of 1");
    }
    assert_eq!(server.pages(), [ADMIN, JSON, JSON]);
}

#[tokio::test]
async fn credentials_that_are_refused_one_day_cost_no_poll() {
    let pages = Pages::with(ADMIN, xml());
    let server = pages.serve().await;
    let mut target = target(&server, Stats::Auto);
    target.credentials = admin();
    let poller = poller(LONG);
    assert_eq!(told(&poller.poll(&target).await.outcome), "report of 10");
    pages.set(ADMIN, unauthorized());
    pages.set(JSON, json());
    assert_eq!(told(&poller.poll(&target).await.outcome), "report of 1");
    assert_eq!(told(&poller.poll(&target).await.outcome), "report of 1");
    assert_eq!(server.pages().last().unwrap(), JSON);
}

#[tokio::test]
async fn a_page_that_is_gone_for_three_polls_is_found_anew() {
    for gone in [Reply::missing(), Reply::page("<html>new software</html>")] {
        let pages = Pages::with(JSON, json());
        let server = pages.serve().await;
        let target = target(&server, Stats::Auto);
        let poller = poller(LONG);
        assert_eq!(told(&poller.poll(&target).await.outcome), "report of 1");
        pages.set(JSON, gone);
        pages.set(V1, Reply::page(data("shoutcast/v1-7.html")));
        for _ in 0..3 {
            let outcome = poller.poll(&target).await.outcome;
            assert!(!matches!(outcome, PollOutcome::Report(_)));
        }
        assert_eq!(server.pages(), [JSON; 4], "it is given three chances");
        assert_eq!(told(&poller.poll(&target).await.outcome), "report of 5");
        assert_eq!(server.pages()[4..], [JSON, V2, V1]);
    }
}

#[tokio::test]
async fn a_page_that_comes_back_is_not_given_up() {
    let pages = Pages::with(JSON, json());
    let server = pages.serve().await;
    let target = target(&server, Stats::Auto);
    let poller = poller(LONG);
    for _ in 0..3 {
        pages.set(JSON, json());
        poller.poll(&target).await;
        pages.remove(JSON);
        poller.poll(&target).await;
        poller.poll(&target).await;
    }
    assert_eq!(server.pages(), [JSON; 9]);
}

#[tokio::test]
async fn a_relay_that_is_broken_or_full_is_not_asked_for_other_pages() {
    for (reply, expected) in [
        (Reply::http("500 Oops", "", ""), "failed"),
        (
            Reply::http("403 Forbidden", "", "Icecast connection limit reached"),
            "full",
        ),
        (Reply::SayAndReset(Vec::new()), "failed"),
        (unauthorized(), "failed"),
    ] {
        let server = Server::always(reply).await;
        let outcome = poller(LONG)
            .poll(&target(&server, Stats::Auto))
            .await
            .outcome;
        assert!(told(&outcome).starts_with(expected), "{}", told(&outcome));
        assert_eq!(server.pages(), [JSON]);
    }
}

#[tokio::test]
async fn a_shoutcast_that_answers_other_pages_with_its_stream_is_found() {
    let icy = Reply::Say(b"ICY 200 OK\r\nicy-metaint:8192\r\n\r\naudio".to_vec());
    let pages = Pages::with(JSON, icy.clone());
    pages.set(V2, icy);
    pages.set(V1, Reply::page(data("shoutcast/v1-7.html")));
    let server = pages.serve().await;
    let outcome = poller(LONG)
        .poll(&target(&server, Stats::Auto))
        .await
        .outcome;
    assert_eq!(told(&outcome), "report of 5");
}

#[tokio::test]
async fn a_starting_icecast_says_so_although_other_pages_are_missing() {
    let booting = data("status-json/2.4.4-booting-INVALID.json");
    let server = Pages::with(JSON, Reply::page(booting)).serve().await;
    let outcome = poller(LONG)
        .poll(&target(&server, Stats::Auto))
        .await
        .outcome;
    assert!(
        told(&outcome).starts_with("unreadable: /status-json.xsl: the server has just started")
    );
}

#[tokio::test]
async fn the_most_telling_fault_is_told_and_of_equals_the_first() {
    let nonsense = Reply::page("<html>nonsense</html>");
    let late = Pages::with(V1, nonsense.clone());
    let both = Pages::with(V1, nonsense.clone());
    both.set(JSON, nonsense);
    for (pages, expected) in [
        (Pages::default(), "failed: /status-json.xsl: 404"),
        (late, "unreadable: /7.html"),
        (both, "unreadable: /status-json.xsl"),
    ] {
        let server = pages.serve().await;
        let polled = poller(LONG).poll(&target(&server, Stats::Auto)).await;
        let told = told(&polled.outcome);
        assert!(
            told.starts_with(expected),
            "expected {expected}, found {told}"
        );
    }
}

#[tokio::test]
async fn all_pages_together_take_no_longer_than_one_timeout() {
    let timeout = Duration::from_millis(500);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    // Each answer breaks off after 0.4 s, so the second one comes too late.
    let server = Server::by_page(move |page| {
        if !page.is_empty() {
            count.fetch_add(1, Ordering::SeqCst);
        }
        Reply::Drip(b"HTTP/".to_vec())
    })
    .await;
    let began = Instant::now();
    let outcome = poller(timeout)
        .poll(&target(&server, Stats::Auto))
        .await
        .outcome;
    assert!(told(&outcome).starts_with("failed"), "{}", told(&outcome));
    assert!(began.elapsed() < LONG / 2);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn relays_are_remembered_apart() {
    let icecast = Pages::with(JSON, json()).serve().await;
    let shoutcast = Pages::with(V1, Reply::page(data("shoutcast/v1-7.html")))
        .serve()
        .await;
    let poller = poller(LONG);
    let one = target(&icecast, Stats::Auto);
    let mut two = target(&shoutcast, Stats::Auto);
    two.name = "relay2".to_owned();
    for _ in 0..2 {
        assert_eq!(told(&poller.poll(&one).await.outcome), "report of 1");
        assert_eq!(told(&poller.poll(&two).await.outcome), "report of 5");
    }
    assert_eq!(icecast.pages(), [JSON; 2]);
    assert_eq!(shoutcast.pages(), [JSON, V2, V1, V1]);
}
