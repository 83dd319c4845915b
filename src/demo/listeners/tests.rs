//! Listeners against stubs: a balancer that only redirects, and relays of a fleet.

use super::*;
use crate::demo::DemoFleet;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A balancer that gives every tune-in the same answer; says where it is and how often it was asked.
async fn stub(answer: String) -> (SocketAddr, Arc<AtomicUsize>) {
    stub_of(|_| answer).await
}

/// The same, with an answer that knows the balancer's own address.
async fn stub_of(answer: impl FnOnce(SocketAddr) -> String) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (
        listener.local_addr().unwrap(),
        Arc::new(AtomicUsize::new(0)),
    );
    let (count, answer) = (Arc::clone(&asked), answer(address));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = socket.read(&mut [0; 1024]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (address, asked)
}

fn redirect_to(relay: SocketAddr) -> String {
    format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{relay}/live.mp3\r\n\r\n")
}

async fn eventually(mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < until, "it never came true");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn listeners_come_follow_the_redirect_and_hear() {
    let fleet = DemoFleet::start(1).await.unwrap();
    let relay = &fleet.relays()[0];
    let (balancer, _) = stub(redirect_to(relay.address())).await;
    let tally = Arc::new(Tally::default());
    let mut listeners = Listeners::of(balancer, Arc::clone(&tally));
    let three_hear = eventually(|| relay.listeners() >= 3 && tally.heard.read() >= 3);
    tokio::select! {
        () = listeners.keep_coming() => unreachable!(),
        () = three_hear => {}
    }
    assert!(tally.redirects.read() >= 3);
    assert!(tally.present() >= 3);
    assert!(tally.audio_bytes.read() >= 3000);
    assert_eq!(tally.failed.read(), 0);
    drop(listeners);
    eventually(|| relay.listeners() == 0 && tally.present() == 0).await;
}

#[tokio::test]
async fn listeners_of_a_dead_relay_come_back_through_the_balancer() {
    let mut fleet = DemoFleet::start(2).await.unwrap();
    let origins = fleet.origins();
    let (balancer, asked) = stub(redirect_to(origins[1])).await;
    let tally = Arc::new(Tally::default());
    let mut listeners = Listeners::of(balancer, Arc::clone(&tally));
    listeners.begin_at(origins[0], 4);
    eventually(|| fleet.relays()[0].listeners() == 4 && tally.heard_directly.read() == 4).await;
    assert_eq!(asked.load(Ordering::Relaxed), 0);

    fleet.relays_mut()[0].kill().await;
    eventually(|| fleet.relays()[1].listeners() == 4 && tally.heard.read() == 4).await;
    assert_eq!(tally.broken_off.read(), 4);
    assert_eq!(tally.redirects.read(), 4);
    assert_eq!(tally.failed.read(), 0);
}

#[tokio::test]
async fn a_tune_in_without_audio_is_counted_as_failed() {
    let tally = Tally::default();
    let (full, _) = stub("HTTP/1.1 503 Service Unavailable\r\n\r\n".to_owned()).await;
    let missed = tune_in(Target::mount_at(full, Way::Balancer), &tally).await;
    assert_eq!(missed.unwrap_err().to_string(), "answered status Some(503)");
    let (empty, _) = stub("HTTP/1.1 200 OK\r\n\r\n".to_owned()).await;
    let missed = tune_in(Target::mount_at(empty, Way::Balancer), &tally).await;
    assert_eq!(missed.unwrap_err().to_string(), "no answer");
    assert_eq!((tally.heard.read(), tally.audio_bytes.read()), (0, 0));

    // A listener tries five times, then gives up.
    let (balancer, asked) = stub("HTTP/1.1 503 Service Unavailable\r\n\r\n".to_owned()).await;
    listen(
        Target::mount_at(balancer, Way::Balancer),
        Target::mount_at(balancer, Way::Balancer),
        &tally,
    )
    .await;
    assert_eq!(asked.load(Ordering::Relaxed), 5);
    assert_eq!(tally.failed.read(), 5);
}

#[tokio::test]
async fn a_redirect_in_a_circle_is_given_up() {
    let (balancer, asked) = stub_of(redirect_to).await;
    let tally = Tally::default();
    let missed = tune_in(Target::mount_at(balancer, Way::Balancer), &tally).await;
    assert_eq!(
        missed.unwrap_err().to_string(),
        "redirected more than 3 times"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[test]
fn arrivals_are_six_a_second_on_average() {
    let total: Duration = (0..20_000).map(|_| next_arrival()).sum();
    let mean = total.as_secs_f64() / 20_000.0;
    assert!((mean - 1.0 / 6.0).abs() < 0.01, "{mean}");
}
