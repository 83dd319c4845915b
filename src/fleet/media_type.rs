//! Media types: which types are a stream, and which of them are the same format under other names. Pure.
//!
//! SECURITY: a source client chooses the type of its mount. A browser must find nothing at the balancer's address that it
//! runs as a page, and no playlist that leads a player elsewhere.

/// Whether a type is that of a stream: audio, video, Ogg, or bytes of any kind.
///
/// A playlist has an `audio/` type too (`audio/x-mpegurl`); it is not a stream.
pub fn is_stream(content_type: &str) -> bool {
    let essence = essence(content_type);
    let Some((kind, name)) = essence.split_once('/') else {
        return false;
    };
    let is_token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    if !is_token(kind) || !is_token(name) {
        return false;
    }
    match kind {
        "audio" => !is_playlist(name),
        "video" => name != "x-ms-asx" && name != "x-ms-wvx",
        "application" => matches!(name, "ogg" | "x-ogg" | "octet-stream"),
        _ => false,
    }
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
        let essence = essence(content_type);
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

/// The type without parameters, lower case.
fn essence(content_type: &str) -> String {
    let essence = content_type.split([';', ',']).next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
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
            "audio",
            "audio/",
            "audio/mpeg<script>",
            "",
        ] {
            assert!(!is_stream(other), "{other}");
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
