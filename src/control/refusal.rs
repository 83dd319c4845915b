//! Why TLS came to nothing, told in words that help. Pure.

use std::error::Error;
use std::io;

use rustls::AlertDescription::{self, CertificateRequired};

use super::error::ControlError;
use super::target::Place;

/// What went wrong with TLS; `None` where something else did.
pub fn of(error: &reqwest::Error, place: &Place) -> Option<ControlError> {
    let address = place.address.clone();
    let Some(trust) = &place.tls else {
        // Who speaks TLS answers a plain request with an alert, which is no HTTP.
        let spoken = causes(error).any(|cause| cause.to_string().contains("HTTP version"));
        return spoken.then_some(ControlError::NotPlain { address });
    };
    if error.is_timeout() {
        return Some(ControlError::SilentOnTls { address });
    }
    match causes(error).find_map(of_tls) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            let why = why.to_string();
            Some(ControlError::Untrusted { address, why })
        }
        Some(rustls::Error::InvalidMessage(_)) => Some(ControlError::NotTls { address }),
        Some(rustls::Error::AlertReceived(CertificateRequired)) => {
            Some(ControlError::CertificateWanted { address })
        }
        Some(rustls::Error::AlertReceived(alert)) if is_of_certificate(*alert) => {
            let why = format!("{alert:?}");
            Some(ControlError::CertificateRefused { address, why })
        }
        // In TLS 1.3 we have asked when we are refused; whoever hangs up in a hurry takes the reason along.
        None if is_hung_up(error) && trust.client.is_none() => {
            Some(ControlError::CertificateWanted { address })
        }
        _ => None,
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| cause.source())
}

/// An I/O error hides what it was made of, perhaps another one, from `source`.
fn of_tls<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = cause;
    while let Some(within) = cause.downcast_ref().and_then(io::Error::get_ref) {
        cause = within;
    }
    cause.downcast_ref()
}

fn is_hung_up(error: &(dyn Error + 'static)) -> bool {
    let kinds = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    kinds.map(io::Error::kind).any(|kind| {
        matches!(
            kind,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        )
    })
}

fn is_of_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::DecryptError
            | A::AccessDenied
    )
}
