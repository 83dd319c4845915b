//! External account binding (RFC 8555, section 7.3.4): tells the server which of its customers our account belongs to.
//!
//! In: the key's id and the key, as the server gave them to the customer. Out: what the registration is signed with besides.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use instant_acme::ExternalAccountKey;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

/// Servers give their keys with or without the padding, and not all of them take care of the last bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A customer of an ACME server. `Debug` does not print the key.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Which key it is, in the server's words.
    pub key_id: String,
    key: SecretSlice<u8>,
}

/// The key is not written as servers write it.
#[derive(Debug, thiserror::Error)]
#[error("expected a key in base64url")]
pub struct NotBase64Url;

impl Binding {
    /// The binding with this `key`, written in base64url.
    ///
    /// # Errors
    /// It is not. SECURITY: not a word of what it is instead.
    pub fn new(key_id: String, key: &SecretString) -> Result<Self, NotBase64Url> {
        let key = BASE64.decode(key.expose_secret());
        let key = key.map_err(|_| NotBase64Url)?.into();
        Ok(Self { key_id, key })
    }

    pub(super) fn key(&self) -> ExternalAccountKey {
        ExternalAccountKey::new(self.key_id.clone(), self.key.expose_secret())
    }
}

/// Two are the same when both id and key are.
impl PartialEq for Binding {
    fn eq(&self, other: &Self) -> bool {
        self.key_id == other.key_id && self.key.expose_secret() == other.key.expose_secret()
    }
}

impl Eq for Binding {}
