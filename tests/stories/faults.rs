//! Faults: relays that die, hang, fill up or lie, and what listeners notice of it.

use crate::harness::{
    Balancer, ConfigText, Fleet, Hostile, Listener, Manner, Question, Relay, eventually, place_of,
    seconds,
};

/// Polls every second that hurry nobody: five failures in a row until a relay is down.
const PATIENT_POLLS: &str = "interval = \"1s\"\ntimeout = \"1s\"\nfall = 5";

#[test]
fn a_dead_relay_gets_nobody_after_the_next_poll() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let balancer = Balancer::with_config(&ConfigText::of(&fleet).polled(PATIENT_POLLS));
    let before = fleet.shares(&balancer.tune_in_times(10, "/live.mp3"));
    assert_eq!(before, [5, 5]);

    fleet.relay(2).kill();
    let down = || balancer.admin_status().of(fleet.relay(2)).health() == "down";
    eventually(seconds(2), "one poll is enough where nobody listens", down);

    let after = fleet.shares(&balancer.tune_in_times(40, "/live.mp3"));
    assert_eq!(after, [40, 0]);
    let said = balancer.admin_status().of(fleet.relay(2));
    assert_eq!(said.ineligible(), "down");
    assert!(!said.reason().is_empty(), "the operator is told why");
}

#[test]
fn a_relay_that_came_back_is_warmed_up_first() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let config = ConfigText::of(&fleet).with_section("[select]\nslow_start = \"12s\"");
    let balancer = Balancer::with_config(&config);
    fleet.relay(2).kill();
    let health = || balancer.admin_status().of(fleet.relay(2)).health();
    eventually(seconds(3), "relay 2 is down", || health() == "down");

    fleet.relay(2).restart();
    eventually(seconds(3), "relay 2 takes somebody again", || {
        fleet.chosen_by(&balancer.tune_in("/live.mp3")) == 2
    });
    let at_first = fleet.shares(&balancer.tune_in_times(40, "/live.mp3"));
    assert!(
        at_first[1] < 16,
        "less than its even share of 20: {at_first:?}"
    );

    eventually(seconds(18), "its even share", || {
        let shares = fleet.shares(&balancer.tune_in_times(20, "/live.mp3"));
        shares[0].abs_diff(shares[1]) <= 2
    });
}

#[test]
fn a_relay_that_hangs_gets_nobody_within_an_interval_and_a_timeout() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let balancer = Balancer::with_config(&ConfigText::of(&fleet).polled(PATIENT_POLLS));
    let before = fleet.shares(&balancer.tune_in_times(10, "/live.mp3"));
    assert_eq!(before, [5, 5]);

    fleet.relay(1).freeze();
    let avoided = || balancer.admin_status().of(fleet.relay(1)).is_avoided();
    eventually(seconds(3), "relay 1 is avoided", avoided);
    let after = fleet.shares(&balancer.tune_in_times(40, "/live.mp3"));
    assert_eq!(after, [0, 40]);

    fleet.relay(1).thaw();
    eventually(seconds(5), "relay 1 is trusted again", || !avoided());
}

#[test]
fn when_every_relay_is_down_players_are_told_when_to_ask_again() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);
    assert_eq!(balancer.tune_in("/live.mp3").status, 307);

    fleet.relays().iter().for_each(|relay| relay.kill());
    eventually(seconds(5), "nobody can be served", || {
        balancer.tune_in("/live.mp3").status == 503
    });

    let refusal = balancer.tune_in("/live.mp3");
    let wait: u32 = refusal
        .header("retry-after")
        .expect("Retry-After")
        .parse()
        .expect("seconds");
    assert!((1..=60).contains(&wait));
    assert_eq!(refusal.header("cache-control"), Some("no-store"));
    let head = balancer.asked(&Question::new("HEAD", "/live.mp3"));
    assert_eq!(
        head.status, 503,
        "a monitor that asks for the head sees it too"
    );
    let status = balancer.tune_in("/status");
    assert_eq!((status.status, status.json().is_object()), (503, true));

    fleet.relay(1).restart();
    eventually(seconds(5), "the first one back serves", || {
        balancer.tune_in("/live.mp3").status == 307
    });
}

#[test]
fn a_full_relay_is_full_and_not_down() {
    let small = Relay::of_everything().with_clients_limit(8);
    let fleet = Fleet::made_of([small, Relay::of_everything()]).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);
    // More people than on the small one, so that only its limit can turn listeners away from it.
    let _elsewhere = fleet.relay(2).listeners(12);

    let _crowd = fleet.relay(1).fill();
    let said = || balancer.admin_status().of(fleet.relay(1));
    eventually(seconds(5), "relay 1 is full", || {
        said().ineligible() == "full"
    });

    assert_eq!(said().health(), "up");
    let shares = fleet.shares(&balancer.tune_in_times(10, "/live.mp3"));
    assert_eq!(shares, [0, 10]);
}

#[test]
fn when_every_relay_is_full_the_refusal_says_so() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let config = ConfigText::of(&fleet).with_relay(1, "capacity = 2");
    let balancer = Balancer::with_config(&config);

    let _both = fleet.relay(1).listeners(2);
    eventually(seconds(5), "no place is left", || {
        balancer.tune_in("/live.mp3").status == 503
    });

    let refusal = balancer.tune_in("/live.mp3");
    assert!(refusal.text().contains("full"), "{}", refusal.text());
    assert!(refusal.header("retry-after").is_some());
}

#[test]
fn a_title_that_breaks_the_status_page_changes_nothing() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    fleet.relay(1).set_title("/live.mp3", " - ");
    let page = fleet.relay(1).status_page();
    assert!(
        serde_json::from_slice::<serde_json::Value>(&page).is_err(),
        "the page is broken"
    );

    let _people = fleet.relay(1).listeners(3);
    let said = || balancer.admin_status().of(fleet.relay(1));
    eventually(seconds(5), "relay 1's listeners are still counted", || {
        said().listeners() == 3
    });
    assert_eq!(
        (said().health().as_str(), said().ineligible().as_str()),
        ("up", "")
    );
    let _others = fleet.relay(2).listeners(6);
    eventually(seconds(5), "relay 1 is chosen as before", || {
        fleet.chosen_by(&balancer.tune_in("/live.mp3")) == 1
    });
}

#[test]
fn a_hostile_relay_hurts_nobody_but_itself() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let trap = Hostile::that_is(Manner::Garbage);
    let manners = [
        Manner::Endless,
        Manner::Dripping,
        Manner::Garbage,
        Manner::Bottomless,
        Manner::RedirectTo(trap.address()),
    ];
    let hostiles = manners.map(Hostile::that_is);
    let peaceful = Balancer::with_config(&ConfigText::of(&fleet));
    let config = hostiles
        .iter()
        .fold(ConfigText::of(&fleet), |text, hostile| {
            text.and_relay_at(hostile.address())
        });
    let beset = Balancer::with_config(&config);

    eventually(
        seconds(15),
        "each hostile relay was polled five times",
        || hostiles.iter().all(|hostile| hostile.guests() >= 5),
    );

    let redirects = beset.tune_in_times(40, "/live.mp3");
    assert_eq!(fleet.shares(&redirects), [40]);
    assert!(place_of(&Listener::following(&redirects[0]).hear(4_000)).is_some());
    let status = beset.admin_status();
    for (hostile, manner) in hostiles.iter().zip(manners) {
        let said = status.named(&hostile.address().to_string());
        assert!(
            !said.ineligible().is_empty() && !said.reason().is_empty(),
            "{manner:?}: {said:?}"
        );
    }
    assert_eq!(trap.guests(), 0, "a relay's redirect is not followed");
    // The same work first, so that only malice makes the difference.
    peaceful.tune_in_times(40, "/live.mp3");
    let grown = beset
        .peak_resident_bytes()
        .saturating_sub(peaceful.peak_resident_bytes());
    assert!(
        grown <= 8 << 20,
        "{} KiB more than a balancer in peace",
        grown >> 10
    );
}
