//! One ICY metadata block: `StreamTitle='Artist - Title';StreamUrl='';`.
//!
//! Comes in: the text of a relay's block, or a title. Goes out: the block for the wire, cheap to share among listeners,
//! and its title. Text is bytes: relays send ISO-8859-1 as well as UTF-8, and it is passed on as it came. Pure.

use std::sync::Arc;

/// The most text a length byte can announce.
const TEXT_LIMIT_BYTES: usize = 255 * 16;
const OPENING: &str = "StreamTitle='";
const CLOSING: &str = "';";

/// A metadata block: its length byte and its text, padded with zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata(Arc<[u8]>);

impl Default for Metadata {
    fn default() -> Self {
        Self(Self::NO_CHANGE.into())
    }
}

impl Metadata {
    /// The block that says nothing.
    pub const NO_CHANGE: &[u8] = &[0];

    /// The block with this text (without its length byte), which is cut where a block must end.
    pub fn from_block(text: &[u8]) -> Self {
        let text = without_padding(text);
        let text = text.get(..TEXT_LIMIT_BYTES).unwrap_or(text);
        let sixteenths = text.len().div_ceil(16);
        let mut block = vec![u8::try_from(sixteenths).unwrap_or(u8::MAX)];
        block.extend_from_slice(text);
        block.resize(1 + 16 * sixteenths, 0);
        Self(block.into())
    }

    /// The block that tells `title`.
    ///
    /// ICY has no escape: a quote stays a quote, as Icecast sends it; only what would end the title early is parted, and
    /// control characters become blanks. A title that is too long is cut at a character.
    pub fn from_title(title: &str) -> Self {
        let plain: String = title
            .chars()
            .map(|char| if char.is_control() { ' ' } else { char })
            .collect();
        let mut plain = plain.replace(CLOSING, "' ;");
        let limit = TEXT_LIMIT_BYTES - OPENING.len() - CLOSING.len();
        while plain.len() > limit {
            plain.pop();
        }
        Self::from_block(format!("{OPENING}{plain}{CLOSING}").as_bytes())
    }

    /// The whole block as it goes to a listener.
    pub fn block(&self) -> &[u8] {
        &self.0
    }

    /// The title, when the block has one.
    pub fn title(&self) -> Option<&[u8]> {
        let text = without_padding(self.0.get(1..)?);
        let start = memchr::memmem::find(text, OPENING.as_bytes())? + OPENING.len();
        let title = text.get(start..)?;
        memchr::memmem::find_iter(title, CLOSING)
            .find(|end| ends_field(title.get(end + CLOSING.len()..).unwrap_or_default()))
            .and_then(|end| title.get(..end))
            .or(Some(title))
    }
}

/// Whether nothing follows or the next field, such as `StreamUrl='`: a title may well contain `';`.
fn ends_field(rest: &[u8]) -> bool {
    let name_bytes = rest.iter().take_while(|byte| is_name(**byte)).count();
    rest.is_empty()
        || name_bytes > 0
            && rest
                .get(name_bytes..)
                .is_some_and(|it| it.starts_with(b"='"))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn without_padding(text: &[u8]) -> &[u8] {
    let padding = text.iter().rev().take_while(|byte| **byte == 0).count();
    text.get(..text.len() - padding).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn title_of(text: &str) -> Option<String> {
        let metadata = Metadata::from_block(text.as_bytes());
        let title = metadata.title()?.to_vec();
        Some(String::from_utf8(title).unwrap())
    }

    #[test]
    fn titles_are_read_as_players_read_them() {
        for (text, title) in [
            ("StreamTitle='';", ""),
            ("StreamTitle='It's me';\0\0", "It's me"),
            ("StreamTitle='A - B';StreamUrl='http://x/';", "A - B"),
            ("StreamUrl='';StreamTitle='A';", "A"),
            ("StreamTitle='Say '; twice';", "Say '; twice"),
            ("StreamTitle='cut in the mid", "cut in the mid"),
        ] {
            assert_eq!(title_of(text).as_deref(), Some(title), "{text}");
        }
        assert_eq!(title_of("StreamUrl='x';"), None);
        assert_eq!(title_of(""), None);
    }

    #[test]
    fn a_block_is_padded_to_sixteenths_and_never_longer_than_it_can_say() {
        assert_eq!(Metadata::from_block(b"").block(), Metadata::NO_CHANGE);
        assert_eq!(Metadata::from_title("").block(), b"\x01StreamTitle='';\0");
        assert_eq!(Metadata::from_title("A").block(), b"\x01StreamTitle='A';");
        let longest = Metadata::from_title(&"\u{e9}".repeat(5000));
        assert_eq!(longest.block().len(), 1 + 4080);
        assert_eq!(longest.title().map(<[u8]>::len), Some(4064));
    }

    proptest! {
        #[test]
        fn a_title_comes_back_as_it_went(title in "[^\\p{Cc}]{0,40}") {
            let metadata = Metadata::from_title(&title);
            let read = String::from_utf8(metadata.title().unwrap().to_vec()).unwrap();
            prop_assert_eq!(read, title.replace("';", "' ;"));
        }

        #[test]
        fn no_text_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..5000)) {
            let metadata = Metadata::from_block(&text);
            prop_assert_eq!(metadata.block().len() % 16, 1);
            let _ = metadata.title();
        }
    }
}
