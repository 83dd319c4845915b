//! Odd guests: requests that libraries below us would answer by themselves, and listeners whom proxies in front tell of.

use std::net::{Ipv6Addr, SocketAddr};

use http::Method;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256 as ECDSA};

use crate::harness::{
    Authority, Balancer, ConfigText, Ended, FakeRelay, Multiplexed, PairFiles, Question, TlsClient,
    TuneIn, answers_to_bytes, eventually, open_port, seconds,
};

const MOUNT: &str = "/live.mp3";
const NAME: &str = "radio.example";
const SECRET: &str = "a-token-that-nobody-may-read";

/// A balancer that carries one relay's stream, with this beside it in its configuration.
fn carrying(relay: &FakeRelay, config: &str) -> Balancer {
    let carried = ConfigText::of_none().and_relay_at(relay.address());
    Balancer::with_config(&carried.with("mode = \"proxy\"").with_section(config))
}

#[test]
fn a_broken_request_of_an_operator_is_answered_and_its_token_is_not_logged() {
    let relay = FakeRelay::of(MOUNT);
    let balancer = carrying(&relay, "");
    for broken in ["Bad Field\r\n", "A: b\r\n".repeat(300).as_str()] {
        let request = format!(
            "POST /relays/a/drain HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SECRET}\r\n{broken}\r\n"
        );
        let answer = answers_to_bytes(balancer.admin(), request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
        assert!(answer.contains("Server: icecast-balancer\r\n"), "{answer}");
    }
    let log = balancer.log();
    assert!(!log.contains(SECRET), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    let alive = answers_to_bytes(balancer.admin(), b"GET /live HTTP/1.0\r\n\r\n");
    assert!(alive.contains("\r\n\r\nlive\n"), "{alive}");
}

#[test]
fn on_https_every_answer_is_in_our_name_and_says_that_https_is_to_stay() {
    let relay = FakeRelay::of(MOUNT);
    let (authority, files) = (Authority::new(), PairFiles::nowhere_yet());
    files.put(&authority, &[NAME], &ECDSA);
    let carried = ConfigText::of_none().and_relay_at(relay.address());
    let carried = carried.with("mode = \"proxy\"\ntls.hsts = \"1h\"");
    let (config, server) = carried.and_tls_bind("h2 = true");
    let balancer = Balancer::with_config(&config.with_section(&files.section()));
    let client = TlsClient::asking_for(NAME, &authority);
    let player = Multiplexed::of(&client, server).unwrap();

    for (method, target) in [(Method::CONNECT, ""), (Method::POST, MOUNT)] {
        let (head, _) = player.ask(method.clone(), target).unwrap();
        assert_eq!(head.status(), 405, "{method}");
        assert_eq!(head.headers()["server"], "icecast-balancer", "{method}");
        assert_eq!(head.headers()["allow"], "GET, HEAD, OPTIONS", "{method}");
    }
    let stream = player.tune_in(MOUNT).unwrap();
    let fields = stream.head.headers();
    assert_eq!(fields["strict-transport-security"], "max-age=3600");
    let radio = TuneIn::to(MOUNT).at(client.tunnel_to(server)).unwrap();
    let hsts = radio.head().header("strict-transport-security");
    assert_eq!(hsts, Some("max-age=3600"));
    let plain = balancer.radio(MOUNT);
    assert_eq!(plain.head().header("strict-transport-security"), None);
}

#[test]
fn every_page_forbids_a_browser_to_do_more_than_show_it() {
    let relay = FakeRelay::of(MOUNT);
    let balancer = carrying(&relay, "");
    let (public, admin) = (balancer.address(), balancer.admin());
    for (server, request) in [
        (public, "GET /status HTTP/1.0\r\n\r\n"),
        (public, "GET /nowhere HTTP/1.0\r\n\r\n"),
        (public, "garbage\r\n\r\n"),
        (admin, "GET /status HTTP/1.0\r\n\r\n"),
        (admin, "GET /nowhere HTTP/1.0\r\n\r\n"),
        (admin, "garbage\r\n\r\n"),
    ] {
        let answer = answers_to_bytes(server, request.as_bytes());
        for field in [
            "Server: icecast-balancer",
            "X-Content-Type-Options: nosniff",
            "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
            "Referrer-Policy: no-referrer",
        ] {
            let has = answer.lines().any(|line| line.eq_ignore_ascii_case(field));
            assert!(has, "{field} of {request:?} in {answer}");
        }
    }
}

#[test]
fn a_check_tells_of_a_certificate_that_has_ended() {
    let (authority, files) = (Authority::new(), PairFiles::nowhere_yet());
    let relay = "[[relay]]\nurl = \"http://127.0.0.1:8000\"";
    let check = || Ended::of_config("check", &format!("{relay}\n{}", files.section()));
    files.put(&authority, &[NAME], &ECDSA);
    let good = check();
    assert!(!good.said().contains("ended"), "{}", good.said());

    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2001, 12, 31);
    files.put_text("cert.pem", &params.self_signed(&key).unwrap().pem());
    files.put_text("key.pem", &key.serialize_pem());

    let ended = check();
    assert_eq!(ended.code, Some(0), "it may be the only one there is");
    let said = ended.said();
    let told = "cert.pem ended at 2001-12-31T00:00:00Z: players refuse it";
    assert!(said.contains(told), "{said}");
}

#[test]
fn two_binds_of_one_port_each_have_their_own_way() {
    let relay = FakeRelay::of(MOUNT);
    let (authority, files) = (Authority::new(), PairFiles::nowhere_yet());
    files.put(&authority, &[NAME], &ECDSA);
    let port = open_port();
    let binds = format!(
        "{}\n[[bind]]\naddress = \"[::]:{port}\"\ntls = true\n[[bind]]\naddress = \"0.0.0.0:{port}\"",
        files.section()
    );
    let _balancer = carrying(&relay, &binds);

    let plain = SocketAddr::from(([127, 0, 0, 1], port));
    let answer = Question::get("/status").ask(plain).unwrap();
    assert_eq!(answer.status, 200);
    let secure = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let client = TlsClient::asking_for(NAME, &authority);
    client.shake_hands(secure, "/status").unwrap();
}

#[test]
fn a_listener_behind_a_proxy_is_limited_logged_and_told_of_by_his_own_address() {
    let relay = FakeRelay::of(MOUNT);
    let port = open_port();
    let balancer = carrying(
        &relay,
        &format!("[limits]\nlisteners_per_address = 2\n[[bind]]\naddress = \"[::]:{port}\""),
    );
    // Here the proxy's address looks like ::ffff:127.0.0.1.
    let proxy = SocketAddr::from(([127, 0, 0, 1], port));
    let from = |told: &str| {
        let asks = TuneIn::to(MOUNT).with(("X-Forwarded-For", told));
        asks.at(proxy).unwrap()
    };

    let radios = [
        from("198.51.100.7"),
        from("192.0.2.1, 198.51.100.7:4711, 10.0.0.1"),
    ];

    let told: Vec<String> = relay.asked();
    for addresses in [
        "198.51.100.7, 127.0.0.1",
        // What the listener invented stands before its own address, and goes no further.
        "198.51.100.7, 10.0.0.1, 127.0.0.1",
    ] {
        let line = format!("X-Forwarded-For: {addresses}\r\n");
        assert!(told.iter().any(|head| head.contains(&line)), "{told:?}");
    }
    for radio in &radios {
        assert_eq!(radio.head().status, 200);
    }
    assert_eq!(from("198.51.100.7").head().status, 429);
    // What he made up himself stands before what the proxy says of him.
    assert_eq!(from("\u{e9}, 198.51.100.7").head().status, 429);
    assert_eq!(from("[2001:db8::1]:80").head().status, 200);
    assert_eq!(from("unknown").head().status, 200);
    drop(radios);
    eventually(seconds(5), "the log names the listener", || {
        balancer.log_line_with("from 198.51.100.7 ").is_some()
    });
    eventually(seconds(5), "his places are free again", || {
        from("198.51.100.7").head().status == 200
    });
}
