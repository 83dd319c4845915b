//! TLS: the front door terminates it, beside plain http, with certificates that change while listeners listen.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use rcgen::{PKCS_ECDSA_P256_SHA256 as ECDSA, PKCS_RSA_SHA256 as RSA};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SignatureAlgorithm};

use crate::harness::{
    Authority, Balancer, Browser, ConfigText, Door, Fleet, PairFiles, Question, Relay, TlsClient,
    TuneIn, carried_from, eventually, go_on_unbroken, millis, nobody_waited, seconds, settled,
};

const MOUNT: &str = "/live.mp3";
const NAME: &str = Door::NAME;

#[test]
fn on_https_too_a_relay_is_killed_and_nobody_hears_it() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let radios = door.radios(6, MOUNT);
    settled(&radios);
    let moving = carried_from(&door.balancer, fleet.relay(1));

    let killed = Instant::now();
    fleet.relay(1).kill();

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    nobody_waited(&radios, killed, millis(1_500));
    assert_eq!(door.balancer.seams("exact"), moving);
}

#[test]
fn http_and_https_stand_side_by_side_and_each_gets_his_own() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let plain = fleet.names()[0].clone();
    let both = format!("public_url = [\"http://{plain}\", \"https://relay1.example\"]");
    let door = Door::with(ConfigText::of(&fleet).with_relay(1, &both));
    let near = door.client().tunnel_to(door.tls);

    let redirected = Question::get(MOUNT).ask(near).unwrap();
    assert_eq!(redirected.status, 307);
    assert_eq!(
        redirected.location(),
        format!("https://relay1.example{MOUNT}")
    );
    let redirected = door.balancer.tune_in(MOUNT);
    assert!(
        redirected.location().starts_with("http://127."),
        "{redirected:?}"
    );
    let playlist = Question::get("/live.mp3.m3u").ask(near).unwrap().text();
    assert!(
        playlist.contains(&format!("https://{}{MOUNT}", door.tls)),
        "{playlist}"
    );

    // Where no relay has an https address the stream is carried: a page on https cannot play anything else.
    fleet.relay(1).kill();
    eventually(seconds(6), "only relay 2 is left", || {
        TuneIn::to(MOUNT)
            .at(near)
            .is_ok_and(|radio| radio.head().status == 200)
    });
}

#[test]
fn a_browser_plays_https_over_the_death_of_a_relay() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let Some(browser) = Browser::playing(&door.url(MOUNT)) else {
        return;
    };
    eventually(seconds(20), "it plays", || browser.played_seconds() > 1.0);
    let carried = |number| {
        door.balancer
            .admin_status()
            .of(fleet.relay(number))
            .streams()
            == 1
    };

    fleet.relay(if carried(1) { 1 } else { 2 }).kill();

    eventually(seconds(30), "it goes on playing", || {
        browser.played_seconds() > 15.0
    });
    assert_eq!(door.balancer.seams("exact"), 1);
}

#[test]
fn a_browser_on_https_follows_a_redirect_to_a_relay_on_https() {
    let authority = Authority::new();
    let relay = Relay::of_everything().certified_by(&authority);
    let fleet = Fleet::made_of([relay]).carrying(MOUNT);
    let secure = fleet.relay(1).secure_address();
    let config = ConfigText::of_none()
        .and_secure_relay_at(secure)
        .trusting(&authority);
    let door = Door::with(config);
    let Some(browser) = Browser::playing(&door.url(MOUNT)) else {
        return;
    };
    eventually(seconds(20), "it plays", || browser.played_seconds() > 3.0);
    assert_eq!(
        fleet.relay(1).reported_listeners(),
        1,
        "from the relay itself"
    );
    let carried = format!("icecast_balancer_streams{{relay=\"{secure}\"}} 0\n");
    let metrics = door.balancer.ask_as_operator("/metrics").text();
    assert!(metrics.contains(&carried), "{metrics}");
}

#[test]
fn the_end_of_an_answer_is_told() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let secure = format!("public_url = \"https://{}\"", fleet.names()[0]);
    let door = Door::with(ConfigText::of(&fleet).with_relay(1, &secure));
    for target in [MOUNT, "/status", "/no-such-mount", "//"] {
        let hands = door.client().shake_hands(door.tls, target).unwrap();
        assert!(hands.told_the_end, "{target}");
    }
}

#[test]
fn who_asks_nothing_is_told_that_it_is_over() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let (config, name) = door.client().offering(b"http/1.1");
    let mut socket = TcpStream::connect(door.tls).unwrap();
    socket.set_read_timeout(Some(seconds(20))).unwrap();
    let mut tls = rustls::ClientConnection::new(config, name.try_into().unwrap()).unwrap();
    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    let read = stream.read(&mut [0; 1]);
    // Without a word it would be an unexpected end.
    assert!(matches!(read, Ok(0)), "{read:?}");
}

#[test]
fn sessions_are_resumed_on_later_connections() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    for (versions, spoken) in [
        (&[&TLS13], ProtocolVersion::TLSv1_3),
        (&[&TLS12], ProtocolVersion::TLSv1_2),
    ] {
        let client = TlsClient::speaking(versions, NAME, &door.authority);
        let hands = || client.shake_hands(door.tls, "/status").unwrap();
        let (first, second) = (hands(), hands());
        assert_eq!((first.version, first.resumed), (spoken, false));
        assert_eq!((second.version, second.resumed), (spoken, true));
    }
}

#[test]
fn each_name_gets_its_certificate_and_each_player_the_kind_it_knows() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let authority = Authority::new();
    let files = [(); 3].map(|()| PairFiles::nowhere_yet());
    files[0].put(&authority, &[NAME], &RSA);
    files[1].put(&authority, &[NAME], &ECDSA);
    files[2].put(&authority, &["*.other.example"], &ECDSA);
    let (config, tls) = ConfigText::proxied(&fleet).and_tls_bind("");
    let config = files.iter().fold(config, |config, files| {
        config.with_section(&files.section())
    });
    let _balancer = Balancer::with_config(&config);
    let asking = |name| TlsClient::asking_for(name, &authority).shake_hands(tls, "/status");

    let named = asking(NAME).unwrap().certificate;
    let other = asking("x.other.example").unwrap().certificate;
    assert_ne!(named, other);
    assert!(
        asking("nobody.example").is_err(),
        "the default is not for that name"
    );
    let only = |kind| {
        let client = TlsClient::knowing_only(kind, NAME, &authority);
        client.shake_hands(tls, "/status").unwrap().certificate
    };
    assert_eq!(
        only(SignatureAlgorithm::ECDSA),
        named,
        "the light one is preferred"
    );
    assert_ne!(only(SignatureAlgorithm::RSA), named);
}

#[test]
fn certificates_change_while_listeners_come_and_listen() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let radios = door.radios(10, MOUNT);
    settled(&radios);
    let mut served = door
        .client()
        .shake_hands(door.tls, "/status")
        .unwrap()
        .certificate;

    for kind in [&ECDSA, &RSA, &ECDSA] {
        door.files.put(&door.authority, &[NAME], kind);
        eventually(seconds(8), "the new certificate is served", || {
            // A client of its own each time, so that nothing is resumed; none may fail.
            let hands = door.client().shake_hands(door.tls, "/status").unwrap();
            std::mem::replace(&mut served, hands.certificate.clone()) != hands.certificate
        });
    }

    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
}

#[test]
fn a_pair_that_cannot_be_used_is_told_and_not_taken() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let before = door.client().shake_hands(door.tls, "/status").unwrap();

    door.files.put_text("key.pem", "no key");

    eventually(seconds(10), "the log says so", || {
        let line = door
            .balancer
            .log_line_with("the certificate of before is served on");
        line.is_some_and(|line| line.contains("key.pem: no private key in it"))
    });
    let after = door.client().shake_hands(door.tls, "/status").unwrap();
    assert_eq!(after.certificate, before.certificate);
    let metrics = door.balancer.ask_as_operator("/metrics").text();
    assert!(
        metrics.contains("certificate_reloads_total{result=\"bad\"} 1"),
        "{metrics}"
    );
}

#[test]
fn who_never_says_hello_is_let_go_after_ten_seconds() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let half_a_hello = [0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
    let mut held: Vec<TcpStream> = (0..10)
        .map(|n| {
            let mut socket = TcpStream::connect(door.tls).unwrap();
            socket.write_all(&half_a_hello[..n]).unwrap();
            socket.set_read_timeout(Some(seconds(13))).unwrap();
            socket
        })
        .collect();
    let began = Instant::now();
    for socket in &mut held {
        // An end or a reset: whatever comes, it is over.
        let _ = socket.read_to_end(&mut Vec::new());
    }
    let took = began.elapsed();
    assert!(took > seconds(8) && took < seconds(12), "{took:?}");
}

#[test]
fn who_speaks_http_to_the_tls_port_is_let_go_at_once() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let began = Instant::now();
    let answer = Question::get(MOUNT).ask(door.tls);
    assert!(
        answer.is_err() && began.elapsed() < seconds(2),
        "{answer:?}"
    );
}
