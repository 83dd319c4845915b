//! Rules by player: which names they fit, and how many there may be.

use super::{RELAY, good, lines, read};

/// Whether the pattern is found in what a player calls itself.
fn fits(pattern: &str, agent: &[u8]) -> bool {
    let toml = format!("[[rule]]\nuser_agent = '{pattern}'\nmode = \"proxy\"");
    let config = good(&toml, &[RELAY]).config;
    config.listener_rules[0].user_agent.is_match(agent)
}

#[test]
fn a_pattern_is_searched_anywhere_and_letters_of_either_case_are_alike() {
    assert!(fits("sonos", b"Linux UPnP SONOS/57.3"));
    assert!(fits("^(sonos|Linux upnp)", b"Linux UPnP/1.0"));
    assert!(!fits("^sonos", b"not Sonos"));
    assert!(!fits("(?-i)sonos", b"Sonos"));
}

#[test]
fn a_pattern_fits_bytes_that_are_no_utf_8() {
    assert!(fits("^R.cepteur", b"R\xe9cepteur"));
    assert!(fits(r"^R\xe9cepteur", b"R\xe9cepteur"));
    assert!(fits("récepteur", "Récepteur".as_bytes()));
}

#[test]
fn only_letters_of_ascii_are_alike_unless_the_pattern_asks_for_more() {
    // The sign of kelvin is a k in another case to Unicode.
    assert!(!fits("^k", "\u{212a}".as_bytes()));
    assert!(fits("(?u)^k", "\u{212a}".as_bytes()));
    assert!(fits("(?u)r[é]cepteur", "RÉCEPTEUR".as_bytes()));
}

fn rules(count: usize) -> String {
    "[[rule]]\nuser_agent = \"a\"\nmode = \"proxy\"\n".repeat(count)
}

#[test]
fn a_hundred_rules_are_read_and_the_next_one_is_refused_at_its_line() {
    assert_eq!(good(&rules(100), &[RELAY]).config.listener_rules.len(), 100);
    for count in [101, 150] {
        assert_eq!(
            lines(read(&rules(count), &[RELAY])),
            ["x.toml:301: rule[100]: expected at most 100 sections [[rule]], found another one"]
        );
    }
}
