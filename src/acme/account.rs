//! The account at the ACME server: made once, kept in the state directory, tied to the directory URL and to the binding.

use instant_acme::{Account, AccountCredentials, NewAccount};
use log::{info, warn};
use serde::{Deserialize, Serialize};

use super::Settings;
use super::binding::Binding;
use super::error::{AcmeError, asking, registering};
use super::nonce::patiently;
use super::store::{Store, StoreError};
use super::wire::Wire;

/// The account as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Where it is an account.
    directory: String,
    /// Which key it was bound with, if it was.
    #[serde(default)]
    key_id: Option<String>,
    /// Whom the server writes to.
    email: Option<String>,
    /// The account's key and URL.
    credentials: AccountCredentials,
}

impl Kept {
    /// Whether it is an account of the configured server, bound as configured. One that was bound stays good when the
    /// configuration says nothing of that any more: the key may have served once only.
    fn fits(&self, settings: &Settings) -> bool {
        let wanted = settings.binding.as_ref().map(|binding| &binding.key_id);
        self.directory == settings.directory && (wanted.is_none() || wanted == self.key_id.as_ref())
    }
}

/// Enters with the kept account, or registers one if there is none that fits.
///
/// # Errors
/// The server was not reached or refused, or the account cannot be kept.
pub(super) async fn enter(
    settings: &Settings,
    store: &Store,
    wire: &Wire,
) -> Result<Account, AcmeError> {
    let Some(kept) = kept(settings, store)? else {
        return register(settings, store, wire).await;
    };
    let email = kept.email.clone();
    let builder = Account::builder_with_http(Box::new(wire.clone()));
    let account = builder
        .from_credentials(kept.credentials)
        .await
        .map_err(asking("the ACME directory"))?;
    if email == settings.email {
        return Ok(account);
    }
    match change_email(settings, store, &account).await {
        Err(error) if error.is_unknown_account() => register(settings, store, wire).await,
        changed => changed.map(|()| account),
    }
}

/// Registers a new account and keeps it; an older one is forgotten.
///
/// # Errors
/// As [`enter`].
pub(super) async fn register(
    settings: &Settings,
    store: &Store,
    wire: &Wire,
) -> Result<Account, AcmeError> {
    let contact = contact(settings);
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let wanted = NewAccount {
        contact: &contact,
        // Whoever configures ACME wants the service, and the documentation says what that implies.
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    store.try_room()?;
    let binding = settings.binding.as_ref();
    let key = binding.map(Binding::key);
    let created = patiently!({
        let builder = Account::builder_with_http(Box::new(wire.clone()));
        builder.create(&wanted, settings.directory.clone(), key.as_ref())
    });
    let (account, credentials) = created.map_err(registering(binding))?;
    store.keep_account(&Kept {
        directory: settings.directory.clone(),
        key_id: binding.map(|binding| binding.key_id.clone()),
        email: settings.email.clone(),
        credentials,
    })?;
    info!("registered an account at {}", settings.directory);
    Ok(account)
}

/// The kept account, if it fits.
fn kept(settings: &Settings, store: &Store) -> Result<Option<Kept>, StoreError> {
    let Some(json) = store.account()? else {
        return Ok(None);
    };
    match serde_json::from_slice::<Kept>(&json) {
        Ok(kept) => Ok(Some(kept).filter(|kept| kept.fits(settings))),
        Err(error) => {
            // SECURITY: serde_json tells where and what it expected, and nothing of the key.
            warn!("the kept ACME account cannot be read and is made anew: {error}");
            Ok(None)
        }
    }
}

async fn change_email(
    settings: &Settings,
    store: &Store,
    account: &Account,
) -> Result<(), AcmeError> {
    let contact = contact(settings);
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    patiently!(account.update_contacts(&contact))
        .map_err(asking("the change of the e-mail address"))?;
    if let Some(mut kept) = kept(settings, store)? {
        kept.email = settings.email.clone();
        store.keep_account(&kept)?;
    }
    Ok(())
}

fn contact(settings: &Settings) -> Option<String> {
    settings
        .email
        .as_ref()
        .map(|email| format!("mailto:{email}"))
}
