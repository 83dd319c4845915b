//! Control: what an operator tells a running balancer, by HTTP and by the command line, and who may not.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::harness::{
    Balancer, ConfigText, Ended, Fleet, Guarded, Hostile, Manner, TOKEN, TokenFile, eventually,
    seconds,
};

fn one_line(text: &str) -> bool {
    text.trim_end().lines().count() == 1
}

#[test]
fn a_drained_relay_gets_no_new_listener_until_it_is_ready_again() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let guarded = Guarded::in_front_of(&fleet);
    let balancer = &guarded.balancer;
    let name = fleet.relay(1).name();
    let shares = || fleet.shares(&balancer.tune_in_times(20, "/live.mp3"));
    assert_eq!(shares(), [10, 10]);

    for order in ["drain", "maint"] {
        let ended = guarded.command(&[order, &name]);
        assert_eq!(ended.code, Some(0), "{}", ended.said());
        assert!(ended.output.contains(&format!("{name}: {order} (")));
        let said = balancer.admin_status().of(fleet.relay(1));
        assert_eq!(said.admin_state(), order);
        assert_eq!(said.ineligible(), "draining");
        assert_eq!(shares(), [0, 20], "{order}");
    }

    let ended = guarded.command(&["ready", &name]);
    assert_eq!(ended.code, Some(0), "{}", ended.said());
    eventually(seconds(5), "both are chosen", || {
        shares().iter().all(|&share| share > 0)
    });
    for order in ["drain", "maint", "ready"] {
        let line = format!("relay {name}: {order}, asked by 127.0.0.1:");
        let said = balancer.said();
        assert_eq!(said.matches(&line).count(), 1, "{line} in {said}");
    }
}

#[test]
fn who_does_not_know_the_token_changes_nothing() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let guarded = Guarded::in_front_of(&fleet);
    let name = fleet.relay(1).name();
    let drain = format!("/relays/{name}/drain");

    let (status, said) = guarded.post(&drain, None);
    assert_eq!(status, 401, "{said}");
    let (status, said) = guarded.post(&drain, Some("Bearer q8fJ0c"));
    assert_eq!(status, 401, "{said}");
    let wrong = TokenFile::of("canary-2b7e");
    let ended = guarded.command_by_flags(&["drain", &name], &wrong);
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("refused the token"), "{ended:?}");
    assert!(one_line(&ended.errors), "{ended:?}");

    let state = || guarded.balancer.admin_status().of(fleet.relay(1));
    assert_eq!(state().admin_state(), "ready");
    assert_eq!(guarded.balancer.tune_in("/live.mp3").status, 307);
    assert_eq!(
        guarded.post(&drain, Some(&format!("Bearer {TOKEN}"))).0,
        200
    );
    assert_eq!(state().admin_state(), "drain");
    let log = guarded.balancer.said();
    assert!(log.contains("wrong token"), "{log}");
    for secret in [TOKEN, "canary-2b7e"] {
        assert!(!log.contains(secret) && !ended.said().contains(secret));
    }
}

#[test]
fn wrong_tokens_are_limited_and_the_right_one_still_passes() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let guarded = Guarded::in_front_of(&fleet);
    let drain = format!("/relays/{}/drain", fleet.relay(1).name());

    let guess = |n| guarded.post(&drain, Some(&format!("Bearer guess{n}"))).0;
    let answers: Vec<u16> = (0..8).map(guess).collect();
    assert_eq!(answers, [401, 401, 401, 401, 401, 429, 429, 429]);

    let wrong = TokenFile::of("another-wrong-guess");
    let ended = guarded.command_by_flags(&["drain", &fleet.relay(1).name()], &wrong);
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("too many of them"), "{ended:?}");
    let ended = guarded.command(&["drain", &fleet.relay(1).name()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(guess(9), 429);
    let state = guarded.balancer.admin_status().of(fleet.relay(1));
    assert_eq!(state.admin_state(), "drain");
    assert_eq!(guarded.balancer.ask_as_operator("/status").status, 200);
}

#[test]
fn a_relay_that_is_not_there_is_answered_with_those_that_are() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let guarded = Guarded::in_front_of(&fleet);

    // Exact names only: a beginning of one is another name.
    let name = fleet.relay(1).name();
    let begun = name.strip_suffix(|_: char| true).unwrap();
    let ended = guarded.command(&["drain", begun]);

    assert_eq!(ended.code, Some(1));
    assert!(one_line(&ended.errors), "{ended:?}");
    for name in fleet.names() {
        assert!(ended.errors.contains(&name), "{ended:?}");
        let said = guarded.balancer.admin_status().named(&name);
        assert_eq!(said.admin_state(), "ready");
    }
}

#[test]
fn without_a_token_the_balancer_changes_nothing_and_says_what_to_set() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::with_config(&ConfigText::of(&fleet));
    let token = TokenFile::of(TOKEN);
    let guarded = Guarded { balancer, token };
    let name = fleet.relay(1).name();

    let by_config = guarded.command(&["drain", &name]);
    assert_eq!(by_config.code, Some(64), "{by_config:?}");
    let by_flags = guarded.command_by_flags(&["drain", &name], &guarded.token);
    assert_eq!(by_flags.code, Some(1), "{by_flags:?}");

    for ended in [by_config, by_flags] {
        assert!(ended.errors.contains("admin.token_file"), "{ended:?}");
        assert!(one_line(&ended.errors), "{ended:?}");
    }
    let said = guarded.balancer.admin_status().of(fleet.relay(1));
    assert_eq!(said.admin_state(), "ready");
}

#[test]
fn the_status_shows_every_relay_and_why_one_takes_no_listener() {
    let fleet = Fleet::of(3).carrying("/live.mp3");
    let guarded = Guarded::in_front_of(&fleet);
    fleet.relay(2).kill();
    let dead = || guarded.balancer.admin_status().of(fleet.relay(2)).health() == "down";
    eventually(seconds(5), "relay 2 is down", dead);
    let drain = guarded.command_by_flags(&["drain", &fleet.relay(3).name()], &guarded.token);
    assert_eq!(drain.code, Some(0), "{drain:?}");

    let table = guarded.command(&["status"]);

    assert_eq!(table.code, Some(0), "{table:?}");
    let line = |number: usize| {
        let name = fleet.relay(number).name();
        let mut lines = table.output.lines();
        let found = lines.find(|line| line.starts_with(&format!("{name} ")));
        found.unwrap_or_else(|| panic!("no {name} in {}", table.output))
    };
    assert!(line(1).ends_with("yes"), "{}", line(1));
    assert!(line(2).contains("no: down ("), "{}", line(2));
    assert!(line(3).contains("no: draining"), "{}", line(3));
    assert!(table.output.contains("1 of 3 relays take listeners"));

    let json = guarded.command(&["status", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&json.output).unwrap();
    assert_eq!(document["relays"].as_array().unwrap().len(), 3);
}

#[test]
fn where_no_balancer_runs_the_commands_say_where_they_looked() {
    // Taken, so that nobody else is there, and never accepted from.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let token = TokenFile::of(TOKEN);
    let status = ["status"].as_slice();
    let drain = ["drain", "a", "--token-file", token.path()];
    for (command, address, words) in [
        (status, nobody(), "connection refused"),
        (&drain, nobody(), "connection refused"),
        (status, silent, "no answer"),
    ] {
        let admin = address.to_string();
        let ended = Ended::of(&[command, &["--admin", &admin]].concat());

        assert_eq!(ended.code, Some(1), "{ended:?}");
        for word in [&admin, words, "--admin"] {
            assert!(ended.errors.contains(word), "{word} in {ended:?}");
        }
        assert!(one_line(&ended.errors), "{ended:?}");
    }
}

/// An address where nobody listens: below the ephemeral ports, and of an IP that no server of the stories has.
fn nobody() -> SocketAddr {
    "127.255.255.1:9".parse().unwrap()
}

#[test]
fn the_public_address_is_not_taken_for_the_operators() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let guarded = Guarded::in_front_of(&fleet);
    let public = guarded.balancer.url("").replace("http://", "");

    let asked = Ended::of(&["status", "--admin", &public]);
    let flags = ["--admin", &public, "--token-file", guarded.token.path()];
    let told = Ended::of(&[&["drain", &fleet.relay(1).name()][..], &flags].concat());

    for ended in [asked, told] {
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.errors.contains("not the admin address"), "{ended:?}");
    }
}

#[test]
fn a_configuration_that_does_not_say_whom_to_ask_is_named() {
    let relay: SocketAddr = "127.0.0.1:8000".parse().unwrap();
    let off = ConfigText::of_none()
        .and_relay_at(relay)
        .with_section("[admin]\nbind = \"\"");
    let off = Ended::of_config("status", &off.to_string());
    assert!(off.errors.contains("turned off"), "{off:?}");

    let none = Ended::of(&["status"]);
    assert!(none.errors.contains("ICECAST_RELAYS"), "{none:?}");
    assert!(none.errors.contains("--admin HOST:PORT"), "{none:?}");

    let no_address = Ended::of(&["status", "--admin", "nonsense"]);
    assert!(no_address.errors.contains("HOST:PORT"), "{no_address:?}");

    let flags = ["--admin", "127.0.0.1:9", "--token-file", "/nowhere/token"];
    let no_file = Ended::of(&[&["drain", "a"][..], &flags].concat());
    assert!(no_file.errors.contains("/nowhere/token"), "{no_file:?}");

    for ended in [off, none, no_address, no_file] {
        assert_eq!(ended.code, Some(64), "{ended:?}");
    }
}

#[test]
fn what_follows_an_order_on_its_connection_is_no_order() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let guarded = Guarded::in_front_of(&fleet);
    let name = fleet.relay(1).name();
    let order = |verb: &str, field: &str| {
        format!(
            "POST /relays/{name}/{verb} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{field}\r\n"
        )
    };
    let body = order("maint", "");

    let length = format!("Content-Length: {}\r\n", body.len());
    let mut socket = TcpStream::connect(guarded.balancer.admin()).unwrap();
    socket.set_read_timeout(Some(seconds(5))).unwrap();
    socket
        .write_all((order("drain", &length) + &body).as_bytes())
        .unwrap();
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();

    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    assert!(
        said.to_lowercase().contains("connection: close\r\n"),
        "{said}"
    );
    assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
    let state = guarded.balancer.admin_status().of(fleet.relay(1));
    assert_eq!(state.admin_state(), "drain");
}

#[test]
fn a_health_check_is_good_when_the_balancer_is_ready_and_at_no_other_time() {
    let hangs = Hostile::that_is(Manner::Dripping);
    let config = ConfigText::of_none()
        .and_relay_at(hangs.address())
        .polled("interval = \"8s\"\ntimeout = \"8s\"");
    let balancer = Balancer::starting_with(&config);
    let file = balancer.config_file();
    let asked = || Ended::of(&["healthcheck", "--config", file.to_str().unwrap()]);
    let early = asked();
    assert_eq!(early.code, Some(1), "{early:?}");
    assert!(early.errors.contains("is not ready"), "{early:?}");
    eventually(seconds(15), "the first round is over", || {
        asked().code == Some(0)
    });
    let mistaken = Ended::of(&["healthcheck", "--admin", "127.0.0.1"]);
    assert_eq!(mistaken.code, Some(64), "{mistaken:?}");
    drop(balancer);
    let nobody = Ended::of(&["healthcheck", "--admin", "127.255.255.1:9"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
}
