//! Proxy: a listener whose stream is carried gets what his player understands, and relays learn who he is.

use crate::harness::{
    BURST_BYTES, BYTES_PER_SECOND, Balancer, ConfigText, End, Fleet, Question, TuneIn,
    assert_unbroken, eventually, seconds,
};

const MOUNT: &str = "/live.mp3";

#[test]
fn an_old_player_gets_http_1_0_and_raw_bytes() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));

    let radio = balancer.radio_that(&TuneIn::in_http_1_0(MOUNT));

    let head = radio.head();
    assert_eq!(head.status_line, "HTTP/1.0 200 OK");
    assert_eq!(head.header("transfer-encoding"), None);
    assert_eq!(head.header("content-length"), None);
    assert_eq!(head.header("connection"), Some("close"));
    radio.hear_up_to(BURST_BYTES + BYTES_PER_SECOND, seconds(10));
    assert_unbroken(&radio.audio(), &fleet.source(MOUNT).programme());
}

#[test]
fn a_web_player_gets_what_the_station_says_and_may_read_it() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));

    let range = TuneIn::to(MOUNT).with(("Range", "bytes=100-199"));
    let radio = balancer.radio_that(&range);

    let head = radio.head();
    assert_eq!(head.status_line, "HTTP/1.1 200 OK");
    for (name, value) in [
        ("transfer-encoding", Some("chunked")),
        ("content-type", Some("audio/mpeg")),
        ("access-control-allow-origin", Some("*")),
        ("cache-control", Some("no-cache, no-store")),
        ("server", Some("icecast-balancer")),
        ("icy-metaint", None),
        ("content-range", None),
    ] {
        assert_eq!(head.header(name), value, "{name}");
    }
    let direct = TuneIn::to(MOUNT).at(fleet.relay(1).address()).unwrap();
    let stations = |head: &[(String, String)]| -> Vec<_> {
        let fields = head.iter().filter(|(name, _)| name.starts_with("icy-"));
        fields.cloned().collect()
    };
    assert!(!stations(&head.headers).is_empty());
    assert_eq!(stations(&head.headers), stations(&direct.head().headers));
    radio.hear_up_to(BURST_BYTES + BYTES_PER_SECOND, seconds(10));
    assert_unbroken(&radio.audio(), &fleet.source(MOUNT).programme());
}

#[test]
fn questions_about_a_carried_mount_take_no_seat() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));

    let head = balancer.asked(&Question::new("HEAD", MOUNT));
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("audio/mpeg"));
    let preflight = balancer.asked(&Question::new("OPTIONS", MOUNT));
    assert_eq!(preflight.status, 204);
    let post = balancer.asked(&Question::new("POST", MOUNT));
    assert_eq!(post.status, 405);
    let body = Question::get(MOUNT).with(("Content-Length", "5"));
    assert_eq!(balancer.asked(&body).status, 400);
    assert_eq!(balancer.asked(&Question::get("/nothing.mp3")).status, 404);
    let status = balancer.admin_status().of(fleet.relay(1));
    assert_eq!((status.listeners(), status.pending()), (0, 0));
}

#[test]
fn titles_come_to_who_asks_for_them() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    fleet.master().set_title(MOUNT, "one");
    fleet.relay(1).wait_for_title(MOUNT, "one");
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));

    let radio = balancer.radio_that(&TuneIn::to(MOUNT).with_titles());

    assert_eq!(radio.head().header("icy-metaint"), Some("16000"));
    eventually(seconds(8), "the title", || {
        radio.titles().last().is_some_and(|title| title == "one")
    });
    assert_unbroken(&radio.audio(), &fleet.source(MOUNT).programme());
}

#[test]
fn a_half_closed_connection_and_a_stray_byte_do_not_end_a_stream() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let closes = balancer.radio(MOUNT);
    let strays = balancer.radio_that(&TuneIn::to(MOUNT).with_bytes_behind(b"\r\n"));
    let sends = balancer.radio(MOUNT);

    closes.close_its_side();
    sends.send(b"x");

    for radio in [&closes, &strays, &sends] {
        radio.hear_up_to(BURST_BYTES + 3 * BYTES_PER_SECOND, seconds(15));
        assert_eq!(radio.end(), None);
        assert_unbroken(&radio.audio(), &fleet.source(MOUNT).programme());
    }
}

#[test]
fn who_hangs_up_frees_his_place_on_the_relay() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let mut radios = balancer.radios(3, MOUNT);
    let reported = || fleet.relay(1).reported_listeners();
    eventually(seconds(3), "three are there", || reported() == 3);

    radios.pop().unwrap().hang_up();

    eventually(seconds(3), "one is gone", || reported() == 2);
}

#[test]
fn players_that_do_not_follow_redirects_are_carried_and_the_rest_is_redirected() {
    let fleet = Fleet::of(1).carrying_all(&[MOUNT, "/other.mp3"]);
    let rule = "[[rule]]\nuser_agent = \"^sonos\"\nmode = \"proxy\"";
    let mount = "[[mount]]\npath = \"/other.mp3\"\nmode = \"proxy\"";
    let config = ConfigText::of(&fleet)
        .with_section(rule)
        .with_section(mount);
    let balancer = Balancer::with_config(&config);

    let old = balancer.radio_that(&TuneIn::to(MOUNT).with(("User-Agent", "Sonos/60.1")));
    assert_eq!(old.head().status, 200);
    let new = balancer.tune_in_with(("User-Agent", "not Sonos"), MOUNT);
    assert_eq!(new.status, 307);
    assert_eq!(balancer.tune_in(MOUNT).status, 307);
    assert_eq!(balancer.radio("/other.mp3").head().status, 200);
}

#[test]
fn on_https_a_listener_is_carried_where_relays_have_only_http() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let by_https = || TuneIn::to(MOUNT).with(("X-Forwarded-Proto", "https"));
    let balancer = Balancer::with_config(&ConfigText::of(&fleet));
    let radio = balancer.radio_that(&by_https());
    assert_eq!(radio.head().status, 200);
    assert_eq!(
        balancer.tune_in(MOUNT).status,
        307,
        "by http he is redirected"
    );

    let refuse = ConfigText::of(&fleet).with_section("[redirect]\nwithout_https = \"refuse\"");
    let strict = Balancer::with_config(&refuse);
    assert_eq!(strict.radio_that(&by_https()).head().status, 503);

    let public = "public_url = [\"http://a.example\", \"https://a.example\"]";
    let secure = Balancer::with_config(&ConfigText::of(&fleet).with_relay(1, public));
    let answer = secure.radio_that(&by_https());
    assert_eq!(answer.head().status, 307);
    assert_eq!(answer.head().location(), "https://a.example/live.mp3");
}

#[test]
fn a_listener_leaves_one_line_in_the_log() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let agent = ("User-Agent", "Radio/1.0 (\"kitchen\")");
    let radio = balancer.radio_that(&TuneIn::to(MOUNT).with(agent));
    radio.hear_up_to(BURST_BYTES, seconds(5));
    let on_relay_1 = || fleet.relay(1).reported_listeners() == 1;
    eventually(seconds(3), "a relay has him", || {
        on_relay_1() || fleet.relay(2).reported_listeners() == 1
    });
    let (first, second) = if on_relay_1() { (1, 2) } else { (2, 1) };
    fleet.relay(first).kill();
    radio.hear(2 * BYTES_PER_SECOND, seconds(10));

    let address = radio.address();
    radio.hang_up();

    eventually(seconds(5), "a line in the log", || {
        balancer.log_line_with("left:").is_some()
    });
    let line = balancer.log_line_with("left:").unwrap();
    let relays = [first, second].map(|number| fleet.relay(number).name());
    for part in [
        "INFO",
        "/live.mp3 left: hung up",
        &format!("relay {}", relays.join(" > ")),
        " bytes in ",
        "seams exact=1 guessed=0 audible=0",
        &format!("from {address} \"Radio/1.0 (\\\"kitchen\\\")\""),
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert_eq!(balancer.log_line_with("ERROR"), None);
}

#[test]
fn carried_listeners_are_counted_once_and_exactly() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    // No poll comes between what happens here, once those of the first seconds are over.
    let config = ConfigText::proxied(&fleet).polled("interval = \"60s\"\ntimeout = \"500ms\"");
    let balancer = Balancer::with_config(&config);
    balancer.wait_for_the_interval();
    let load = |number| {
        let status = balancer.admin_status().of(fleet.relay(number));
        status.taken()
    };
    let mut radios = balancer.radios(10, MOUNT);
    assert_eq!([load(1), load(2)], [5, 5]);

    radios.truncate(4);
    eventually(seconds(4), "the six that left count no more", || {
        load(1) + load(2) == 4
    });
    radios.extend(balancer.radios(6, MOUNT));
    assert_eq!([load(1), load(2)], [5, 5], "the emptier one was filled up");

    let often = Balancer::with_config(&ConfigText::proxied(&fleet));
    let reported = || [1, 2].map(|number| often.admin_status().of(fleet.relay(number)).taken());
    eventually(seconds(4), "another balancer sees the same", || {
        reported() == [5, 5]
    });
    drop(balancer);
    assert!(
        radios
            .iter()
            .all(|radio| radio.hear_the_end(seconds(5)) != End::Complete)
    );
}
