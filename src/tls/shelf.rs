//! The shelf: which pair answers which name. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::pair::Pair;

/// Pairs by name; of those for one name the light ones first.
#[derive(Debug, Default)]
pub struct Shelf {
    /// By whole name, or by what follows `*.`.
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// For who asks for no name, or one that nobody has: the first pair, and others for its names.
    default: Vec<Arc<CertifiedKey>>,
}

impl Shelf {
    /// A shelf of these pairs, the first of which is the default.
    pub fn of<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> Self {
        let mut shelf = Self::default();
        let mut pairs: Vec<&Pair> = pairs.into_iter().collect();
        let first = pairs.first().copied();
        pairs.sort_by_key(|pair| !pair.is_light);
        for pair in &pairs {
            for name in &pair.names {
                let (shelf, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut shelf.wildcard, parent),
                    None => (&mut shelf.exact, name.as_str()),
                };
                let place = shelf.entry(name.to_owned()).or_default();
                place.push(pair.certified.clone());
            }
        }
        let alike = |pair: &&&Pair| first.is_some_and(|first| first.names == pair.names);
        let default = pairs.iter().filter(alike);
        shelf.default = default.map(|pair| pair.certified.clone()).collect();
        shelf
    }

    /// The pairs for a name, the best first.
    pub fn find(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        // Some players ask with the dot of a whole name, which no certificate has.
        let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
        let named = name.and_then(|name| self.named(&plain(name)));
        named.unwrap_or(&self.default)
    }

    fn named(&self, name: &str) -> Option<&[Arc<CertifiedKey>]> {
        let parent = || self.wildcard.get(name.split_once('.')?.1);
        let found = self.exact.get(name).or_else(parent)?;
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::tests::Folder;
    use super::*;

    #[test]
    fn a_name_finds_its_own_pair_a_wildcard_or_the_default() {
        let folder = Folder::new("shelf");
        let (ecdsa, rsa) = (&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_RSA_SHA256);
        let pairs = [
            ("a-rsa", vec!["a.example"], rsa),
            ("a-ec", vec!["a.example"], ecdsa),
            ("wild", vec!["*.b.example"], ecdsa),
            ("b", vec!["x.b.example", "b.example"], ecdsa),
        ]
        .map(|(file, names, kind)| Pair::load(&folder.pair(file, &names, kind)).unwrap());
        let shelf = Shelf::of(&pairs);
        let found = |name| {
            let places = shelf.find(name).iter();
            let index = |key: &Arc<CertifiedKey>| {
                pairs
                    .iter()
                    .position(|pair| Arc::ptr_eq(&pair.certified, key))
            };
            places.filter_map(index).collect::<Vec<_>>()
        };
        assert_eq!(found(Some("A.Example")), [1, 0], "the light one first");
        assert_eq!(found(Some("y.b.example")), [2]);
        assert_eq!(found(Some("x.b.example")), [3]);
        assert_eq!(found(Some("b.example")), [3]);
        assert_eq!(found(Some("B.example.")), [3]);
        assert_eq!(found(Some("z.y.b.example")), [1, 0], "a star is one label");
        assert_eq!(found(Some("elsewhere.example")), [1, 0]);
        assert_eq!(found(None), [1, 0]);
        assert!(Shelf::default().find(None).is_empty());
    }
}
