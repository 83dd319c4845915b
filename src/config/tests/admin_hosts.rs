//! `[admin] hosts`: names under which the operator's address answers.

use super::{RELAY, good, lines, read};

fn hosts(value: &str) -> Vec<String> {
    let config = good(&format!("[admin]\nhosts = {value}"), &[RELAY]).config;
    config.admin.hosts
}

#[test]
fn names_are_kept_in_lower_case_and_without_a_last_dot() {
    assert!(hosts("[]").is_empty());
    assert!(good("", &[RELAY]).config.admin.hosts.is_empty());
    assert_eq!(hosts("\"balancer\""), ["balancer"]);
    assert_eq!(
        hosts("[\"Balancer.Example.COM.\", \"my_balancer-1\", \"xn--hrfunk-wxa.example\"]"),
        [
            "balancer.example.com",
            "my_balancer-1",
            "xn--hrfunk-wxa.example"
        ]
    );
    // Needless, and no mistake.
    assert_eq!(
        hosts("[\"192.0.2.1\", \"localhost\"]"),
        ["192.0.2.1", "localhost"]
    );
    let variable = ("BALANCER__ADMIN__HOSTS", "a.example, b.example");
    let config = good("[admin]\nhosts = [\"c.example\"]", &[RELAY, variable]).config;
    assert_eq!(config.admin.hosts, ["a.example", "b.example"]);
}

#[test]
fn what_is_no_name_is_refused_at_its_place() {
    let expected = "expected a host name such as \"balancer.example.com\", without scheme, port and path, found";
    for found in [
        "\"\"",
        "\".\"",
        "\"*\"",
        "\"*.example.com\"",
        "\"balancer:8081\"",
        "\"http://balancer\"",
        "\"balancer/status\"",
        "\"a..b\"",
        "\"h\u{f6}rfunk.example\"",
        "\"a b\"",
        "\"::1\"",
        "7",
    ] {
        let problems = lines(read(
            &format!("[admin]\nhosts = [\"a\", {found}]"),
            &[RELAY],
        ));
        let told = format!("x.toml:2: admin.hosts[1]: {expected} {found}");
        assert_eq!(problems, [told]);
    }
    let many = (0..101).map(|n| format!("\"a{n}\"")).collect::<Vec<_>>();
    let problems = lines(read(
        &format!("[admin]\nhosts = [{}]", many.join(",")),
        &[RELAY],
    ));
    assert_eq!(
        problems,
        ["x.toml:2: admin.hosts: expected at most 100 names, found 101"]
    );
}
