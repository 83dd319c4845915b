//! Stories of what an operator reads.

use super::client::Reply;
use super::error::ControlError;
use super::{reply, table};

const FLEET: &str = r#"{
  "ready": true,
  "version": "0.2.0",
  "relays": [
    {"name": "relay1.example.com:8000", "health": "up", "admin_state": "ready", "ineligible": null,
     "reason": null, "listeners": 1234, "pending": 5, "load": 12.39, "capacity": 2000, "weight": 100},
    {"name": "b", "health": "down", "admin_state": "drain", "ineligible": "down",
     "reason": "connection refused\u001b[2J", "listeners": 7, "pending": 0, "load": 0.07, "capacity": null}
  ],
  "mounts": []
}"#;

const ADDRESS: &str = "127.0.0.1:8081";

fn replied(status: u16, body: &str) -> Reply {
    let body = body.as_bytes().to_vec();
    Reply { status, body }
}

#[test]
fn the_table_says_of_each_relay_how_it_is_and_why_it_takes_nobody() {
    let fleet = reply::fleet(&replied(200, FLEET), ADDRESS).unwrap();

    let expected = "\
RELAY                    HEALTH  STATE  LISTENERS  PENDING   LOAD  TAKES LISTENERS
relay1.example.com:8000  up      ready  1234/2000        5  12.39  yes
b                        down    drain          7        0   0.07  no: down (connection refused?[2J)
1 of 2 relays take listeners; 1241 listeners, 5 pending
";
    assert_eq!(table::of(&fleet), expected);
}

#[test]
fn a_balancer_that_has_not_polled_yet_says_so() {
    let text = FLEET.replace("\"ready\": true", "\"ready\": false");
    let fleet = reply::fleet(&replied(200, &text), ADDRESS).unwrap();
    assert!(table::of(&fleet).contains("first round of polls"));
}

#[test]
fn an_order_that_was_carried_out_is_told_in_a_line() {
    let body = r#"{"name":"b","admin_state":"drain","health":"up","listeners":3,"pending":1}"#;
    let told = reply::relay(&replied(200, body), ADDRESS).unwrap();
    assert_eq!(
        told.to_string(),
        "b: drain (health up, 3 listeners, 1 pending)"
    );
}

const NOT_STORED: &str = r#"{"name":"b","admin_state":"drain","health":"up","listeners":3,"pending":1,
  "stored":false,"problem":"cannot write /x: No space left\u001b[2J"}"#;

#[test]
fn a_refusal_is_told_in_words_that_help() {
    let unknown = "no relay is called \"x\"; there are: a, b\n";
    for (status, body, words) in [
        (401, "wrong token\n", "refused the token"),
        (403, "", "admin.token_file"),
        (404, unknown, "there are: a, b"),
        (
            404,
            "<html>",
            "not the admin address of a balancer (status 404)",
        ),
        (405, "", "not the admin address of a balancer (status 405)"),
        (421, "not that name\n", "hosts of [admin]"),
        (429, "try again in 9 s\n", "try again in 9 s"),
        (
            503,
            "another process has taken over: ask again\n",
            "ask again",
        ),
        (503, "", "status 503"),
        (
            507,
            NOT_STORED,
            "b: drain (health up, 3 listeners, 1 pending): in force",
        ),
        (
            507,
            NOT_STORED,
            "not stored (cannot write /x: No space left?[2J)",
        ),
        (507, NOT_STORED, "give the same order again"),
        (507, "no JSON", "not the admin address of a balancer"),
        (200, "{\"relay1\":5}", "not the admin address of a balancer"),
        (200, "no JSON", "not the admin address of a balancer"),
    ] {
        let error = reply::relay(&replied(status, body), ADDRESS).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(words), "{status}: {said}");
        assert!(said.contains(ADDRESS), "{status}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn the_public_status_is_not_taken_for_the_operators() {
    let error = reply::fleet(&replied(200, "{\"relay1\":5}"), ADDRESS).unwrap_err();
    assert!(
        matches!(error, ControlError::NotABalancer { .. }),
        "{error}"
    );
}

#[test]
fn a_name_that_is_not_listed_is_reported_by_the_questions_too() {
    let error = reply::fleet(&replied(421, "x\n"), ADDRESS).unwrap_err();
    assert!(error.to_string().contains("hosts of [admin]"), "{error}");
}

#[test]
fn balancer_whose_worker_threads_hang_fails_the_health_check_with_its_words() {
    let said = "not ready: worker threads do not respond for 7 s";
    let error = reply::ready(&replied(503, &format!("{said}\n")), ADDRESS).unwrap_err();
    assert!(matches!(error, ControlError::NotReady { .. }), "{error}");
    assert!(error.to_string().contains(said), "{error}");
}
