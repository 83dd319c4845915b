//! Upstream by https: relays that prove who they are carry listeners as any other; to one that does not, nobody goes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use crate::harness::{
    Authority, Balancer, Certifier, ConfigText, Fleet, Relay, eventually, go_on_unbroken, millis,
    nobody_waited, seconds, settled,
};

const MOUNT: &str = "/live.mp3";

/// An address that no relay of a fleet has.
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn relays_on_https_die_one_after_the_other_and_nobody_hears_it() {
    let authority = Authority::new();
    let relay = Relay::of_everything().certified_by(&authority);
    let fleet = Fleet::made_of([relay.clone(), relay]).carrying(MOUNT);
    let config = ConfigText::proxied_by_https(&fleet).trusting(&authority);
    let balancer = Balancer::with_config(&config);
    let radios = balancer.radios(6, MOUNT);
    settled(&radios);
    let moving: u64 = fleet.relay(1).reported_listeners().into();

    let killed = Instant::now();
    fleet.relay(1).kill();

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    nobody_waited(&radios, killed, millis(1_500));
    eventually(seconds(3), "all are on relay 2", || {
        counts(&fleet) == [0, 6]
    });

    fleet.relay(1).restart();
    eventually(seconds(5), "relay 1 is up again", || {
        is_up(&balancer, &fleet, 1)
    });
    // What it has heard since reaches back to what they have heard.
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    let killed = Instant::now();
    fleet.relay(2).kill();

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    nobody_waited(&radios, killed, millis(1_500));
    eventually(seconds(3), "all are on relay 1", || {
        counts(&fleet) == [6, 0]
    });
    assert_eq!(
        (balancer.seams("exact"), balancer.seams("audible")),
        (moving + 6, 0)
    );
}

#[test]
fn relays_on_https_are_polled_there() {
    let authority = Authority::new();
    let relay = Relay::of_everything().certified_by(&authority);
    let fleet = Fleet::made_of([relay.clone(), relay]).carrying(MOUNT);
    let config = ConfigText::proxied_by_https(&fleet).trusting(&authority);
    let balancer = Balancer::with_config(&config);

    let _people = (fleet.relay(1).listeners(1), fleet.relay(2).listeners(3));

    let names = [1, 2].map(|number| fleet.relay(number).secure_name());
    let expected: Vec<_> = names.into_iter().zip([1, 3]).collect();
    eventually(seconds(5), "/status has them all", || {
        balancer.status() == expected
    });
    let radios = balancer.radios(2, MOUNT);
    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
    assert_eq!(counts(&fleet), [3, 3], "both went to the emptier one");
}

#[test]
fn a_relay_certified_by_nobody_we_know_takes_nobody() {
    let (known, stranger) = (Authority::new(), Authority::new());

    takes_nobody(&known, &stranger, "invalid peer certificate");
}

#[test]
fn a_relay_certified_in_the_name_of_another_takes_nobody() {
    let known = Authority::new();
    let of_another = known.in_the_name_of(LOCALHOST);

    takes_nobody(&known, of_another, "certificate not valid for name");
}

/// A relay with a certificate from `strange` takes no listener, neither beside a good one nor alone, and the log says `why`.
#[track_caller]
fn takes_nobody(known: &Authority, strange: impl Into<Certifier>, why: &str) {
    let bad = Relay::of_everything().certified_by(strange);
    let good = Relay::of_everything().certified_by(known);
    let fleet = Fleet::made_of([bad, good]).carrying(MOUNT);
    let both = Balancer::with_config(&ConfigText::proxied_by_https(&fleet).trusting(known));
    let alone = Balancer::starting_with(&first_alone(&fleet).trusting(known));

    for balancer in [&both, &alone] {
        let words = format!("{} is down: ", fleet.relay(1).secure_name());
        eventually(seconds(5), "the log says why", || {
            let line = balancer.log_line_with(&words);
            line.is_some_and(|line| line.contains(why))
        });
    }
    assert_eq!(alone.tune_in(MOUNT).status, 503);
    let radios = both.radios(4, MOUNT);
    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
    assert_eq!(counts(&fleet), [0, 4]);
}

#[test]
fn a_relay_that_is_certified_by_a_stranger_since_its_last_poll_takes_nobody() {
    let (known, stranger) = (Authority::new(), Authority::new());

    takes_nobody_between_polls(&known, &stranger);
}

#[test]
fn a_relay_that_has_the_certificate_of_another_since_its_last_poll_takes_nobody() {
    let known = Authority::new();
    let of_another = known.in_the_name_of(LOCALHOST);

    takes_nobody_between_polls(&known, of_another);
}

/// A relay that was good when it was polled, and gets a certificate from `strange`, is found out by the first listener.
#[track_caller]
fn takes_nobody_between_polls(known: &Authority, strange: impl Into<Certifier>) {
    let relay = Relay::of_everything().certified_by(known);
    let fleet = Fleet::made_of([relay.clone(), relay]).carrying(MOUNT);
    let seldom_polled = |config: ConfigText| {
        let config = config.polled("interval = \"30s\"\ntimeout = \"1s\"");
        let config = config.with_section("[log]\nlevel = \"debug\"");
        Balancer::with_config(&config.trusting(known))
    };
    let both = seldom_polled(ConfigText::proxied_by_https(&fleet));
    let alone = seldom_polled(first_alone(&fleet));
    both.wait_for_the_interval();
    alone.wait_for_the_interval();

    fleet.relay(1).certify(strange);
    fleet.relay(1).restart();
    let radios = both.radios(6, MOUNT);
    assert_eq!(alone.tune_in(MOUNT).status, 503);

    go_on_unbroken(&radios, fleet.source(MOUNT), 1);
    assert_eq!(counts(&fleet), [0, 6]);
    for balancer in [&both, &alone] {
        let relay = fleet.relay(1).secure_name();
        let words = format!("relay={relay} mount={MOUNT} reason=\"cannot connect: TLS");
        assert!(balancer.log_line_with(&words).is_some(), "{words}");
    }
}

/// The first relay of the fleet and no other.
fn first_alone(fleet: &Fleet) -> ConfigText {
    let config = ConfigText::of_none().and_secure_relay_at(fleet.relay(1).secure_address());
    config.with("mode = \"proxy\"")
}

/// The listeners of each relay, as it counts them itself.
fn counts(fleet: &Fleet) -> Vec<u32> {
    let relays = fleet.relays().iter();
    relays.map(|relay| relay.reported_listeners()).collect()
}

fn is_up(balancer: &Balancer, fleet: &Fleet, number: usize) -> bool {
    let relay = balancer
        .admin_status()
        .named(&fleet.relay(number).secure_name());
    relay.health() == "up" && !relay.is_avoided()
}
