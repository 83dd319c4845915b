//! The entrance: who is let in, on whose word, and who is sent to https.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::harness::{
    Authority, Balancer, ConfigText, FakeRelay, Fleet, PairFiles, Question, TlsClient, TuneIn,
    answers_to_bytes, eventually, millis, seconds,
};

const MOUNT: &str = "/live.mp3";

/// Whether the balancer closes a connection within 100 ms.
fn is_turned_away(server: SocketAddr) -> bool {
    let mut socket = TcpStream::connect(server).unwrap();
    socket.set_read_timeout(Some(millis(100))).unwrap();
    let read = socket.read(&mut [0; 1]);
    read.is_ok_and(|read| read == 0)
}

fn held(n: usize, server: SocketAddr) -> Vec<TcpStream> {
    (0..n)
        .map(|_| TcpStream::connect(server).unwrap())
        .collect()
}

#[test]
fn an_address_has_so_many_connections_and_no_more_and_the_operator_is_answered_all_the_same() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let limits = "[limits]\nconnections_per_address = 20\nexempt = []";
    let balancer = Balancer::with_config(&ConfigText::of(&fleet).with_section(limits));
    let server = balancer.address();
    let connections = |n: u32| {
        let metrics = balancer.ask_as_operator("/metrics").text();
        metrics.contains(&format!("icecast_balancer_connections {n}\n"))
    };
    eventually(seconds(3), "nobody is there", || connections(0));

    let guests = held(20, server);
    eventually(seconds(3), "all are counted", || connections(20));
    assert!(is_turned_away(server));
    let metrics = balancer.ask_as_operator("/metrics").text();
    assert!(
        metrics.contains("limited_total{over=\"address\"} 1"),
        "{metrics}"
    );
    let told = balancer.log_line_with("limits.connections_per_address");
    assert!(told.is_some(), "{}", balancer.said());

    drop(guests);
    eventually(seconds(3), "there is room again", || {
        !is_turned_away(server)
    });
    assert_eq!(balancer.tune_in(MOUNT).status, 307);
}

#[test]
fn there_are_so_many_connections_in_total_and_no_more() {
    let relay = FakeRelay::of(MOUNT);
    let config = ConfigText::of_none().and_relay_at(relay.address());
    let config = config.with("mode = \"proxy\"");
    let balancer = Balancer::with_config(&config.with_section("[limits]\nconnections = 10"));
    let mut radios = balancer.radios(9, MOUNT);
    eventually(seconds(3), "a tenth is there", || {
        let radio = TuneIn::to(MOUNT).at(balancer.address());
        radio.is_ok_and(|radio| {
            radios.push(radio);
            true
        })
    });
    assert!(is_turned_away(balancer.address()));
    assert_eq!(balancer.ask_as_operator("/ready").status, 200);
    let told = balancer.log_line_with("limits.connections are there");
    assert!(told.is_some(), "{}", balancer.said());
}

#[test]
fn who_says_nothing_gives_way_to_who_asks() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = ConfigText::of(&fleet).with_section("[limits]\nconnections = 10");
    let balancer = Balancer::with_config(&config);
    let mut silent = held(1, balancer.address());
    let crowd = held(30, balancer.address());

    for _ in 0..20 {
        assert_eq!(balancer.tune_in(MOUNT).status, 307);
    }

    let first = &mut silent[0];
    first.set_read_timeout(Some(seconds(1))).unwrap();
    assert!(first.read(&mut [0; 1]).is_ok_and(|read| read == 0));
    let metrics = balancer.ask_as_operator("/metrics").text();
    let gave_way = metrics.lines().find_map(|line| {
        line.strip_prefix("icecast_balancer_connections_let_go_total ")?
            .parse::<u32>()
            .ok()
    });
    // 21 of the crowd for each other, and one for the first who asked: he left a place for the next.
    assert!(gave_way >= Some(22), "{gave_way:?}");
    drop(crowd);
}

#[test]
fn who_begins_and_does_not_go_on_gives_way_too() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = ConfigText::of(&fleet).with_section("[limits]\nconnections = 5");
    let balancer = Balancer::with_config(&config);
    let answered = |mut socket: TcpStream| {
        write!(socket, "GET {MOUNT} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        socket.set_read_timeout(Some(seconds(5))).unwrap();
        assert!(socket.read(&mut [0; 1024]).unwrap() > 0);
        socket.write_all(b"G").unwrap();
        socket
    };
    let crowd: Vec<_> = held(5, balancer.address())
        .into_iter()
        .map(answered)
        .collect();
    for _ in 0..10 {
        assert_eq!(balancer.tune_in(MOUNT).status, 307);
    }
    drop(crowd);
}

#[test]
fn an_address_hears_so_many_streams_and_no_more() {
    let relay = FakeRelay::of(MOUNT);
    let config = ConfigText::of_none().and_relay_at(relay.address());
    let limits = "[limits]\nlisteners_per_address = 3\nexempt = []";
    let balancer = Balancer::with_config(&config.with("mode = \"proxy\"").with_section(limits));
    let radios = balancer.radios(3, MOUNT);

    let refused = balancer.tune_in(MOUNT);

    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("60"));
    drop(radios);
    eventually(seconds(5), "a listener left", || {
        TuneIn::to(MOUNT)
            .at(balancer.address())
            .is_ok_and(|radio| radio.head().status == 200)
    });
}

#[test]
fn a_proxy_in_front_says_who_listens_before_tls_and_before_http() {
    let relay = FakeRelay::of(MOUNT);
    let (authority, files) = (Authority::new(), PairFiles::nowhere_yet());
    files.put(
        &authority,
        &["radio.example"],
        &rcgen::PKCS_ECDSA_P256_SHA256,
    );
    let config = ConfigText::of_none()
        .and_relay_at(relay.address())
        .with("mode = \"proxy\"");
    let (config, plain) = config.and_plain_bind("proxy_protocol = true");
    let (config, tls) = config.and_tls_bind("proxy_protocol = true");
    let balancer = Balancer::with_config(&config.with_section(&files.section()));

    let mut socket = TcpStream::connect(plain).unwrap();
    let said = b"PROXY TCP4 198.51.100.7 203.0.113.1 40000 80\r\nGET /live.mp3 HTTP/1.0\r\n\r\n";
    socket.write_all(said).unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.0 200");
    let asked = relay.asked().pop().unwrap();
    assert!(
        asked.contains("X-Forwarded-For: 198.51.100.7\r\n"),
        "{asked}"
    );
    drop(socket);
    eventually(seconds(5), "the log names the listener", || {
        balancer.log_line_with("from 198.51.100.7:40000").is_some()
    });

    let client = TlsClient::asking_for("radio.example", &authority);
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x08\xcb\0\x71\x01\x9c\x40\x01\xbb";
    client.shake_hands_after(v2, tls, MOUNT).unwrap();
    let asked = relay.asked().pop().unwrap();
    assert!(
        asked.contains("X-Forwarded-For: 198.51.100.8\r\n"),
        "{asked}"
    );
    assert!(asked.contains("X-Forwarded-Proto: https\r\n"), "{asked}");
}

#[test]
fn who_does_not_begin_with_the_proxy_protocol_or_is_no_proxy_of_ours_is_turned_away() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let (config, plain) = ConfigText::of(&fleet).and_plain_bind("proxy_protocol = true");
    let balancer = Balancer::with_config(&config);
    let began = Instant::now();
    assert!(Question::get(MOUNT).ask(plain).is_err());
    assert!(began.elapsed() < seconds(2));
    assert_eq!(
        balancer.tune_in(MOUNT).status,
        307,
        "the other bind knows nothing of it"
    );

    let (config, plain) = ConfigText::of(&fleet).and_plain_bind("proxy_protocol = true");
    let _stranger = Balancer::with_config(&config.with("trusted_proxies = [\"10.0.0.0/8\"]"));
    assert!(is_turned_away(plain));
}

#[test]
fn browsers_are_sent_to_https_where_the_operator_wants_it_and_old_radios_are_not() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let (authority, files) = (Authority::new(), PairFiles::nowhere_yet());
    files.put(
        &authority,
        &["radio.example"],
        &rcgen::PKCS_ECDSA_P256_SHA256,
    );
    let (config, tls) = ConfigText::of(&fleet).and_tls_bind("");
    let config = config
        .with_section("[redirect]\nhttps_hosts = [\"radio.example:8443\"]\n[tls]\nhsts = \"1h\"")
        .with_section(&files.section());
    let balancer = Balancer::with_config(&config);
    let asked = |agent, target: &str| {
        let question = format!(
            "GET {target} HTTP/1.1\r\nHost: radio.example:80\r\nUser-Agent: {agent}\r\n\r\n"
        );
        answers_to_bytes(balancer.address(), question.as_bytes())
    };
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

    let answer = asked(firefox, "/live.mp3?a=b");
    assert!(
        answer.contains("\r\nLocation: https://radio.example:8443/live.mp3?a=b\r\n"),
        "{answer}"
    );
    let answer = asked("VLC/3.0.18", MOUNT);
    assert!(answer.contains("\r\nLocation: http://127."), "{answer}");
    assert!(!answer.contains("Strict-Transport-Security"), "{answer}");

    let near = TlsClient::asking_for("radio.example", &authority).tunnel_to(tls);
    let page = Question::get("/status").ask(near).unwrap();
    assert_eq!(
        page.header("strict-transport-security"),
        Some("max-age=3600")
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("server"), Some("icecast-balancer"));
}
