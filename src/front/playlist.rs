//! Playlists: a file that names the balancer's own address of a mount, for players that start from one. Pure.

use quick_xml::escape::escape;

/// The kinds of playlist that players take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Playlist {
    /// Extended M3U.
    M3u,
    /// PLS.
    Pls,
    /// XML Shareable Playlist.
    Xspf,
}

impl Playlist {
    /// What it adds to the mount's path.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::M3u => ".m3u",
            Self::Pls => ".pls",
            Self::Xspf => ".xspf",
        }
    }

    /// Its MIME type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::M3u => "audio/x-mpegurl; charset=utf-8",
            Self::Pls => "audio/x-scpls; charset=utf-8",
            Self::Xspf => "application/xspf+xml; charset=utf-8",
        }
    }

    /// The file with one entry. `url` is our own and percent-encoded; `name` comes from a source and is not trusted.
    pub fn render(self, url: &str, name: &str) -> String {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        match self {
            Self::M3u => format!("#EXTM3U\n#EXTINF:-1,{name}\n{url}\n"),
            Self::Pls => format!(
                "[playlist]\nNumberOfEntries=1\nFile1={url}\nTitle1={name}\nLength1=-1\nVersion=2\n"
            ),
            Self::Xspf => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<playlist version=\"1\" xmlns=\"http://xspf.org/ns/0/\">\n  \
                 <trackList>\n    <track><location>{}</location><title>{}</title></track>\n  </trackList>\n</playlist>\n",
                escape(url),
                escape(name.as_str())
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://radio.example.com/live.mp3";

    #[test]
    fn every_kind_names_the_url() {
        for kind in [Playlist::M3u, Playlist::Pls, Playlist::Xspf] {
            assert!(kind.render(URL, "Radio").contains(URL), "{kind:?}");
        }
    }

    #[test]
    fn a_hostile_name_adds_no_line_and_no_tag() {
        let name = "a\nhttp://evil/\r\nFile2=b<script>&";
        assert_eq!(Playlist::M3u.render(URL, name).lines().count(), 3);
        assert_eq!(Playlist::Pls.render(URL, name).lines().count(), 6);
        let xspf = Playlist::Xspf.render(URL, name);
        assert!(!xspf.contains("<script>"), "{xspf}");
        assert!(xspf.contains("&lt;script&gt;&amp;"), "{xspf}");
    }
}
