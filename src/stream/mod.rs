//! Streams: a listener's audio carried by the balancer, on and on, whatever happens to the relays.

pub mod icy;
pub mod mpeg;
pub mod ogg;
pub mod splice;
