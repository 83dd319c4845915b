//! Whatever the file and the environment hold, reading them ends in a configuration or in problems.

use proptest::prelude::*;

use super::read;

/// Pieces of configuration files in any order, sound and unsound.
fn toml() -> impl Strategy<Value = String> {
    let heads = prop::sample::select(vec![
        "[poll]",
        "[admin]",
        "[log]",
        "[[relay]]",
        "[[bind]]",
        "[[mount]]",
        "[stream]",
        "[upstream]",
        "[reload]",
        "[redirect]",
        "[[rule]]",
        "[rule]",
        "[relay.mounts]",
        "[relay]",
        "[poll.interval]",
        "[bind.a.b]",
        "[[relay.mounts]]",
        "[\"",
        "]]",
    ]);
    let keys = prop::sample::select(vec![
        "mode",
        "threads",
        "interval",
        "timeout",
        "stale_after",
        "url",
        "name",
        "address",
        "path",
        "mounts",
        "public_url",
        "relay",
        "poll.interval",
        "relay.url",
        "\"\"",
        "mounts.\"/a\"",
        "password",
        "hold",
        "stall_timeout",
        "rebalance",
        "without_https",
        "ca_file",
        "token_file",
        "eab_key_file",
        "user_agent",
    ]);
    let values = prop_oneof![
        prop::sample::select(vec![
            "\"http://a\"",
            "\"5s\"",
            "0",
            "-1",
            "1e400",
            "nan",
            "true",
            "[]",
            "[[1], {a = 1}]",
            "{ \"/a\" = \"/b\" }",
            "{}",
            "\"unix:/a\"",
            "\"0.0.0.0:80\"",
            "\"http://[::1]:80\"",
            "'''",
            "\"\\u0000\"",
            "\"proxy\"",
            "\"(a\\n\"",
            "\"/dev/null\"",
            "99999999999999999999",
        ])
        .prop_map(str::to_owned),
        ".{0,20}",
        "\"[ -~]{0,20}\"",
    ];
    let line = prop_oneof![
        1 => heads.prop_map(str::to_owned),
        3 => (keys, values).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => ".{0,10}",
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_file_is_read_or_refused(toml in toml(), value in "\\PC{0,12}") {
        let variables = [("ICECAST_RELAYS", value.as_str()), ("CACHE_TTL", &value), ("BALANCER__POLL__INTERVAL", &value)];
        if let Err(problems) = read(&toml, &variables) {
            let told = problems.to_string();
            prop_assert!(!told.is_empty());
            prop_assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
            prop_assert_eq!(told.lines().count(), problems.iter().count());
        }
    }

    #[test]
    fn any_duration_and_url_is_read_or_refused(number in "[0-9]{1,20}", unit in "(ns|us|ms|s|m|h|d|w|y)", more in "( ?[0-9]{1,6}(ms|us|s))?", url in "(http|https)://[\\[\\]:.0-9a-z%@ü-]{0,20}") {
        let toml = format!("[poll]\ninterval = \"{number}{unit}{more}\"\n[[relay]]\nurl = \"{url}\"");
        let _ = read(&toml, &[]);
    }
}
