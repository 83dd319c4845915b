//! Stories of who may change what over the admin bind, and of what stays as it is.

use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use http::Request;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::config::{Limits, Reading, Token};
use crate::fleet::tests::{relays, report, rules};
use crate::fleet::{AdminState, Fleet, Polled, RelayId};
use crate::front::Budget;
use crate::tls::Certificates;

const TOKEN: &str = "correct horse battery staple";
const PEER: &str = "192.0.2.7:40000";

struct Story {
    pages: AdminPages,
    now: Instant,
}

/// An answer as it goes out.
struct Said {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Story {
    fn with_token(token: Option<&str>) -> Self {
        let now = Instant::now();
        let mut fleet = Fleet::new(relays(&["a", "b:8000", "%41"]), rules());
        let outcome = report(&[("/live.mp3", 7)]);
        let began = now;
        fleet.apply(RelayId(1), Polled { began, outcome }, now);
        fleet.raise_pending(RelayId(1), "/live.mp3", None, now);
        let token = token.map(|text| Arc::new(Token(SecretString::from(text))));
        let token = Arc::new(ArcSwapOption::new(token));
        let pages = AdminPages::new(Source {
            fleet: SharedFleet::new(fleet),
            tally: Arc::default(),
            streams: Arc::default(),
            book: AddressBook::default(),
            admin_certificates: None,
            certificates: Arc::new(Certificates::load(Vec::new(), None).unwrap()),
            budget: Arc::new(Budget::new(Limits {
                connections: Some(10),
                ..Limits::default()
            })),
            access_log: Arc::default(),
            reading: Reading::taken_now(),
            acme: None,
            life: Arc::default(),
        });
        let pages = pages.guarded_by(token);
        Self { pages, now }
    }

    fn answering_to(self, names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let hosts = Arc::new(ArcSwap::from_pointee(AllowedHosts::new(&names)));
        let pages = self.pages.answering_to(hosts);
        Self { pages, ..self }
    }

    fn remembering_in(self, file: &std::path::Path) -> Self {
        let states = Arc::new(States::kept_in(Some(file.to_owned())));
        let pages = self.pages.remembering_in(states);
        Self { pages, ..self }
    }

    fn guarded() -> Self {
        Self::with_token(Some(TOKEN))
    }

    fn ask(&self, method: &str, path: &str, authorizations: &[&str]) -> Said {
        let fields = authorizations.iter().map(|field| ("authorization", *field));
        self.ask_with(method, path, &fields.collect::<Vec<_>>())
    }

    fn ask_with(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Said {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (request, ()) = request.body(()).unwrap().into_parts();
        let peer = PEER.parse().unwrap();
        let answer = self.pages.answer(&request, Some(peer), self.now);
        let (head, body) = answer.into_response().into_parts();
        Said {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body).unwrap(),
        }
    }

    fn post(&self, path: &str) -> Said {
        self.ask("POST", path, &[&format!("Bearer {TOKEN}")])
    }

    fn guess(&self, token: &str) -> Said {
        self.ask("POST", "/relays/a/drain", &[&format!("Bearer {token}")])
    }

    fn states(&self) -> Vec<AdminState> {
        let fleet = self.pages.fleet.lock();
        fleet.iter().map(|(_, _, s, _)| s.admin_state).collect()
    }

    fn nothing_changed(&self) -> bool {
        self.states() == [AdminState::Ready; 3]
    }
}

impl Said {
    fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

#[test]
fn who_knows_the_token_sets_what_he_wants_of_a_relay() {
    let story = Story::guarded();
    for (verb, state) in [
        ("drain", AdminState::Drain),
        ("maint", AdminState::Maint),
        ("ready", AdminState::Ready),
        ("ready", AdminState::Ready),
    ] {
        let said = story.post(&format!("/relays/b:8000/{verb}"));

        assert_eq!(said.status, 200, "{}", said.body);
        assert_eq!(said.field("content-type"), Some("application/json"));
        assert_eq!(said.field("cache-control"), Some("no-store"));
        let expected = json!({
            "name": "b:8000", "admin_state": verb, "health": "up", "listeners": 7, "pending": 1,
        });
        assert_eq!(serde_json::from_str::<Value>(&said.body).unwrap(), expected);
        let expected = [AdminState::Ready, state, AdminState::Ready];
        assert_eq!(story.states(), expected);
    }
}

#[test]
fn a_name_is_percent_decoded_once() {
    let story = Story::guarded();

    assert_eq!(story.post("/relays/b%3a8000/drain").status, 200);
    assert_eq!(story.states()[1], AdminState::Drain);
    assert_eq!(story.post("/relays/%2541/drain").status, 200);
    assert_eq!(story.states()[2], AdminState::Drain);
    let twice = story.post("/relays/%41/drain");
    assert_eq!(twice.status, 404, "A is nobody: {}", twice.body);
}

#[test]
fn a_relay_that_is_not_there_is_answered_with_those_that_are() {
    let story = Story::guarded();
    for name in ["A", "b", "", "a%0d%0aX:y", "%ff", "a%2fdrain"] {
        let said = story.post(&format!("/relays/{name}/drain"));

        assert_eq!(said.status, 404, "{name}");
        assert!(said.body.contains("a, b:8000, %41\n"), "{}", said.body);
        assert_eq!(said.body.lines().count(), 1, "{}", said.body);
    }
    assert!(story.nothing_changed());
}

#[test]
fn without_a_configured_token_nobody_changes_anything() {
    let story = Story::with_token(None);
    for said in [
        story.guess(""),
        story.guess(TOKEN),
        story.post("/relays/x/drain"),
    ] {
        assert_eq!(said.status, 403);
        assert!(said.body.contains("admin.token_file"), "{}", said.body);
    }
    assert!(story.nothing_changed());
}

#[test]
fn what_is_not_the_token_is_refused() {
    let right = format!("Bearer {TOKEN}");
    let cases: [&[&str]; 5] = [
        &[],
        &["Bearer"],
        &["Basic Y29ycmVjdCBob3JzZQ=="],
        &["Bearer correct horse battery stapl"],
        &[&right, &right],
    ];
    for fields in cases {
        let story = Story::guarded();
        for path in ["/relays/a/drain", "/relays/nobody/drain"] {
            let said = story.ask("POST", path, fields);

            assert_eq!(said.status, 401, "{fields:?}");
            assert_eq!(said.field("www-authenticate"), Some("Bearer"));
            assert!(
                !said.body.contains("b:8000"),
                "names are for those who know"
            );
            assert!(!said.body.contains("correct"), "{}", said.body);
        }
        assert!(story.nothing_changed());
    }
}

#[test]
fn the_word_bearer_may_be_of_any_case() {
    let field = format!("bEARER   {TOKEN} ");
    let said = Story::guarded().ask("POST", "/relays/a/drain", &[&field]);
    assert_eq!(said.status, 200, "{}", said.body);
}

#[test]
fn wrong_tokens_are_limited_and_the_right_one_always_passes() {
    let mut story = Story::guarded();
    for _ in 0..5 {
        assert_eq!(story.guess("guess").status, 401);
        assert_eq!(story.ask("POST", "/relays/a/drain", &[]).status, 401);
    }
    assert_eq!(story.post("/relays/a/ready").status, 200);

    for _ in 0..3 {
        let said = story.guess("guess");
        assert_eq!((said.status, said.field("retry-after")), (429, Some("60")));
        assert_eq!(said.field("connection"), Some("close"));
    }
    assert!(story.nothing_changed());
    assert_eq!(story.ask("GET", "/status", &[]).status, 200);
    assert_eq!(story.guess(TOKEN).status, 200, "the right token");
    assert_eq!(story.guess("guess").status, 429, "it buys no more guesses");

    story.now += Duration::from_secs(60);
    assert_eq!(story.guess("guess").status, 401);
    assert_eq!(story.guess(TOKEN).status, 200);
}

#[test]
fn the_pages_need_no_token_and_take_no_post() {
    let story = Story::guarded();
    for (path, status) in [
        ("/live", 200),
        ("/ready", 503),
        ("/status", 200),
        ("/metrics", 200),
    ] {
        for method in ["GET", "HEAD"] {
            assert_eq!(story.ask(method, path, &[]).status, status, "{path}");
        }
        let said = story.post(path);
        assert_eq!((said.status, said.field("allow")), (405, Some("GET, HEAD")));
    }
}

#[test]
fn a_change_takes_only_a_post() {
    let story = Story::guarded();
    let right = format!("Bearer {TOKEN}");
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let said = story.ask(method, "/relays/a/drain", &[&right]);
        assert_eq!((said.status, said.field("allow")), (405, Some("POST")));
    }
    assert!(story.nothing_changed());
}

#[test]
fn any_other_path_is_answered_with_those_that_are_served() {
    let story = Story::guarded();
    for path in [
        "/",
        "/relays",
        "/relays/",
        "/relays/a",
        "/relays/a/stop",
        "/relays/a/drain/",
    ] {
        for method in ["GET", "POST"] {
            let said = story.ask(method, path, &[]);
            assert_eq!(said.status, 404, "{method} {path}");
            for word in ["/status", "/metrics", "POST /relays/{name}/drain"] {
                assert!(said.body.contains(word), "{word} in {}", said.body);
            }
        }
    }
}

#[test]
fn the_token_is_in_no_debug_text() {
    let text = format!("{:?}", Story::guarded().pages.guard);
    assert!(text.contains("Guard") && !text.contains("horse"), "{text}");
}

#[test]
fn names_that_are_not_listed_are_refused_before_anything_else() {
    let story = Story::guarded().answering_to(&["balancer.example.com"]);
    let right = format!("Bearer {TOKEN}");
    for (method, path) in [
        ("GET", "/status"),
        ("GET", "/metrics"),
        ("GET", "/"),
        ("POST", "/relays/a/drain"),
    ] {
        let ask = |host| {
            let fields = [("host", host), ("authorization", right.as_str())];
            story.ask_with(method, path, &fields)
        };
        let said = ask("evil.example:8081");
        assert_eq!(said.status, 421, "{method} {path}");
        assert!(said.body.contains("\"evil.example:8081\""), "{}", said.body);
        assert!(said.body.contains("hosts of [admin]"), "{}", said.body);
        assert_eq!(said.body.lines().count(), 1, "{}", said.body);
        assert!(story.nothing_changed());
    }
    for host in ["balancer.example.com:8081", "192.0.2.1:8081", "localhost"] {
        let said = story.ask_with("GET", "/status", &[("host", host)]);
        assert_eq!(said.status, 200, "{host}");
    }
}

#[test]
fn probes_are_answered_under_any_name() {
    let story = Story::guarded();
    for (path, status) in [("/live", 200), ("/ready", 503)] {
        let said = story.ask_with("GET", path, &[("host", "evil.example")]);
        assert_eq!(said.status, status, "{path}");
        assert!(said.body.len() < 80, "one line and nothing of the fleet");
    }
}

#[test]
fn an_order_that_cannot_be_stored_is_in_force_and_reported() {
    let file = std::path::Path::new("/nowhere-at-all/relays.json");
    let story = Story::guarded().remembering_in(file);

    let said = story.post("/relays/b:8000/drain");

    assert_eq!(said.status, 507, "{}", said.body);
    let body: Value = serde_json::from_str(&said.body).unwrap();
    assert_eq!(body["admin_state"], "drain");
    assert_eq!(body["stored"], false);
    let problem = body["problem"].as_str().unwrap();
    let expected = "cannot write /nowhere-at-all/relays.json: No such file or directory";
    assert!(problem.starts_with(expected), "{problem}");
    assert_eq!(story.states()[1], AdminState::Drain);
}

#[test]
fn process_whose_worker_threads_hang_is_not_ready_and_says_so() {
    let story = Story::guarded();
    // Every relay was polled.
    for id in [0, 2] {
        let (began, outcome) = (story.now, report(&[]));
        let mut fleet = story.pages.fleet.lock();
        fleet.apply(RelayId(id), Polled { began, outcome }, story.now);
    }
    let is_ready = || {
        let status = serde_json::from_str::<Value>(&story.ask("GET", "/status", &[]).body);
        (
            story.ask("GET", "/ready", &[]).status,
            status.unwrap()["ready"].clone(),
        )
    };
    story.pages.life.fall_silent_for(Duration::from_secs(4));
    assert_eq!(is_ready(), (200, json!(true)));

    story.pages.life.fall_silent_for(Duration::from_secs(60));

    assert_eq!(is_ready(), (503, json!(false)));
    let said = story.ask("GET", "/ready", &[]);
    assert_eq!(
        said.body,
        "not ready: worker threads do not respond for 60 s\n"
    );
    let metrics = story.ask("GET", "/metrics", &[]).body;
    assert!(
        metrics.contains("icecast_balancer_heartbeat_age_seconds 60."),
        "{metrics}"
    );
}

#[test]
fn missing_lines_of_the_log_are_in_the_metrics() {
    let metrics = Story::guarded().ask("GET", "/metrics", &[]).body;
    for series in [
        "log_lines_lost_total 0",
        "access_log_lines_suppressed_total 0",
    ] {
        let line = format!("icecast_balancer_{series}\n");
        assert!(metrics.contains(&line), "{series}: {metrics}");
    }
}
