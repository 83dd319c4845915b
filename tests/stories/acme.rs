//! ACME: a certificate that comes by itself, from a real ACME server.

use crate::harness::{
    AcmeServer, Balancer, CUSTOMERS_KEY, ConfigText, Fleet, TlsClient, eventually, seconds,
};

const MOUNT: &str = "/live.mp3";
const DOMAIN: &str = "radio.example";
const OTHER_DOMAIN: &str = "more.example";

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
fn what_an_authority_of_customers_wants_is_told_and_comes_by_a_reload_and_so_do_more_domains() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let (config, tls) = ConfigText::proxied(&fleet).and_tls_bind("");
    let (config, visited) = config.and_plain_bind("");
    let Some(server) = AcmeServer::with_customer(visited.port()) else {
        return;
    };
    let unbound = server.section(DOMAIN);
    let bound = format!("{unbound}\n{}", server.binding());
    let with = |section: &str| config.clone().with_section(section);

    let balancer = Balancer::with_config(&with(&unbound));
    eventually(seconds(30), "the log says what to set", || {
        balancer.count("set eab_key_id and eab_key_file in [tls.acme]") > 0
    });

    balancer.reload(&with(&bound));
    let root = server.root();
    let serves = |domain: &str| {
        let client = TlsClient::believing(&root, domain);
        client.shake_hands(tls, "/status").is_ok()
    };
    eventually(seconds(30), "the certificate is served", || serves(DOMAIN));
    assert!(!serves(OTHER_DOMAIN));

    let two = format!("\"{DOMAIN}\", \"{OTHER_DOMAIN}\"");
    balancer.reload(&with(&bound.replace(&format!("\"{DOMAIN}\""), &two)));
    eventually(seconds(30), "both domains are served", || {
        serves(DOMAIN) && serves(OTHER_DOMAIN)
    });
    assert!(!balancer.log().contains(CUSTOMERS_KEY));

    let waits = || balancer.count("[tls.acme] changed: takes effect at the next restart");
    assert_eq!(waits(), 0);
    balancer.reload(&with(&bound.replace("/state\"", "/elsewhere\"")));
    assert_eq!(waits(), 1);
    assert!(serves(OTHER_DOMAIN));
}

#[test]
fn without_acme_nothing_is_told_to_who_asks_for_a_challenge() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::in_front_of(&fleet);
    let refused = balancer.tune_in("/.well-known/acme-challenge/token");
    assert_eq!(refused.status, 404);
}
