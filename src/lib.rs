//! icecast-balancer: the front door of a fleet of Icecast relays.

pub mod config;
pub mod discovery;
pub mod fleet;
pub mod select;
