//! What a relay answered, before anybody reads a status page in it.

use reqwest::StatusCode;

/// What a relay answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status code.
    pub(super) status: StatusCode,
    /// The body; for other codes than 200 as much of it as came.
    pub(super) body: Vec<u8>,
}
