//! Refused nonces: the server has done nothing yet and is asked again.

use instant_acme::Error;

use super::error::is_of_type;

/// instant-acme asks three times when a nonce is refused. A server that refuses half of them, which pebble can be told to
/// do, still fails one request in eight then; six times that is one in 250,000.
pub(super) const NONCE_ROUNDS: u32 = 6;

/// Whether only the nonce was refused.
pub(super) fn is_refused<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Api(problem)) if is_of_type(problem, "badNonce"))
}

/// Evaluates a request, and again while only its nonce is refused.
///
/// A macro because the request borrows what it changes: the future of a function that takes such a closure is not `Send`
/// for all lifetimes, as services want it (Rust 1.95).
macro_rules! patiently {
    ($request:expr) => {{
        let mut rounds = $crate::acme::nonce::NONCE_ROUNDS;
        loop {
            let answer = $request.await;
            rounds -= 1;
            if rounds == 0 || !$crate::acme::nonce::is_refused(&answer) {
                break answer;
            }
        }
    }};
}

pub(super) use patiently;
