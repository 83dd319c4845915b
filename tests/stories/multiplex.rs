//! HTTP/2, where a bind says so: many requests on one connection, streams that go on, and no more than is good.

use std::io::Read;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Instant;

use http::Method;

use crate::harness::{
    BURST_BYTES, BYTES_PER_SECOND, Browser, ConfigText, Door, FakeRelay, Fleet, Multiplexed,
    assert_unbroken, eventually, seconds,
};

const MOUNT: &str = "/live.mp3";

fn redirecting() -> (Fleet, Door) {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let secure = format!("public_url = \"https://{}\"", fleet.names()[0]);
    let door = Door::with(ConfigText::of(&fleet).with_relay(1, &secure));
    (fleet, door)
}

#[test]
fn where_it_is_on_curl_is_redirected_by_it_and_where_it_is_off_by_http_1_1() {
    let (fleet, door) = redirecting();
    let curl = |server: SocketAddr| {
        let name = Door::NAME;
        let resolved = format!("{name}:{}:{}", server.port(), server.ip());
        let url = format!("https://{name}:{}{MOUNT}?a=1", server.port());
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--http2", "--max-time", "10", "--resolve", &resolved]);
        curl.args(["-o", "/dev/null", "-w"]);
        curl.arg("%{http_version} %{http_code} %{redirect_url}");
        curl.arg("--cacert").arg(door.authority.file()).arg(&url);
        let done = curl.output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let expected = format!("307 https://{}{MOUNT}?a=1", fleet.names()[0]);
    assert_eq!(curl(door.h2), format!("2 {expected}"));
    assert_eq!(curl(door.tls), format!("1.1 {expected}"));
    assert!(Multiplexed::of(&door.client(), door.tls).is_err());
}

#[test]
fn a_relay_is_killed_and_the_streams_of_one_connection_go_on() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let player = door.player();
    let streams = [(); 4].map(|()| player.tune_in(MOUNT).unwrap());
    for stream in &streams {
        assert_eq!(stream.head.status(), 200);
        assert_eq!(stream.head.headers()["content-type"], "audio/mpeg");
        assert!(!stream.head.headers().contains_key("transfer-encoding"));
        stream.hear_up_to(BURST_BYTES);
    }
    let (redirect, _) = player.ask(Method::GET, "/status").unwrap();
    assert_eq!(redirect.status(), 200, "others are served beside them");

    let moving = door.balancer.admin_status().of(fleet.relay(1)).streams();
    assert!(moving > 0);
    fleet.relay(1).kill();

    let whole = |bytes| streams.each_ref().map(|stream| stream.hear_up_to(bytes));
    let heard = whole(BURST_BYTES + 5 * BYTES_PER_SECOND);
    for heard in heard {
        assert_unbroken(&heard, &fleet.source(MOUNT).programme());
    }
    assert_eq!(door.balancer.seams("exact"), moving);

    drop(player);
    eventually(seconds(5), "each has a line in the log", || {
        door.balancer.said().matches("left: hung up").count() == 4
    });
    eventually(seconds(5), "nobody is counted any more", || {
        let metrics = door.balancer.ask_as_operator("/metrics").text();
        metrics.contains("icecast_balancer_connections 0\n")
    });
}

#[test]
fn a_stream_that_cannot_go_on_is_broken_off_and_not_ended() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = ConfigText::proxied(&fleet).with_section("[stream]\nhold = \"1s\"");
    let door = Door::with(config);
    let player = door.player();
    let stream = player.tune_in(MOUNT).unwrap();
    stream.hear_up_to(BURST_BYTES);

    fleet.relay(1).kill();

    eventually(seconds(10), "it is over", || stream.end().is_some());
    assert!(matches!(stream.end(), Some(Err(_))), "{:?}", stream.end());
    let told = door.balancer.log_line_with("no relay could take over");
    let told = told.unwrap_or_default();
    assert!(
        told.contains(" bytes in") && !told.contains(" 0 bytes"),
        "{told}"
    );
    let (refusal, _) = player.ask(Method::GET, MOUNT).unwrap();
    assert_eq!(refusal.status(), 503, "the connection is as good as before");
}

#[test]
fn requests_are_judged_as_everywhere() {
    let (_fleet, door) = redirecting();
    let player = door.player();
    let long = format!("/{}", "a".repeat(8 * 1024));
    for (method, target, status) in [
        (Method::GET, "/no-such-mount", 404),
        (Method::HEAD, MOUNT, 200),
        (Method::OPTIONS, MOUNT, 204),
        (Method::POST, MOUNT, 405),
        (Method::DELETE, MOUNT, 405),
        (Method::GET, "//evil.example", 400),
        (Method::GET, "/a\"b", 400),
        (Method::GET, &long, 414),
    ] {
        let answer = player.ask(method.clone(), target).unwrap();
        assert_eq!(answer.0.status(), status, "{method} {target}");
        assert_eq!(answer.0.headers()["server"], "icecast-balancer");
    }
}

#[test]
fn streams_of_one_connection_count_as_listeners_and_as_connections() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let limits = "[limits]\nconnections = 4\nlisteners_per_address = 3\nexempt = []";
    let door = Door::with(ConfigText::proxied(&fleet).with_section(limits));
    let player = door.player();
    let streams = [(); 3].map(|()| player.tune_in(MOUNT).unwrap());
    assert!(streams.iter().all(|stream| stream.head.status() == 200));
    let (refusal, text) = player.ask(Method::GET, MOUNT).unwrap();
    assert_eq!(refusal.status(), 429, "{text}");
    let metrics = door.balancer.ask_as_operator("/metrics").text();
    assert!(metrics.contains("icecast_balancer_connections 4\n"));
}

#[test]
fn who_asks_nothing_gives_way_to_one_and_not_to_two() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = ConfigText::of(&fleet).with_section("[limits]\nconnections = 4");
    let door = Door::with(config);
    // Nor does one of them go when told so.
    let first = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let crowd: Vec<_> = (0..12).map(|_| door.mute(first)).collect();
    eventually(seconds(5), "there are as many as may be", || {
        let metrics = door.balancer.ask_as_operator("/metrics").text();
        metrics.contains("icecast_balancer_connections 4\n")
            && metrics.contains("icecast_balancer_connections_let_go_total 8\n")
    });
    drop(crowd);
}

#[test]
fn relays_that_refuse_are_passed_over_and_the_last_word_is_told() {
    let refusing = FakeRelay::answering(MOUNT, "HTTP/1.0 401 Unauthorized\r\n\r\n");
    let full = FakeRelay::answering(MOUNT, "HTTP/1.0 403 Forbidden\r\n\r\n");
    let serving = FakeRelay::of(MOUNT);
    let before = |relays: &[&FakeRelay]| {
        let addresses = relays.iter().map(|relay| relay.address());
        let config = addresses.fold(ConfigText::of_none(), ConfigText::and_relay_at);
        Door::with(config.with("mode = \"proxy\""))
    };
    let status = |door: &Door| door.player().ask(Method::GET, MOUNT).unwrap().0.status();
    assert_eq!(status(&before(&[&refusing, &full])), 401);
    assert_eq!(status(&before(&[&full])), 503);

    let door = before(&[&refusing, &full, &serving]);
    let player = door.player();
    let streams = [(); 3].map(|()| player.tune_in(MOUNT).unwrap());
    for stream in &streams {
        stream.hear_up_to(BURST_BYTES);
    }
    assert!(!refusing.asked().is_empty() && !full.asked().is_empty());
}

#[test]
fn who_stops_one_stream_of_several_leaves_a_line() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let player = door.player();
    let streams = [(); 2].map(|()| player.tune_in(MOUNT).unwrap());
    for stream in &streams {
        stream.hear_up_to(BURST_BYTES);
    }
    let [stopped, other] = streams;
    stopped.stop();
    eventually(seconds(5), "it has its line", || {
        door.balancer.said().contains("left: hung up")
    });
    other.hear_up_to(BURST_BYTES + 2 * BYTES_PER_SECOND);
    assert_eq!(door.balancer.said().matches(" left: ").count(), 1);
}

#[test]
fn after_a_thousand_requests_a_connection_is_asked_to_go() {
    let (_fleet, door) = redirecting();
    let player = door.player();
    for _ in 0..1_000 {
        let (answer, _) = player.ask(Method::GET, MOUNT).unwrap();
        assert_eq!(answer.status(), 307);
    }
    eventually(seconds(5), "it is over", || player.is_over());
    assert_eq!(
        door.player().ask(Method::GET, MOUNT).unwrap().0.status(),
        307
    );
}

#[test]
fn who_takes_everything_back_is_hung_up_on_and_nobody_suffers() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let good = door.player();
    let stream = good.tune_in(MOUNT).unwrap();
    stream.hear_up_to(BURST_BYTES);

    let attacker = door.player();
    let done = attacker.ask_and_take_back(10_000, MOUNT);
    assert!(done < 10_000, "{done}");
    eventually(seconds(10), "it is over", || attacker.is_over());

    let heard = stream.hear_up_to(BURST_BYTES + 2 * BYTES_PER_SECOND);
    assert_unbroken(&heard, &fleet.source(MOUNT).programme());
    eventually(seconds(10), "only the good one is heard", || {
        let metrics = door.balancer.ask_as_operator("/metrics").text();
        metrics.contains("icecast_balancer_connections 2\n")
    });
}

#[test]
fn who_does_not_begin_is_hung_up_on_after_five_seconds() {
    let (_fleet, door) = redirecting();
    let mut stream = door.mute(b"PRI * HTTP/2.0\r\n");
    let began = Instant::now();
    let mut said = Vec::new();
    // With a word or without: it is over.
    let _ = stream.read_to_end(&mut said);
    let waited = began.elapsed();
    assert!(seconds(4) < waited && waited < seconds(8), "{waited:?}");
}

#[test]
fn a_browser_plays_it() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let door = Door::with(ConfigText::proxied(&fleet));
    let Some(browser) = Browser::playing(&format!("https://{}{MOUNT}", door.h2)) else {
        return;
    };
    eventually(seconds(20), "it plays", || browser.played_seconds() > 5.0);
}

#[test]
fn at_a_stop_it_is_told_to_go_and_its_streams_go_on_until_they_are_sent_away() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let times = "[stop]\ndrain_delay = \"0s\"\ndrain_timeout = \"3s\"";
    let door = Door::with(ConfigText::proxied(&fleet).with_section(times));
    let (listening, idle) = (door.player(), door.player());
    let stream = listening.tune_in(MOUNT).unwrap();
    stream.hear_up_to(BURST_BYTES);

    door.balancer.process().signal("TERM");
    eventually(seconds(2), "who asks nothing goes", || idle.is_over());
    let heard = stream.hear_up_to(BURST_BYTES + BYTES_PER_SECOND);
    assert_unbroken(&heard, &fleet.source(MOUNT).programme());
    assert_eq!(stream.end(), None);

    eventually(seconds(5), "the process ends", || {
        door.balancer.process().ended().is_some()
    });
    assert_ne!(
        stream.end(),
        Some(Ok(())),
        "he hears that it was broken off"
    );
    let told = door.balancer.log_line_with("left: the balancer stopped");
    assert!(told.is_some(), "{}", door.balancer.said());
}
