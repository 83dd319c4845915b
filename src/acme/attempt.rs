//! One attempt to get a certificate: by the order of before where the server may have made it by now, else by a new one.

use std::collections::BTreeSet;

use instant_acme::{Account, Order};
use log::{info, warn};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::certificate::Certificate;
use super::challenges::Challenges;
use super::clock::Clock;
use super::draft::Draft;
use super::error::AcmeError;
use super::schedule::Pace;
use super::store::{Store, list};
use super::wire::Wire;
use super::{Settings, account, order};

/// What an attempt is made with.
pub(super) struct Attempt<'a> {
    pub settings: &'a Settings,
    pub names: &'a BTreeSet<String>,
    pub store: &'a Store,
    pub challenges: &'a Challenges,
    pub pace: &'a Pace,
    pub wire: &'a Wire,
    pub clock: &'a Clock,
}

impl Attempt<'_> {
    /// Puts a new certificate in the place of the old one.
    ///
    /// # Errors
    /// There is none; the old one is still in its place.
    pub async fn make(&self) -> Result<Certificate, AcmeError> {
        match self.go_on().await? {
            Some(certificate) => Ok(certificate),
            None => self.begin().await,
        }
    }

    /// Asks after the order of before, if there is one; none comes of an order that the server has given up.
    async fn go_on(&self) -> Result<Option<Certificate>, AcmeError> {
        let directory = &self.settings.directory;
        let awaited = self.store.awaited(self.names, directory, self.clock.now());
        let Some((draft, key, url)) = awaited else {
            return Ok(None);
        };
        info!("asking after the order {url} again");
        let Ok(key) = KeyPair::from_pem(&key) else {
            draft.discard();
            return Ok(None);
        };
        let account = account::enter(self.settings, self.store, self.wire).await?;
        let Some(order) = order::again(&account, &url).await? else {
            info!("nothing comes of that order any more");
            draft.discard();
            return Ok(None);
        };
        self.finish(order, &key, draft).await.map(Some)
    }

    async fn begin(&self) -> Result<Certificate, AcmeError> {
        let directory = &self.settings.directory;
        let key = KeyPair::generate().map_err(AcmeError::Request)?;
        let mut draft = self.store.draft(&key.serialize_pem(), directory)?;
        let order = self.order().await?;
        draft
            .await_order(order.url(), self.names, directory, self.clock.now())
            .map_err(AcmeError::OrderLost)?;
        self.finish(order, &key, draft).await
    }

    /// Orders with the kept account, or with a new one when the server does not know that any more.
    async fn order(&self) -> Result<Order, AcmeError> {
        let account = account::enter(self.settings, self.store, self.wire).await?;
        match self.order_with(&account).await {
            Err(error) if error.is_unknown_account() => {
                warn!("the ACME server has forgotten our account: making a new one");
                let account = account::register(self.settings, self.store, self.wire).await?;
                self.order_with(&account).await
            }
            outcome => outcome,
        }
    }

    async fn order_with(&self, account: &Account) -> Result<Order, AcmeError> {
        order::order(account, self.names, self.challenges, self.pace).await
    }

    async fn finish(
        &self,
        mut order: Order,
        key: &KeyPair,
        draft: Draft<'_>,
    ) -> Result<Certificate, AcmeError> {
        let (certificate, chain) = match self.collect(&mut order, key).await {
            Err(error) if !error.may_pass() => {
                draft.discard();
                return Err(error);
            }
            collected => collected?,
        };
        draft.publish(&chain)?;
        Ok(certificate)
    }

    async fn collect(
        &self,
        order: &mut Order,
        key: &KeyPair,
    ) -> Result<(Certificate, String), AcmeError> {
        let csr = self.request_for(key)?;
        let chain = order::collect(order, &csr, self.pace).await?;
        let certificate = Certificate::parse(chain.as_bytes(), key.serialize_pem().as_bytes())?;
        match certificate.names == *self.names {
            true => Ok((certificate, chain)),
            false => Err(AcmeError::OtherNames(list(&certificate.names))),
        }
    }

    fn request_for(&self, key: &KeyPair) -> Result<Vec<u8>, AcmeError> {
        let names: Vec<String> = self.names.iter().cloned().collect();
        let mut params = CertificateParams::new(names).map_err(AcmeError::Request)?;
        // The common name is of the past, and rcgen's own would be "rcgen self signed cert".
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(key).map_err(AcmeError::Request)?;
        Ok(request.der().to_vec())
    }
}
