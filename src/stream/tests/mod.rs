//! A listener's stream over real sockets, to relays that do what no good relay does.

mod addresses;
mod counts;
mod deadlines;
mod first_relay;
mod floods;
mod joints;
mod metadata;
mod relay;
mod rig;
mod sound;
mod turns;
