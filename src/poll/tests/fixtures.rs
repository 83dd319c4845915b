//! Every captured document gives the counts, mounts and kinds that the server meant.

use super::super::{admin_stats, shoutcast1, shoutcast2, status_json};
use super::{Parser, data, names_in, shown};

type Table = &'static [(&'static str, &'static str)];

const IDLE_FIVE: &str =
    "0: idle /flac.oga 0, idle /live.aac 0, idle /live.mp3 0, idle /live.ogg 0, idle /live.opus 0";
const RUNNING_FIVE: &str = "0: running /flac.oga 0, running /live.aac 0, running /live.mp3 0, \
     running /live.ogg 0, running /live.opus 0";
const MASTER_FIVE: &str = "10: running /flac.oga 2, running /live.aac 2, running /live.mp3 2, \
     running /live.ogg 2, running /live.opus 2";
const NOT_JSON: &str = "unreadable, expected a JSON status document";
const ONE: &str = "0: running /live.mp3 0";

const STATUS_JSON: Table = &[
    (
        "2.4.4-booting-INVALID.json",
        "unreadable, the server has just started and has no statistics yet",
    ),
    (
        "2.4.4-limits-hidden-mount.json",
        "0: running /auth.mp3 0, running /full.mp3 0, running /full2.mp3 0, running /fwf.mp3 0, running /nomount.mp3 0",
    ),
    (
        "2.4.4-listener-on-fallback.json",
        "2: running /backup.mp3 2, virtual /live.mp3 0, virtual /virt.mp3 0",
    ),
    ("2.4.4-master-5mounts.json", MASTER_FIVE),
    ("2.4.4-mount-param-unknown.json", "0: "),
    ("2.4.4-mount-param.json", "2: running /live.mp3 2"),
    ("2.4.4-nosource.json", "0: "),
    ("2.4.4-ondemand-idle-after-use.json", IDLE_FIVE),
    (
        "2.4.4-ondemand-just-after.json",
        "1: idle /flac.oga 0, idle /live.aac 0, running /live.mp3 1, idle /live.ogg 0, idle /live.opus 0",
    ),
    ("2.4.4-one-source-object.json", ONE),
    (
        "2.4.4-one-source-one-listener.json",
        "1: running /live.mp3 1",
    ),
    ("2.4.4-slave1.json", RUNNING_FIVE),
    ("2.4.4-slave2.json", RUNNING_FIVE),
    (
        "2.4.4-slave3.json",
        "0: idle /missing.mp3 0, idle /other.mp3 0, idle /other.ogg 0",
    ),
    ("2.4.4-slave4.json", IDLE_FIVE),
    (
        "2.4.4-two-sources-array.json",
        "0: running /live.mp3 0, running /live.ogg 0",
    ),
    (
        "2.4.4-virtual-fallback-mounts.json",
        "0: running /backup.mp3 0, virtual /live.mp3 0, virtual /virt.mp3 0",
    ),
    ("2.5.0-rc2-derived-one-source.json", ONE),
    ("derived-source-array-with-null.json", "0: "),
    ("derived-source-null.json", "0: "),
    ("derived-truncated.json", NOT_JSON),
    (
        "kh-with-xiph-status-json.json",
        "0: running /kfull.mp3 0, running /live.mp3 0, idle /od.mp3 0",
    ),
];

/// What each title is read as; counts and mount are those of [`ONE`] in all of them.
const TITLES: &[(&str, Option<&str>)] = &[
    ("2.4.4-title-ctrl1.json", Some("ab")),
    ("2.4.4-title-dash.json", Some("-")),
    ("2.4.4-title-dash_space.json", Some("-")),
    ("2.4.4-title-dot5.json", Some(".5")),
    ("2.4.4-title-empty.json", None),
    ("2.4.4-title-esc.json", Some("ab")),
    ("2.4.4-title-int.json", Some("1999")),
    ("2.4.4-title-lead0.json", Some("007")),
    ("2.4.4-title-long.json", None),
    ("2.4.4-title-neg_lead0.json", Some("-05")),
    ("2.4.4-title-quote.json", Some("He said \"hi\"")),
    ("2.4.4-title-space_dash_space.json", Some("-")),
    (
        "2.4.4-title-utf8.json",
        Some("café &#8211; &#26085;&#26412;"),
    ),
];

const ADMIN_STATS: Table = &[
    ("2.5.0-rc2-derived-stats-input.xml", ONE),
    (
        "kh-stats.xml",
        "0: running /kfull.mp3 0/1, running /live.mp3 0, idle /od.mp3 0",
    ),
    (
        "stats-limits.xml",
        "0: running /auth.mp3 0, running /full.mp3 0/1, running /full2.mp3 0, running /fwf.mp3 0/1, \
         running /nomount.mp3 0, running /secret.mp3 0",
    ),
    ("stats-master-5mounts.xml", MASTER_FIVE),
    ("stats-one-source.xml", ONE),
    (
        "stats-slave3-ondemand-idle.xml",
        "0: idle /missing.mp3 0, idle /other.mp3 0, idle /other.ogg 0",
    ),
    ("stats-slave4-ondemand-idle.xml", IDLE_FIVE),
    (
        "stats-virtual-mounts.xml",
        "0: running /backup.mp3 0, virtual /hid.mp3 0, virtual /live.mp3 0, virtual /virt.mp3 0/50",
    ),
];

/// Other pages of the same servers, that are no statistics.
const OTHER_ADMIN_PAGES: [&str; 9] = [
    "kh-listmounts.xml",
    "listmounts-limits.xml",
    "listmounts-master.xml",
    "listmounts-one.xml",
    "listmounts-slave3-ondemand-idle.xml",
    "listmounts-slave4-ondemand-idle.xml",
    "streamlist-master.txt",
    "streamlist-one.txt",
    "streamlist-virtual.txt",
];

const NOT_SEVEN: &str = "unreadable, expected seven fields: five counts, a bitrate, a title";

const SHOUTCAST1: Table = &[
    ("v1-7-offair.html", "0: "),
    ("v1-7.html", "5: running /; 5/32"),
    ("v1-server-full.txt", NOT_SEVEN),
    ("v1-stream-head.txt", NOT_SEVEN),
];

const SHOUTCAST2: Table = &[
    ("v2-statistics.json", "1: running / 1/200"),
    // The page of one stream, that nobody polls.
    ("v2-stats.json", NOT_JSON),
];

fn check(folder: &str, table: Table, parse: Parser) {
    assert!(!table.is_empty());
    for (name, expected) in table {
        let found = shown(parse(&data(&format!("{folder}/{name}"))));
        assert_eq!(&found, expected, "{folder}/{name}");
    }
}

/// The tables name every file of the folder.
fn check_complete(folder: &str, named: impl IntoIterator<Item = &'static str>) {
    let mut named: Vec<_> = named.into_iter().map(str::to_owned).collect();
    named.sort();
    assert_eq!(names_in(folder), named, "tests/data/{folder}");
}

fn names(table: Table) -> impl Iterator<Item = &'static str> {
    table.iter().map(|(name, _)| *name)
}

#[test]
fn every_status_json_is_read() {
    check("status-json", STATUS_JSON, status_json::parse);
    check_complete("status-json", names(STATUS_JSON));
}

#[test]
fn no_title_costs_a_relay_its_counts() {
    assert!(!TITLES.is_empty());
    for (name, title) in TITLES {
        let report = status_json::parse(&data(&format!("status-json/titles/{name}")));
        let report = report.unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = report.mounts[0].title.clone();
        if *name == "2.4.4-title-long.json" {
            assert_eq!(
                found,
                Some("x".repeat(1024)),
                "cut to what a display could show"
            );
        } else {
            assert_eq!(found.as_deref(), *title, "{name}");
        }
        assert_eq!(shown(Ok(report)), ONE, "{name}");
    }
    check_complete("status-json/titles", TITLES.iter().map(|(name, _)| *name));
}

#[test]
fn every_admin_stats_is_read() {
    check("admin", ADMIN_STATS, admin_stats::parse);
    check_complete("admin", names(ADMIN_STATS).chain(OTHER_ADMIN_PAGES));
}

#[test]
fn every_shoutcast_page_is_read() {
    check("shoutcast", SHOUTCAST1, shoutcast1::parse);
    check("shoutcast", SHOUTCAST2, shoutcast2::parse);
    check_complete("shoutcast", names(SHOUTCAST1).chain(names(SHOUTCAST2)));
}

#[test]
fn what_people_read_is_kept() {
    let report = status_json::parse(&data("status-json/2.4.4-master-5mounts.json")).unwrap();
    assert_eq!(report.server.as_deref(), Some("Icecast 2.4.4"));
    let vorbis = &report.mounts[3];
    assert_eq!(vorbis.name.as_deref(), Some("Master Vorbis"));
    assert_eq!(
        vorbis.title.as_deref(),
        Some("Vorbis Artist - Vorbis Title")
    );
    assert_eq!(vorbis.content_type.as_deref(), Some("application/ogg"));
    assert_eq!(vorbis.bitrate_kbps, Some(64));
}

#[test]
fn xml_and_json_of_one_server_tell_the_same() {
    let xml = admin_stats::parse(&data("admin/stats-master-5mounts.xml")).unwrap();
    let json = status_json::parse(&data("status-json/2.4.4-master-5mounts.json")).unwrap();
    assert_eq!(xml, json);
}

#[test]
fn shoutcast_titles_keep_their_commas() {
    let v1 = shoutcast1::parse(&data("shoutcast/v1-7.html")).unwrap();
    let title = v1.mounts[0].title.as_deref();
    assert_eq!(title, Some("Artist - Title, with comma"));
    assert_eq!(v1.mounts[0].bitrate_kbps, Some(128));
    let v2 = shoutcast2::parse(&data("shoutcast/v2-statistics.json")).unwrap();
    assert_eq!(v2.mounts[0].bitrate_kbps, Some(128));
    assert_eq!(v2.mounts[0].content_type.as_deref(), Some("audio/mpeg"));
}

#[test]
fn a_shoutcast_stream_without_a_path_is_found_by_its_number() {
    let body = br#"{"streams":[{"id":"3","streamstatus":"1","currentlisteners":"7"},{"id":4,"streamstatus":0}]}"#;
    assert_eq!(shown(shoutcast2::parse(body)), "7: running /stream/3/ 7");
}
