//! What a demo relay answers, byte for byte as Icecast 2.4.4 does.
//!
//! Comes in: what was asked. Goes out: heads and short answers. Pure but for the date.

use super::date::rfc_1123;
use super::icy::METAINT_BYTES;
use super::programme::BITRATE_KBPS;
use super::status_page::{SERVER, STATION};
use std::time::SystemTime;

/// The head of the stream.
pub fn stream_head(metadata: bool) -> String {
    let metaint = if metadata {
        format!("icy-metaint:{METAINT_BYTES}\r\n")
    } else {
        String::new()
    };
    let common = head("200 OK", "audio/mpeg");
    // ICECAST: no space after the colon of an icy-* header.
    format!(
        "{common}icy-br:{BITRATE_KBPS}\r\nicy-description:A melody that is made while you listen\r\n\
         icy-genre:Demo\r\nicy-name:{STATION}\r\nicy-pub:0\r\n{metaint}\r\n"
    )
}

/// The whole answer of the status page.
pub fn status(page: &str) -> String {
    let common = head("200 OK", "application/json; charset=UTF-8");
    format!("{common}Content-Length: {}\r\n\r\n{page}", page.len())
}

/// The whole answer for a mount that is not there.
pub fn not_found() -> String {
    let common = head("404 File Not Found", "text/html; charset=utf-8");
    let page = error_page("404", "The file you requested could not be found");
    format!("{common}\r\n{page}")
}

/// The whole answer for a method other than GET.
pub fn unknown_method() -> String {
    let common = head("400 Bad Request", "text/html; charset=utf-8");
    let page = error_page("400", "unknown request");
    format!("{common}\r\n{page}")
}

/// The lines that all answers begin with; the empty line is not among them.
fn head(status: &str, content_type: &str) -> String {
    let date = rfc_1123(SystemTime::now(), "GMT");
    format!(
        "HTTP/1.0 {status}\r\nServer: {SERVER}\r\nConnection: Close\r\nDate: {date}\r\n\
         Content-Type: {content_type}\r\nCache-Control: no-cache, no-store\r\n\
         Expires: Mon, 26 Jul 1997 05:00:00 GMT\r\nPragma: no-cache\r\nAccess-Control-Allow-Origin: *\r\n"
    )
}

fn error_page(code: &str, text: &str) -> String {
    format!(
        "<html><head><title>Error {code}</title></head><body><b>{code} - {text}</b></body></html>\r\n"
    )
}
