//! ACME: a certificate that comes by itself, from a real ACME server.

use crate::harness::{AcmeServer, Balancer, ConfigText, Fleet, TlsClient, eventually, seconds};

const MOUNT: &str = "/live.mp3";
const DOMAIN: &str = "radio.example";

#[test]
fn a_balancer_without_a_certificate_orders_one_and_keeps_it() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let (config, tls) = ConfigText::proxied(&fleet).and_tls_bind("");
    let (config, visited) = config.and_plain_bind("");
    let Some(server) = AcmeServer::visiting(visited.port()) else {
        return;
    };
    let config = config.with_section(&server.section(DOMAIN));
    let root = server.root();
    let client = || TlsClient::believing(&root, DOMAIN);

    let balancer = Balancer::with_config(&config);
    eventually(seconds(30), "the certificate is served", || {
        client().shake_hands(tls, "/status").is_ok()
    });
    let first = client().shake_hands(tls, "/status").unwrap();
    let metrics = balancer.ask_as_operator("/metrics").text();
    assert!(
        metrics.contains("acme_orders_total{result=\"issued\"} 1"),
        "{metrics}"
    );
    drop(balancer);

    // It is kept: a restart orders nothing.
    let balancer = Balancer::with_config(&config);
    let second = client().shake_hands(tls, "/status").unwrap();
    assert_eq!(first.certificate, second.certificate);
    let metrics = balancer.ask_as_operator("/metrics").text();
    assert!(
        metrics.contains("acme_orders_total{result=\"issued\"} 0"),
        "{metrics}"
    );
}

#[test]
fn without_acme_nothing_is_told_to_who_asks_for_a_challenge() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::in_front_of(&fleet);
    let refused = balancer.tune_in("/.well-known/acme-challenge/token");
    assert_eq!(refused.status, 404);
}
