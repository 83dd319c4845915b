//! The tolerant reader: makes valid JSON of what Icecast writes when a title is not to its liking.
//!
//! In: the bytes of a document that strict JSON refused. Out: a text to try once more, never much longer than the
//! document. One pass, no recursion; it does not judge the result: what is still no JSON stays unreadable.
//!
//! ICECAST: 2.4.4 writes a text that looks like a number to it without quotes, although `-`, ` - `, `.5`, `-05` and `1e`
//! are no JSON numbers, and control characters raw. One such title breaks the whole document (fixed in 2.5).

use std::iter::Peekable;
use std::str::Chars;

/// Rewrites `body` so that a strict parser can read it if nothing worse than a bad title ails it.
pub(super) fn repair(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut repaired = String::with_capacity(text.len() + 64);
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            '"' => copy_string(&mut chars, &mut repaired),
            '{' | '}' | '[' | ']' | ':' | ',' => copy_mark(&mut chars, &mut repaired),
            _ => copy_bare(&mut chars, &mut repaired),
        }
    }
    repaired
}

/// Copies a string without its raw control characters and with its stray backslashes doubled.
fn copy_string(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.extend(chars.next());
    while let Some(c) = chars.next() {
        match c {
            '\\' => copy_escape(chars, out),
            c if c.is_ascii_control() => {}
            c => out.push(c),
        }
        if c == '"' {
            return;
        }
    }
}

/// Copies what follows a backslash inside a string.
fn copy_escape(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    match chars.peek() {
        Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u') => {
            out.push('\\');
            out.extend(chars.next());
        }
        _ => out.push_str("\\\\"),
    }
}

/// Copies a structural mark, and puts `null` where a value is missing before it.
fn copy_mark(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    let ends_value = matches!(chars.peek(), Some(',' | '}'));
    if ends_value && out.trim_end().ends_with(':') {
        out.push_str("null");
    }
    out.extend(chars.next());
}

/// Copies what stands outside strings, in quotes if it is made like a number but is none.
fn copy_bare(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut run = String::new();
    while let Some(c) = chars.next_if(|c| !matches!(c, '"' | '{' | '}' | '[' | ']' | ':' | ',')) {
        run.push(c);
    }
    let token = run.trim();
    if is_numberlike(token) && serde_json::from_str::<f64>(token).is_err() {
        out.push('"');
        out.extend(token.chars().filter(|c| !c.is_ascii_control()));
        out.push('"');
    } else {
        out.push_str(&run);
    }
}

/// Whether a token is made of nothing but the characters that Icecast leaves without quotes.
fn is_numberlike(token: &str) -> bool {
    let part = |c: char| c.is_ascii_digit() || "-+.eE \t\r\n".contains(c);
    !token.is_empty() && token.chars().all(part)
}
