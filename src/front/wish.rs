//! What is put to the desk, and what comes of it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::answer::Page;
use super::ask::Ask;
use crate::fleet::{ClientPrefix, Scheme};

/// A request, as far as it matters for the decision.
#[derive(Debug)]
pub struct Wish<'a> {
    /// What is asked for.
    pub ask: Ask<'a>,
    /// A HEAD: the answer without its body, and nobody placed.
    pub is_head: bool,
    /// The listener's scheme.
    pub scheme: Scheme,
    /// The client with which the listener is counted toward capacities; `None` where it counts in full.
    pub client: Option<ClientPrefix>,
    /// The address that the listener connected to, when it is an IP address.
    pub local: Option<SocketAddr>,
    /// The listener's player.
    pub user_agent: Option<&'a [u8]>,
}

/// How a request is answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// The listener is sent to this URL.
    Redirect(String),
    /// The stream of this mount is carried.
    Carry(Arc<str>),
    /// A page is sent.
    Page(Page),
    /// The head of a stream of this MIME type.
    StreamHead(Option<String>),
    /// What a browser may send is told.
    Preflight,
}
