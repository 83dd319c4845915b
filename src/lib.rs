//! icecast-balancer: the front door of a fleet of Icecast relays.

pub mod admin;
pub mod config;
pub mod discovery;
pub mod fleet;
pub mod front;
pub mod select;
