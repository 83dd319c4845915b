//! The demo as a whole, with a stub in the balancer's place.

use super::*;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Redirects the tune-ins to the relays in turn.
async fn round_robin(relays: Vec<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for relay in relays.into_iter().cycle() {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1024]).await;
            let answer = format!("HTTP/1.1 307 x\r\nLocation: http://{relay}/live.mp3\r\n\r\n");
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn a_demo_shows_a_line_per_second_and_sums_up() {
    let fleet = DemoFleet::start(3).await.unwrap();
    let origins = fleet.origins();
    assert_eq!(origins.len(), 3);
    let balancer = round_robin(origins.clone()).await;
    let mut out = Vec::new();
    let until = Some(Duration::from_millis(3500));
    let run = fleet.run(balancer, until, Style::Numbers, &mut out);
    let summary = run.await.unwrap();

    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3 + 1 + 3 + 1, "{text}");
    assert_eq!(
        lines[0],
        format!("relay1 is at http://{}/live.mp3", origins[0])
    );
    assert_eq!(
        lines[3],
        format!("open in a player: http://{balancer}/live.mp3")
    );
    assert!(lines[4].starts_with("  1s  relay1   2"), "{text}");
    assert!(lines[6].starts_with("  3s  relay1"), "{text}");
    assert_eq!(lines[7], summary.to_string());

    assert!(summary.heard_audio());
    assert!(summary.redirects > 3, "{summary}");
    assert!(summary.heard >= 3, "{summary}");
    assert_eq!(summary.failed, 0);
    assert!(summary.audio_bytes > 20 * 64_400, "{summary}");
    assert!(summary.fullest > summary.emptiest && summary.emptiest > 0);
}

#[tokio::test]
async fn what_is_heard_past_a_dead_balancer_is_not_its_merit() {
    let fleet = DemoFleet::start(1).await.unwrap();
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let until = Some(Duration::from_millis(1500));
    let run = fleet.run(nobody, until, Style::Numbers, io::sink());
    let summary = run.await.unwrap();
    assert!(!summary.heard_audio());
    assert!(summary.audio_bytes > 0);
    assert!(summary.failed > 0);
}
