//! Broken configurations, each with the exact lines of its problems; the cases stand in `broken/*.txt`.
//!
//! A case ends with `----`. In it a line after `$` is a variable, a line after `>` an expected line, and every other line
//! one of the file. `====` begins a comment.

use super::{RELAY, lines, read};

/// One case of a table.
#[derive(Debug, Default)]
struct Case<'a> {
    toml: Vec<&'a str>,
    variables: Vec<(&'a str, &'a str)>,
    expected: Vec<&'a str>,
}

impl<'a> Case<'a> {
    fn parse(text: &'a str) -> Self {
        let mut case = Self::default();
        for line in text.lines().filter(|line| !line.starts_with("====")) {
            match line.split_at_checked(2) {
                Some(("$ ", variable)) => case.variables.push(variable.split_once('=').unwrap()),
                Some(("> ", expected)) => case.expected.push(expected),
                _ => case.toml.push(line),
            }
        }
        assert!(!case.expected.is_empty(), "{case:?} expects nothing");
        case
    }

    /// What is wrong with what is said about the case.
    fn wrong(&self, more: &[(&'a str, &'a str)]) -> Option<String> {
        let variables = [more, &self.variables].concat();
        let found = lines(read(&self.toml.join("\n"), &variables));
        (found != self.expected).then(|| format!("{self:#?} but found {found:#?}"))
    }
}

/// Asserts the lines of each case, and that there are as many cases as there should be.
fn assert_cases(table: &str, at_least: usize, more: &[(&str, &str)]) {
    let cases = table.trim_end().trim_end_matches("----");
    let cases: Vec<_> = cases.split("\n----\n").map(Case::parse).collect();
    assert!(cases.len() >= at_least, "only {} cases", cases.len());
    let wrong: Vec<_> = cases.iter().filter_map(|case| case.wrong(more)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_broken_setting_is_told_with_its_line() {
    assert_cases(include_str!("broken/settings.txt"), 60, &[RELAY]);
}

#[test]
fn every_broken_setting_of_carried_streams_is_told_with_its_line() {
    assert_cases(include_str!("broken/carried.txt"), 36, &[RELAY]);
}

#[test]
fn broken_toml_is_told_with_its_line_and_says_nothing_of_relays() {
    assert_cases(include_str!("broken/syntax.txt"), 11, &[]);
}

#[test]
fn every_broken_relay_is_told_with_its_line() {
    assert_cases(include_str!("broken/relays.txt"), 50, &[]);
}

#[test]
fn every_broken_variable_is_told_with_its_name() {
    assert_cases(include_str!("broken/variables.txt"), 34, &[RELAY]);
}

#[test]
fn all_problems_of_a_file_are_told_at_once_in_its_order() {
    let toml = "threads = 0\n\n[[relay]]\nweight = 0\nurl = \"x\"\n\n[log]\nlevel = 1\n\n[[relay]]\nurl = \"http://a\"\nname = \"\"\n";
    let problems = lines(read(
        toml,
        &[("CACHE_TTL", "x"), ("BALANCER__LOG__LEVLE", "info")],
    ));
    let places: Vec<_> = problems
        .iter()
        .filter_map(|line| line.split(": ").next())
        .collect();
    let expected = [
        "x.toml:1",
        "x.toml:4",
        "x.toml:5",
        "x.toml:8",
        "x.toml:12",
        "environment BALANCER__LOG__LEVLE",
        "environment CACHE_TTL",
    ];
    assert_eq!(places, expected);
}

#[test]
fn a_long_wrong_value_is_cut() {
    let toml = format!("[[relay]]\nurl = \"http://{}\"", "ü".repeat(5000));
    let problems = lines(read(&toml, &[]));
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].ends_with("...") && problems[0].chars().count() < 250,
        "{problems:?}"
    );
}
