//! The clients that are let in: those with a certificate of an authority, which is read again when its file changes.
//!
//! In: a file (PEM). Out: what rustls asks whether a client's certificate is one of that authority's.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use log::{error, info};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::pair::{BadPair, chain};
use super::stamp::{Stamp, stamp};
use super::watch::Fresh;

/// Who may come in, by the newest good file.
#[derive(Debug)]
pub struct ClientAuthority {
    file: PathBuf,
    seen: Mutex<Option<Stamp>>,
    verifier: ArcSwap<Verifier>,
}

/// Behind a pointer that can be swapped.
type Verifier = Arc<dyn ClientCertVerifier>;

impl ClientAuthority {
    /// Reads the authority's certificate, or those of several.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn load(file: &Path) -> Result<Self, BadPair> {
        Ok(Self {
            seen: Mutex::new(Some(stamp(file))),
            verifier: ArcSwap::from_pointee(verifier(file)?),
            file: file.to_owned(),
        })
    }

    fn current(&self) -> Verifier {
        Verifier::clone(&self.verifier.load())
    }
}

impl Fresh for ClientAuthority {
    fn refresh(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Some(stamp(&self.file));
        if *seen == stamp {
            return;
        }
        *seen = stamp;
        let file = self.file.display();
        match verifier(&self.file) {
            Ok(verifier) => {
                info!("clients need a certificate of the authority that {file} has now");
                self.verifier.store(Arc::new(verifier));
            }
            Err(bad) => error!("{bad}: the authority of before counts on"),
        }
    }
}

/// Reads authorities whose certificates are believed, of which there is one at least.
///
/// # Errors
/// What is wrong with the file.
pub fn authorities(path: &Path) -> Result<RootCertStore, BadPair> {
    let mut authorities = RootCertStore::empty();
    for certificate in chain(path)? {
        let added = authorities.add(certificate);
        added.map_err(|_| BadPair::Damaged(path.to_owned()))?;
    }
    Ok(authorities)
}

fn verifier(file: &Path) -> Result<Verifier, BadPair> {
    let authorities = authorities(file)?.into();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(authorities, provider);
    // It fails without an authority only, or with a damaged revocation list.
    let built = builder.build();
    built.map_err(|_| BadPair::NoCertificate(file.to_owned()))
}

impl ClientCertVerifier for ClientAuthority {
    /// None: the list would have to outlive the authority. Who has a certificate shows it then.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let current = self.current();
        current.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current().supported_verify_schemes()
    }
}
