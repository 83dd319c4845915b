//! A relay as Pingora's backend, and back.
//!
//! PINGORA: (0.9.1) equality, order and hash of a `Backend` cover its address and its weight only, and `select_with`
//! clones it with its `ext` for each candidate. So `weight` carries the relay's place in the roster: two relays behind
//! one address stay two, a changed weight is no new backend, and a clone copies no live state.

use std::net::SocketAddr;

use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora_load_balancing::{Backend, Extensions};

use crate::fleet::RelayId;

/// The backend that stands for a relay at this address.
pub fn backend_of(id: RelayId, addr: SocketAddr) -> Backend {
    Backend {
        addr: PingoraAddr::Inet(addr),
        weight: id.index() + 1,
        ext: Extensions::new(),
    }
}

/// The relay that a backend stands for.
pub fn relay_of(backend: &Backend) -> RelayId {
    RelayId(u32::try_from(backend.weight.saturating_sub(1)).unwrap_or(u32::MAX))
}
