//! The certificates that we have: read at the start, read again when their files change. A bad pair never takes the place
//! of a good one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use log::{error, info, warn};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, SignatureScheme};

use super::pair::{BadPair, Files, Pair};
use super::shelf::Shelf;
use super::stamp::{Stamp, stamp};
use super::watch::Fresh;

/// All pairs, and which of them answers.
#[derive(Debug, Default)]
pub struct Certificates {
    shelf: ArcSwap<Shelf>,
    places: Mutex<Vec<Place>>,
    good: AtomicU64,
    bad: AtomicU64,
}

/// How often files that had changed were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reloads {
    /// With a good pair.
    pub good: u64,
    /// With a bad one, which was not taken.
    pub bad: u64,
}

/// A pair as an operator knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it is for.
    pub names: Vec<String>,
    /// When it ends.
    pub valid_until: SystemTime,
}

/// One pair of files.
#[derive(Debug)]
struct Place {
    files: Files,
    seen: Option<Stamps>,
    pair: Option<Pair>,
}

type Stamps = [Stamp; 2];

impl Place {
    /// A pair that has ended is no better than one that has not, whatever is newer.
    fn judge(&self, pair: Pair) -> Result<Pair, BadPair> {
        let now = SystemTime::now();
        let is_good = |pair: &Pair| pair.valid_until > now;
        match self.pair.as_ref().is_some_and(is_good) && !is_good(&pair) {
            true => Err(BadPair::Ended(self.files.chain.clone())),
            false => Ok(pair),
        }
    }

    /// The pair that was read again, or the one of before where that is none or has ended.
    fn better_of(&self, read: Option<Pair>) -> Option<Pair> {
        let judged = read.map(|pair| self.judge(pair));
        match judged.transpose() {
            Ok(Some(pair)) => Some(pair),
            Ok(None) => self.pair.clone(),
            Err(bad) => {
                error!("{bad}: the certificate of before is served on");
                self.pair.clone()
            }
        }
    }
}

impl Certificates {
    /// Reads pairs, and one that is `awaited`: somebody else puts it there, and mends it.
    ///
    /// # Errors
    /// The first of the others that cannot be used.
    pub fn load(files: Vec<Files>, awaited: Option<Files>) -> Result<Self, BadPair> {
        let places = places(files, awaited)?;
        Ok(Self {
            shelf: ArcSwap::from_pointee(shelf_of(&places)),
            places: Mutex::new(places),
            good: AtomicU64::new(0),
            bad: AtomicU64::new(0),
        })
    }

    /// Serves these pairs in place of all that were served before, as [`load`](Self::load) says.
    ///
    /// # Errors
    /// The first that cannot be used; those of before are served on.
    pub fn exchange(&self, files: Vec<Files>, awaited: Option<Files>) -> Result<(), BadPair> {
        let mut places = places(files, awaited)?;
        let mut before = self.lock();
        for place in &mut places {
            if let Some(same) = before.iter().find(|before| before.files == place.files) {
                place.pair = same.better_of(place.pair.take());
            }
        }
        self.shelf.store(Arc::new(shelf_of(&places)));
        *before = places;
        Ok(())
    }

    fn refresh_place(&self, place: &mut Place) -> bool {
        let stamps = stamps(&place.files);
        if place.seen == Some(stamps) {
            return false;
        }
        match Pair::load(&place.files).and_then(|pair| place.judge(pair)) {
            Ok(pair) => {
                info!(
                    "the certificate for {} is served from now on, until {}",
                    pair.names.join(", "),
                    humantime::format_rfc3339_seconds(pair.valid_until)
                );
                self.good.fetch_add(1, Ordering::Relaxed);
                (place.pair, place.seen) = (Some(pair), Some(stamps));
                true
            }
            // The second file of a pair comes a moment after the first: it is looked at again.
            Err(bad) if place.seen.is_some() => {
                place.seen = None;
                warn!("{bad}: looked at again in a moment");
                false
            }
            Err(bad) => {
                error!("{bad}: the certificate of before is served on");
                self.bad.fetch_add(1, Ordering::Relaxed);
                place.seen = Some(stamps);
                false
            }
        }
    }

    /// The pairs that are served.
    pub fn known(&self) -> Vec<Known> {
        let places = self.lock();
        let pairs = places.iter().filter_map(|place| place.pair.as_ref());
        let known = pairs.map(|pair| Known {
            names: pair.names.clone(),
            valid_until: pair.valid_until,
        });
        known.collect()
    }

    /// How often changed files were read.
    pub fn reloads(&self) -> Reloads {
        Reloads {
            good: self.good.load(Ordering::Relaxed),
            bad: self.bad.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fresh for Certificates {
    fn refresh(&self) {
        let mut places = self.lock();
        let mut changed = false;
        for place in places.iter_mut() {
            changed |= self.refresh_place(place);
        }
        if changed {
            self.shelf.store(Arc::new(shelf_of(&places)));
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shelf = self.shelf.load();
        let usable = |pair: &&Arc<CertifiedKey>| {
            fits(pair, hello.signature_schemes(), hello.cipher_suites())
        };
        let pairs = shelf.find(hello.server_name());
        pairs.iter().find(usable).or(pairs.first()).cloned()
    }
}

/// Whether a listener can check what the pair signs. In TLS 1.2 the cipher suite names the kind of key too.
fn fits(pair: &CertifiedKey, schemes: &[SignatureScheme], suites: &[CipherSuite]) -> bool {
    let is_rsa = pair.key.algorithm() == rustls::SignatureAlgorithm::RSA;
    let is_suite = |suite: &CipherSuite| {
        let name = suite.as_str().unwrap_or_default();
        name.starts_with("TLS13_")
            || name.contains(if is_rsa { "ECDHE_RSA" } else { "ECDHE_ECDSA" })
    };
    suites.iter().any(is_suite) && pair.key.choose_scheme(schemes).is_some()
}

fn places(files: Vec<Files>, awaited: Option<Files>) -> Result<Vec<Place>, BadPair> {
    let places = files.into_iter().map(|files| {
        let seen = Some(stamps(&files));
        let pair = Some(Pair::load(&files)?);
        Ok(Place { files, seen, pair })
    });
    let mut places: Vec<Place> = places.collect::<Result<_, _>>()?;
    places.extend(awaited.map(|files| Place {
        seen: Some(stamps(&files)),
        pair: Pair::load(&files).ok(),
        files,
    }));
    Ok(places)
}

fn shelf_of(places: &[Place]) -> Shelf {
    Shelf::of(places.iter().filter_map(|place| place.pair.as_ref()))
}

fn stamps(files: &Files) -> Stamps {
    [&files.chain, &files.key].map(|path| stamp(path))
}

#[cfg(test)]
mod tests;
