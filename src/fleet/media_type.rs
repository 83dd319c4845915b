//! Media types: which types are a stream, and which of them are the same format under other names. Pure.
//!
//! SECURITY: a source client chooses the type of its mount. A browser must find nothing at the balancer's address that it
//! runs as a page, and no playlist that leads a player elsewhere.

/// The type under which a stream is passed on; `None` for the type of anything else.
///
/// A stream is audio, video, Ogg, or bytes of any kind. A playlist has an `audio/` type too (`audio/x-mpegurl`); it is not a
/// stream. Of the parameters only a simple `codecs` is kept.
///
/// SECURITY: browsers split a type at commas and take the last (Fetch, "extract a MIME type"), so nothing is passed on but
/// one type of known form.
pub fn stream_type(content_type: &str) -> Option<String> {
    let (essence, parameters) = match content_type.split_once(';') {
        Some((essence, parameters)) => (essence, parameters),
        None => (content_type, ""),
    };
    let essence = essence.trim().to_ascii_lowercase();
    let (kind, name) = essence.split_once('/')?;
    if !is_token(kind) || !is_token(name) {
        return None;
    }
    let is_stream = match kind {
        "audio" => !is_playlist(name),
        "video" => !matches!(name, "x-ms-asx" | "x-ms-wvx"),
        "application" => matches!(name, "ogg" | "x-ogg" | "octet-stream"),
        _ => false,
    };
    if !is_stream || name.ends_with("+xml") {
        return None;
    }
    Some(match codecs(parameters) {
        Some(codecs) => format!("{essence}; codecs={codecs}"),
        None => essence,
    })
}

/// Returns true for the type of a stream.
pub fn is_stream(content_type: &str) -> bool {
    stream_type(content_type).is_some()
}

/// The value of a `codecs` parameter that is a plain word.
fn codecs(parameters: &str) -> Option<&str> {
    let mut parameters = parameters.split(';').map(str::trim);
    let value = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("codecs")
            .then(|| value.trim().trim_matches('"'))
    })?;
    is_token(value).then_some(value)
}

/// A token of RFC 9110 5.6.2, without the characters that no type has.
fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// The types of playlists, with and without `x-`.
fn is_playlist(name: &str) -> bool {
    let name = name.strip_prefix("x-").unwrap_or(name);
    matches!(
        name,
        "mpegurl" | "scpls" | "pls" | "ms-wax" | "ms-asx" | "pn-realaudio-plugin"
    )
}

/// The format of a stream, under whatever type a server has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StreamFormat {
    /// MPEG audio, layers 1 to 3.
    Mpeg,
    /// AAC in ADTS frames, HE-AAC too.
    Aac,
    /// Ogg with any codec.
    Ogg,
    /// WebM or Matroska.
    Webm,
    /// FLAC without Ogg.
    Flac,
    /// ISO base media.
    Mp4,
    /// Another type, without parameters, lower case.
    Other(Box<str>),
}

impl StreamFormat {
    /// The format that a type names; `None` for a type that says nothing of it.
    ///
    /// ICECAST: mixed fleets report `audio/aacp` here and `audio/aac` there, `application/ogg` and `audio/ogg`, `audio/mp3`
    /// and `audio/mpeg`.
    pub fn from_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        Some(match essence.as_str() {
            "" | "application/octet-stream" => return None,
            "audio/mpeg" | "audio/mp3" | "audio/mpeg3" | "audio/x-mpeg" | "audio/x-mp3"
            | "audio/mpg" | "audio/mpa" => Self::Mpeg,
            "audio/aac" | "audio/aacp" | "audio/x-aac" | "audio/x-aacp" | "audio/x-hx-aac-adts" => {
                Self::Aac
            }
            "application/ogg" | "application/x-ogg" | "audio/ogg" | "audio/x-ogg" | "video/ogg"
            | "audio/opus" | "audio/vorbis" => Self::Ogg,
            "audio/webm" | "video/webm" => Self::Webm,
            "audio/flac" | "audio/x-flac" => Self::Flac,
            "audio/mp4" | "video/mp4" | "audio/x-m4a" => Self::Mp4,
            _ => Self::Other(essence.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_audio_video_ogg_and_octets_are_streams() {
        for stream in [
            "audio/mpeg",
            "AUDIO/AACP",
            "audio/ogg; codecs=opus",
            "application/ogg",
            "application/octet-stream",
            "video/webm",
            "video/nsv",
            " audio/flac ",
        ] {
            assert!(is_stream(stream), "{stream}");
        }
        for other in [
            "text/html",
            "text/plain",
            "application/xhtml+xml",
            "application/javascript",
            "application/x-shockwave-flash",
            "application/pdf",
            "image/svg+xml",
            "multipart/x-mixed-replace",
            "audio/x-mpegurl",
            "audio/x-scpls",
            "audio/mpegurl",
            "application/vnd.apple.mpegurl",
            "text/html, audio/mpeg",
            "audio/mpeg, text/html",
            "audio/mpeg,text/html;charset=utf-8",
            "audio/mpeg\r\nX: y",
            "audio/x+xml",
            "audio",
            "audio/",
            "audio/mpeg<script>",
            "",
        ] {
            assert!(!is_stream(other), "{other}");
        }
    }

    #[test]
    fn nothing_is_passed_on_but_one_type_and_a_plain_codec() {
        for (given, passed_on) in [
            ("Audio/MPEG", "audio/mpeg"),
            ("audio/mpeg;charset=utf-8", "audio/mpeg"),
            ("audio/ogg; codecs=opus", "audio/ogg; codecs=opus"),
            (
                "audio/ogg;x=y; Codecs=\"vorbis\"",
                "audio/ogg; codecs=vorbis",
            ),
            ("audio/ogg; codecs=\"opus, vorbis\"", "audio/ogg"),
            ("audio/mpeg;x=1, text/html", "audio/mpeg"),
            ("audio/mpeg; codecs=mp3, text/html", "audio/mpeg"),
            ("audio/mpeg; codecs=\"mp3\", text/html", "audio/mpeg"),
        ] {
            assert_eq!(stream_type(given).as_deref(), Some(passed_on), "{given}");
        }
    }

    #[test]
    fn one_format_has_many_types() {
        let format = StreamFormat::from_type;
        for (one, other) in [
            ("audio/aac", "audio/aacp"),
            ("audio/mpeg", "audio/mp3"),
            ("application/ogg", "audio/ogg; codecs=vorbis"),
            ("Audio/MPEG", "audio/mpeg;charset=utf-8"),
        ] {
            assert_eq!(format(one), format(other), "{one} {other}");
        }
        assert_ne!(format("audio/mpeg"), format("audio/aac"));
        assert_ne!(format("audio/x-one"), format("audio/x-two"));
        assert_eq!(format("application/octet-stream"), None);
    }
}
