//! One order, from the names to the chain: RFC 8555, section 7.4, with challenges of the kind http-01.
//!
//! In: an account, the names, a signed request. Out: an order, and its chain in PEM. The challenges are open only while the order runs.

use std::collections::BTreeSet;

use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, ChallengeType, Error, Identifier, NewOrder,
    Order, OrderStatus, RetryPolicy,
};

use super::challenges::{Challenges, OpenChallenges};
use super::error::{AcmeError, asking};
use super::nonce::patiently;
use super::schedule::Pace;

/// Orders a certificate for `names` and proves that they are ours.
///
/// # Errors
/// The server was not reached, refused, or could not validate a name.
pub(super) async fn order(
    account: &Account,
    names: &BTreeSet<String>,
    challenges: &Challenges,
    pace: &Pace,
) -> Result<Order, AcmeError> {
    let identifiers: Vec<Identifier> = names.iter().map(|name| identifier(name)).collect();
    let wanted = NewOrder::new(&identifiers);
    let order = patiently!(account.new_order(&wanted));
    let mut order = order.map_err(asking("the order"))?;
    let mut open = challenges.of_one_order();
    meet_challenges(&mut order, &mut open).await?;
    await_validation(&mut order, &retries(pace)).await?;
    Ok(order)
}

/// An order of before, if a certificate may still come of it.
///
/// # Errors
/// The server was not reached, or is in no state to tell.
pub(super) async fn again(account: &Account, url: &str) -> Result<Option<Order>, AcmeError> {
    let found = patiently!(account.order(url.to_owned()));
    let found = found.map_err(asking("the order of before"));
    let mut order = match found {
        Err(error) if !error.may_pass() => return Ok(None),
        found => found?,
    };
    let status = order.state().status;
    let is_alive = matches!(
        status,
        OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid
    );
    Ok(is_alive.then_some(order))
}

/// Asks for the certificate by the certificate signing request `csr`, unless that was done; returns the chain.
///
/// # Errors
/// The server was not reached, refused, or takes too long.
pub(super) async fn collect(
    order: &mut Order,
    csr: &[u8],
    pace: &Pace,
) -> Result<String, AcmeError> {
    if order.state().status == OrderStatus::Ready {
        patiently!(order.finalize_csr(csr)).map_err(asking("the request for the certificate"))?;
    }
    patiently!(order.poll_certificate(&retries(pace)))
        .map_err(asking("the making of the certificate"))
}

fn identifier(name: &str) -> Identifier {
    match name.parse() {
        Ok(ip) => Identifier::Ip(ip),
        Err(_) => Identifier::Dns(name.to_owned()),
    }
}

fn retries(pace: &Pace) -> RetryPolicy {
    RetryPolicy::new().backoff(1.5).timeout(pace.verdict)
}

/// Opens the challenges of all names that are not validated yet, then tells the server to look.
async fn meet_challenges(order: &mut Order, open: &mut OpenChallenges) -> Result<(), AcmeError> {
    patiently!(fetch_authorizations(order)).map_err(asking("the list of challenges"))?;
    let mut all = order.authorizations();
    while let Some(found) = all.next().await {
        let mut authorization = found.map_err(asking("a challenge"))?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let domain = authorization.identifier().to_string();
        let Some(mut challenge) = authorization.challenge(ChallengeType::Http01) else {
            return Err(AcmeError::NoHttp01(domain));
        };
        open.open(&challenge.token, challenge.key_authorization().as_str())?;
        patiently!(challenge.set_ready()).map_err(asking("the answer to a challenge"))?;
    }
    Ok(())
}

/// Reads the state of every name; what was read is kept by the order.
async fn fetch_authorizations(order: &mut Order) -> Result<(), Error> {
    let mut all = order.authorizations();
    while let Some(found) = all.next().await {
        found?;
    }
    Ok(())
}

async fn await_validation(order: &mut Order, retries: &RetryPolicy) -> Result<(), AcmeError> {
    let error = match patiently!(order.poll_ready(retries)) {
        Ok(OrderStatus::Ready) => return Ok(()),
        Ok(_) => Error::Str("a valid order"),
        Err(error) => error,
    };
    // The order says at most that it failed; the name that failed says why.
    Err(match first_refused(order).await {
        Some(refused) => refused,
        None => asking("the validation")(error),
    })
}

async fn first_refused(order: &mut Order) -> Option<AcmeError> {
    let mut all = order.authorizations();
    while let Some(Ok(mut authorization)) = all.next().await {
        // Without the newest state there is at least the order's own error to tell.
        let _ = patiently!(refresh(&mut authorization));
        let mut challenges = authorization.challenges.iter();
        if let Some(problem) = challenges.find_map(|challenge| challenge.error.clone()) {
            let domain = authorization.identifier().to_string();
            return Some(AcmeError::NotValidated { domain, problem });
        }
    }
    None
}

async fn refresh(authorization: &mut AuthorizationHandle<'_>) -> Result<(), Error> {
    authorization.refresh().await.map(drop)
}
