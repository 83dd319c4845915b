//! Good files: defaults and every key.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{Address, Bind, Mode, Mount, Policy, Stats};
use super::good;

#[test]
fn one_relay_is_enough_and_everything_else_has_its_default() {
    let loaded = good("[[relay]]\nurl = \"http://10.0.0.11:8000\"", &[]);
    let config = loaded.config;
    let told = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        config.poll, config.select, config.redirect, config.discovery, config.log, config.admin
    );
    assert_eq!(
        told,
        "Poll { interval: 5s, timeout: 2s, fall: 2, rise: 1, stale_after: 30s } \
         Select { policy: LeastListeners, slow_start: 30s } Redirect { status: 307, without_https: Proxy, https_hosts: [] } \
         Discovery { refresh: 30s } Log { level: Info } Admin { bind: Some(127.0.0.1:8081), tls: None, token: None, hosts: [], state_file: None }"
    );
    assert_eq!(
        format!("{:?} {:?}", config.stream, config.upstream),
        "Stream { connect_timeout: 2s, answer_timeout: 5s, stall_timeout: None, hold: 30s, \
         slow_listener_timeout: 30s, drain_time: 30s, \
         rebalance: Rebalance { listeners_per_second: 0, difference_percent: 20 } } \
         Upstream { ca_file: None }"
    );
    assert!(config.listener_rules.is_empty());
    assert_eq!(
        config.binds,
        [Bind::plain(Address::Tcp("0.0.0.0:8080".parse().unwrap()))]
    );
    assert_eq!((config.threads, config.public_url), (None, None));
    let trusted: Vec<_> = config
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        trusted.join(" "),
        "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 ::1/128 fc00::/7"
    );
    assert_eq!(config.relays.len(), 1);
    let relay = &config.relays[0];
    assert_eq!(relay.relay.name, "10.0.0.11:8000");
    assert_eq!(relay.relay.public, std::slice::from_ref(&relay.relay.url));
    assert_eq!(
        (relay.relay.weight, relay.relay.capacity_listeners),
        (100, None)
    );
    assert_eq!(
        (relay.stats, relay.credentials.is_none()),
        (Stats::Auto, true)
    );
    assert!(relay.relay.mounts.is_empty() && config.mounts.is_empty());
    assert_eq!(loaded.file, Some(PathBuf::from("x.toml")));
}

#[test]
fn every_key_is_read() {
    let toml = r#"
        mode = "redirect"
        trusted_proxies = ["10.9.8.7/8", "::ffff:192.0.2.7", "::ffff:192.0.2.0/120"]
        public_url = "https://radio.example.com:8443"
        [[bind]]
        address = "[::]:80"
        tls = false
        [[bind]]
        address = "0.0.0.0:80"
        [[bind]]
        address = "unix:/run/b.sock"
        [admin]
        bind = "[::1]:9000"
        [select]
        policy = "weighted-random"
        [[relay]]
        name = "relay1"
        url = "HTTPS://Relay1.Example.com:443/"
        public_url = "http://pub.example.com:8000"
        weight = 1000
        capacity = 1
        stats = "shoutcast2"
        username = ""
        password_file = ""
        stream_username = ""
        stream_password_file = ""
        mounts = { "/live.mp3" = "/a b.mp3", "/other.ogg" = "/o" }
        [[mount]]
        path = "/live.mp3"
        mode = "proxy"
        capacity = 5000
        hidden = true
        [[rule]]
        user_agent = "^sonos"
        mode = "proxy"
        [[rule]]
        user_agent = "linux UPnP"
        mode = "redirect"
    "#;
    let config = good(toml, &[]).config;
    let binds: Vec<_> = config
        .binds
        .iter()
        .map(|bind| bind.address.to_string())
        .collect();
    assert_eq!(binds, ["[::]:80", "0.0.0.0:80", "unix:/run/b.sock"]);
    let trusted = config.trusted_proxies.iter().map(ToString::to_string);
    let trusted: Vec<_> = trusted.collect();
    assert_eq!(trusted, ["10.0.0.0/8", "192.0.2.7/32", "192.0.2.0/24"]);
    assert_eq!(config.admin.bind, Some("[::1]:9000".parse().unwrap()));
    assert_eq!(config.select.policy, Policy::WeightedRandom);
    let relay = &config.relays[0].relay;
    assert_eq!(relay.url.to_string(), "https://relay1.example.com");
    assert_eq!(relay.public[0].to_string(), "http://pub.example.com:8000");
    assert_eq!((relay.weight, relay.capacity_listeners), (1000, Some(1)));
    assert_eq!(relay.own_path("/live.mp3"), "/a b.mp3");
    assert_eq!(config.relays[0].stats, Stats::Shoutcast2);
    let mount = Mount {
        capacity_listeners: Some(5000),
        hidden: true,
        mode: Some(Mode::Proxy),
    };
    assert_eq!(config.mounts.get("/live.mp3"), Some(&mount));
    let rules = config.listener_rules.iter();
    let rules: Vec<_> = rules
        .map(|rule| (rule.user_agent.as_str(), rule.mode))
        .collect();
    assert_eq!(
        rules,
        [("^sonos", Mode::Proxy), ("linux UPnP", Mode::Redirect)]
    );
    assert!(config.listener_rules[0].user_agent.is_match(b"Sonos/1"));
}

#[test]
fn a_report_goes_stale_no_sooner_than_three_intervals() {
    let toml = "[poll]\ninterval = \"1m\"\n[[relay]]\nurl = \"http://a\"";
    assert_eq!(
        good(toml, &[]).config.poll.stale_after,
        Duration::from_secs(180)
    );
}

#[test]
fn a_report_may_go_stale_as_soon_as_an_interval_and_a_timeout_have_passed() {
    let toml = "[poll]\nstale_after = \"7s\"\n[[relay]]\nurl = \"http://a\"";
    assert_eq!(
        good(toml, &[]).config.poll.stale_after,
        Duration::from_secs(7)
    );
}

#[test]
fn a_relay_on_our_machine_with_its_own_port_is_no_loop() {
    let toml = "[[bind]]\naddress = \"10.0.0.1:80\"\n[[relay]]\nurl = \"http://127.0.0.1\"\n[[relay]]\nurl = \"http://10.0.0.1:8000\"";
    assert_eq!(good(toml, &[]).config.relays.len(), 2);
}

#[test]
fn a_dotted_key_and_an_inline_table_are_read_like_a_section() {
    let toml = "poll.interval = \"9s\"\nrelay = [{ url = \"http://a\" }]";
    assert_eq!(good(toml, &[]).config.poll.interval, Duration::from_secs(9));
}

#[test]
fn a_poll_may_take_a_whole_interval() {
    let toml = "[poll]\ninterval = \"3s\"\ntimeout = \"3s\"\n[[relay]]\nurl = \"http://a\"";
    assert_eq!(good(toml, &[]).config.poll.timeout, Duration::from_secs(3));
}

#[test]
fn the_ends_of_each_range_of_carried_streams_are_taken() {
    let least = "connect_timeout = \"100ms\"\nanswer_timeout = \"100ms\"\nstall_timeout = \"500ms\"\nhold = \"0s\"\n\
                 slow_listener_timeout = \"1s\"\ndrain_time = \"0s\"\nrebalance = 0\nrebalance_difference = 1";
    let most = "connect_timeout = \"1m\"\nanswer_timeout = \"1m\"\nstall_timeout = \"30s\"\nhold = \"10m\"\n\
                slow_listener_timeout = \"10m\"\ndrain_time = \"1h\"\nrebalance = 1000\nrebalance_difference = 100";
    let told = |stream: &str| {
        let toml = format!("[stream]\n{stream}\n[[relay]]\nurl = \"http://a\"");
        format!("{:?}", good(&toml, &[]).config.stream)
    };
    assert_eq!(
        told(least),
        "Stream { connect_timeout: 100ms, answer_timeout: 100ms, stall_timeout: Some(500ms), hold: 0ns, \
         slow_listener_timeout: 1s, drain_time: 0ns, \
         rebalance: Rebalance { listeners_per_second: 0, difference_percent: 1 } }"
    );
    assert_eq!(
        told(most),
        "Stream { connect_timeout: 60s, answer_timeout: 60s, stall_timeout: Some(30s), hold: 600s, \
         slow_listener_timeout: 600s, drain_time: 3600s, \
         rebalance: Rebalance { listeners_per_second: 1000, difference_percent: 100 } }"
    );
}
