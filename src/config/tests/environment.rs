//! The environment over the file, and in the place of one.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use super::super::{Address, Bind, Mode, Sources, load};
use super::{RELAY, environment, good, lines};

#[test]
fn a_variable_that_is_no_text_is_told() {
    let mut environment = environment(&[RELAY]);
    environment.insert("PORT".to_owned(), OsString::from_vec(vec![0xff]));
    let sources = Sources {
        file: None,
        environment,
    };
    assert_eq!(
        lines(load(&sources)),
        ["environment PORT: expected UTF-8 text, found other bytes"]
    );
}

#[test]
fn nothing_at_all_gives_one_line_that_says_what_to_set() {
    let all = lines(load(&Sources::default()));
    assert_eq!(
        all,
        [
            "no relay configured: set ICECAST_RELAYS=host[:port],... or add [[relay]] to the configuration file"
        ]
    );
}

#[test]
fn the_environment_alone_is_enough() {
    let variables = [
        (
            "ICECAST_RELAYS",
            " Relay1.Example.com , ,relay2.example.com:8000,[::1]:8000,",
        ),
        ("PORT", "8001"),
        ("CACHE_TTL", "2.5"),
        ("BALANCER_SOMETHING", "not ours"),
    ];
    let sources = Sources {
        file: None,
        environment: environment(&variables),
    };
    let loaded = load(&sources).unwrap();
    let config = loaded.config;
    assert!(loaded.notices.is_empty() && loaded.file.is_none());
    assert_eq!(
        config.binds,
        [Bind::plain(Address::Tcp("0.0.0.0:8001".parse().unwrap()))]
    );
    assert_eq!(config.poll.interval, Duration::from_millis(2500));
    assert_eq!(config.relays.len(), 3);
    let told = |index: usize| {
        let relay = &config.relays[index].relay;
        let public: Vec<_> = relay.public.iter().map(ToString::to_string).collect();
        format!("{} {} {}", relay.name, relay.url, public.join(" "))
    };
    assert_eq!(
        told(0),
        "relay1.example.com http://relay1.example.com http://relay1.example.com https://relay1.example.com"
    );
    assert_eq!(
        told(1),
        "relay2.example.com:8000 http://relay2.example.com:8000 http://relay2.example.com:8000 https://relay2.example.com:8000"
    );
    assert_eq!(
        told(2),
        "[::1]:8000 http://[::1]:8000 http://[::1]:8000 https://[::1]:8000"
    );
}

#[test]
fn relays_behind_https_are_public_by_https_only() {
    let loaded = good(
        "",
        &[
            ("ICECAST_RELAYS", "a:8443,[::1]"),
            ("ICECAST_RELAY_SCHEME", "https"),
        ],
    );
    let public: Vec<_> = loaded
        .config
        .relays
        .iter()
        .flat_map(|relay| &relay.relay.public)
        .map(ToString::to_string)
        .collect();
    assert_eq!(public, ["https://a:8443", "https://[::1]"]);
}

#[test]
fn an_explicit_port_80_is_kept_for_https_as_it_was_written() {
    let loaded = good("", &[("ICECAST_RELAYS", "a:80")]);
    let relay = &loaded.config.relays[0].relay;
    assert_eq!((relay.name.as_str(), relay.public[1].port), ("a:80", 80));
}

#[test]
fn a_short_cache_ttl_shortens_the_timeout_too() {
    let config = good("", &[RELAY, ("CACHE_TTL", "1")]).config;
    assert_eq!(config.poll.timeout, Duration::from_secs(1));
}

#[test]
fn the_environment_wins_over_the_file_and_drop_ins_say_so() {
    let toml = "[poll]\ninterval = \"7s\"\n[[bind]]\naddress = \"0.0.0.0:9000\"\n[[relay]]\nurl = \"http://a\"";
    let loaded = good(toml, &[RELAY, ("PORT", "8001"), ("CACHE_TTL", "3")]);
    assert_eq!(loaded.config.poll.interval, Duration::from_secs(3));
    assert_eq!(
        loaded.config.binds,
        [Bind::plain(Address::Tcp("0.0.0.0:8001".parse().unwrap()))]
    );
    assert_eq!(
        loaded.config.relays[0].relay.name,
        "relay1.example.com:8000"
    );
    let notices = [
        "CACHE_TTL of the environment replaces poll.interval of x.toml",
        "ICECAST_RELAYS of the environment replaces every [[relay]] of x.toml",
        "PORT of the environment replaces every [[bind]] of x.toml",
    ];
    assert_eq!(loaded.notices, notices);
}

#[test]
fn a_keys_own_variable_wins_over_file_and_drop_in() {
    let variables = [
        RELAY,
        ("CACHE_TTL", "3"),
        ("BALANCER__POLL__INTERVAL", "9s"),
        ("BALANCER__LOG__LEVEL", "warn"),
    ];
    let loaded = good(
        "[poll]\ninterval = \"7s\"\n[log]\nlevel = \"debug\"",
        &variables,
    );
    assert_eq!(loaded.config.poll.interval, Duration::from_secs(9));
    assert_eq!(loaded.config.log.level, log::LevelFilter::Warn);
    assert_eq!(
        loaded.notices,
        ["BALANCER__POLL__INTERVAL of the environment replaces CACHE_TTL"]
    );
}

#[test]
fn no_named_relay_leaves_the_files_relays() {
    let loaded = good("[[relay]]\nurl = \"http://a\"", &[("ICECAST_RELAYS", " ,")]);
    assert_eq!(loaded.config.relays[0].relay.name, "a");
    assert!(loaded.notices.is_empty());
}

#[test]
fn the_default_admin_address_evades_the_public_port() {
    let loaded = good("", &[RELAY, ("PORT", "8081")]);
    assert_eq!(
        loaded.config.admin.bind,
        Some("127.0.0.1:8082".parse().unwrap())
    );
    assert_eq!(
        loaded.notices,
        ["admin.bind is 127.0.0.1:8082, because a public bind has port 8081"]
    );
}

#[test]
fn the_flag_names_the_file_before_the_variable_does() {
    let mut sources = Sources {
        file: None,
        environment: environment(&[("BALANCER_CONFIG", "b.toml")]),
    };
    assert_eq!(sources.config_file(), Some(PathBuf::from("b.toml")));
    sources.file = Some(PathBuf::from("a.toml"));
    assert_eq!(sources.config_file(), Some(PathBuf::from("a.toml")));
    let empty = Sources {
        file: None,
        environment: environment(&[("BALANCER_CONFIG", "")]),
    };
    assert_eq!(empty.config_file(), None);
}

#[test]
fn every_scalar_of_a_section_has_its_variable() {
    let variables = [
        ("BALANCER__MODE", "proxy"),
        ("BALANCER__THREADS", " 3 "),
        ("BALANCER__PUBLIC_URL", "https://radio.example.com"),
        ("BALANCER__TRUSTED_PROXIES", "10.1.2.3, fd00::/8"),
        ("BALANCER__ADMIN__BIND", ""),
        ("BALANCER__POLL__INTERVAL", "10s"),
        ("BALANCER__POLL__TIMEOUT", "3s"),
        ("BALANCER__POLL__FALL", "4"),
        ("BALANCER__POLL__RISE", "5"),
        ("BALANCER__POLL__STALE_AFTER", "1m"),
        ("BALANCER__SELECT__POLICY", "power-of-two"),
        ("BALANCER__SELECT__SLOW_START", "0s"),
        ("BALANCER__REDIRECT__STATUS", "302"),
        ("BALANCER__REDIRECT__WITHOUT_HTTPS", "refuse"),
        ("BALANCER__STREAM__CONNECT_TIMEOUT", "1s"),
        ("BALANCER__STREAM__ANSWER_TIMEOUT", "2s"),
        ("BALANCER__STREAM__STALL_TIMEOUT", "3s"),
        ("BALANCER__STREAM__HOLD", "4s"),
        ("BALANCER__STREAM__SLOW_LISTENER_TIMEOUT", "5s"),
        ("BALANCER__STREAM__DRAIN_TIME", "6s"),
        ("BALANCER__STREAM__REBALANCE", "7"),
        ("BALANCER__STREAM__REBALANCE_DIFFERENCE", "8"),
        ("BALANCER__DISCOVERY__REFRESH", "1m"),
        ("BALANCER__LOG__LEVEL", "off"),
    ];
    let config = good("", &[&variables[..], &[RELAY]].concat()).config;
    let told = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        config.poll, config.select, config.redirect, config.discovery, config.log
    );
    assert_eq!(
        told,
        "Poll { interval: 10s, timeout: 3s, fall: 4, rise: 5, stale_after: 60s } \
         Select { policy: PowerOfTwo, slow_start: 0ns } Redirect { status: 302, without_https: Refuse, https_hosts: [] } \
         Discovery { refresh: 60s } Log { level: Off }"
    );
    assert_eq!(
        format!("{:?}", config.stream),
        "Stream { connect_timeout: 1s, answer_timeout: 2s, stall_timeout: Some(3s), hold: 4s, \
         slow_listener_timeout: 5s, drain_time: 6s, \
         rebalance: Rebalance { listeners_per_second: 7, difference_percent: 8 } }"
    );
    assert_eq!(config.mode, Mode::Proxy);
    assert_eq!((config.threads, config.admin.bind), (Some(3), None));
    let networks: Vec<_> = config
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(networks, ["10.1.2.3/32", "fd00::/8"]);
    assert_eq!(
        config.public_url.unwrap().to_string(),
        "https://radio.example.com"
    );
}

#[test]
fn an_ipv6_relay_without_port_is_public_by_the_default_ports() {
    let loaded = good("", &[("ICECAST_RELAYS", "[2001:DB8::1]")]);
    let relay = &loaded.config.relays[0].relay;
    let ports: Vec<_> = relay.public.iter().map(|origin| origin.port).collect();
    assert_eq!(
        (relay.name.as_str(), ports),
        ("[2001:db8::1]", vec![80, 443])
    );
}

#[test]
fn nothing_is_kept_of_the_environment_that_is_not_ours() {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let sources = Sources::of_process(None);
    assert!(!sources.environment.contains_key("CARGO_MANIFEST_DIR"));
}
