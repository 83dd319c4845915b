//! Whom the commands take for the balancer on TLS, and who they say they are themselves.
//!
//! In: files. Out: what a client speaks. SECURITY: a token goes to nobody whose certificate is not trusted.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier as System;

use super::error::ControlError;
use crate::tls::{BadPair, Files, Pair, authorities, chain};

/// TLS to the admin address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Whose certificate is believed.
    pub server: Server,
    /// What we show where a certificate is wanted.
    pub client: Option<Files>,
}

/// Whose certificate is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Server {
    /// One of the system's authorities gave it, in the name that is asked.
    #[default]
    System,
    /// One of these authorities (PEM) gave it, in the name that is asked.
    Authorities(PathBuf),
    /// It is this one (PEM, the first), whatever names it has and whenever it ends.
    Pinned(PathBuf),
}

impl Trust {
    /// What a client on these terms speaks.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn config(&self) -> Result<ClientConfig, ControlError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = self.server.verifier(&provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ControlError::Setup(error.into()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let Some(files) = &self.client else {
            return Ok(builder.with_no_client_auth());
        };
        let pair = Pair::load(files).map_err(ControlError::ClientPair)?;
        let shown = rustls::sign::SingleCertAndKey::from(pair.certified);
        Ok(builder.with_client_cert_resolver(Arc::new(shown)))
    }
}

impl Server {
    fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, ControlError> {
        let set_up = |error: Error| ControlError::Setup(error.into());
        Ok(match self {
            Self::System => Arc::new(System::new(provider.clone()).map_err(set_up)?),
            Self::Authorities(file) => {
                let authorities = authorities(file).map_err(ControlError::Certificates)?;
                let (authorities, provider) = (Arc::new(authorities), provider.clone());
                let built = WebPkiServerVerifier::builder_with_provider(authorities, provider);
                built.build().map_err(|e| ControlError::Setup(e.into()))?
            }
            Self::Pinned(file) => {
                let chain = chain(file).map_err(ControlError::Certificates)?;
                let first = chain.into_iter().next();
                let none = || ControlError::Certificates(BadPair::NoCertificate(file.clone()));
                Arc::new(Pinned {
                    certificate: first.ok_or_else(none)?,
                    provider: provider.clone(),
                })
            }
        })
    }
}

/// Believes one certificate. Who shows it must still prove to have its key.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.certificate == *end_entity {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
