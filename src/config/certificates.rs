//! `[tls]`: who we are to listeners on TLS.
//!
//! In: a section of the file under its variables. Out: pairs of files of which it is known that they can be used.

use super::Tls;
use super::error::{Fault, Spot};
use super::section::{Read, Section};
use super::value;
use crate::tls::{Files, Pair};

/// Reads `[tls]`.
pub(super) fn tls(section: &mut Section<'_, '_>) -> Tls {
    let pairs = section.tables("certificate", certificate);
    Tls {
        certificates: pairs.into_iter().flatten().flatten().collect(),
    }
}

/// Reads one `[[tls.certificate]]`.
fn certificate(section: &mut Section<'_, '_>) -> Option<Files> {
    let [cert, key] = ["cert", "key"].map(|name| section.scalar(name, value::text));
    if let (Read::Refused, _) | (_, Read::Refused) = (&cert, &key) {
        return None;
    }
    let (cert, key) = match (given(cert), given(key)) {
        (Some(cert), Some((key, _))) => (cert, key),
        // A template may leave both empty.
        (None, None) => return None,
        (cert, _) => {
            let name = if cert.is_none() { "cert" } else { "key" };
            section.refuse_missing(name, "the path of a file (PEM)");
            return None;
        }
    };
    let (cert, spot) = cert;
    let [chain, key] = [cert, key].map(|path| section.reader.beside_file(&path));
    let files = Files { chain, key };
    if let Err(bad) = Pair::load(&files) {
        let expected = "a certificate and its key that can be used";
        let fault = Fault::expected(expected, bad.to_string());
        section.reader.refuse(spot, fault);
    }
    Some(files)
}

/// An empty text is as good as none.
fn given(read: Read<String>) -> Option<(String, Spot)> {
    read.with_spot().filter(|(text, _)| !text.is_empty())
}
