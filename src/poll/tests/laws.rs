//! What holds for every document and every title there could be.

use proptest::prelude::*;

use super::super::status_json;
use super::hostile::survive;
use super::{data, shown};

/// A title as Icecast 2.4.4 writes it: bare if it looks like a number, else in quotes, control characters raw.
fn as_icecast_writes(title: &str) -> String {
    if title.trim().is_empty() {
        return "null".to_owned();
    }
    if title.chars().all(|c| "-+0123456789.eE \t".contains(c)) {
        return title.to_owned();
    }
    let escaped: String = title
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        survive(&body);
    }

    #[test]
    fn arbitrary_pieces_of_documents_never_panic(pieces in proptest::collection::vec(
        proptest::sample::select(vec![
            "{\"icestats\":", "\"source\":", "{", "}", "[", "]", ":", ",", "\"", "\\", "null", "-", "1e9", "\"listeners\":",
            "<icestats>", "</icestats>", "<source mount=\"/x\">", "</source>", "<listeners>", "<body>", "</body>", "1,1,", "&", ";",
        ]), 0..40)) {
        survive(pieces.concat().as_bytes());
    }

    #[test]
    fn arbitrary_titles_keep_the_count(title in prop_oneof![any::<String>(), "[-+0-9.eE \t]{0,6}", "[\\PC\u{0}-\u{1f}\"\\\\,:{}]{0,20}"]) {
        let written = as_icecast_writes(&title);
        let body = format!(
            r#"{{"icestats":{{"source":[{{"listeners":41,"listenurl":"http://a/x","stream_start":"x","title":{written},"dummy":null}},{{"listeners":1,"listenurl":"http://a/y","dummy":null}}]}}}}"#
        );
        prop_assert_eq!(shown(status_json::parse(body.as_bytes())), "42: running /x 41, virtual /y 1");
    }

    #[test]
    fn bytes_put_anywhere_into_a_document_never_panic(
        at in 0usize..1000, bytes in proptest::collection::vec(any::<u8>(), 0..20)
    ) {
        for file in ["status-json/2.4.4-two-sources-array.json", "admin/stats-one-source.xml", "shoutcast/v2-statistics.json", "shoutcast/v1-7.html"] {
            let mut document = data(file);
            let at = at % document.len();
            document.splice(at..at, bytes.iter().copied());
            survive(&document);
        }
    }
}
