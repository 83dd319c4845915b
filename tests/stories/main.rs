//! The stories: what listeners and operators live through, told with real icecast2 servers and the real binary.
//!
//! Each test's body reads aloud: a fleet, a balancer in front of it, somebody tunes in, something breaks. The
//! [`harness`] holds whatever that needs; a story holds nothing but what happens and what must come of it.
//! Needs icecast2, ffmpeg and curl; without them the run fails and says how to install them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "clippy takes only #[test] functions for tests; the harness may fail a story in the same way"
)]

mod acme;
mod activation;
mod addresses;
mod admin;
mod admin_hosts;
mod admin_tls;
mod codecs;
mod commands;
mod container;
mod control;
mod day;
mod descriptors;
mod entrance;
mod faults;
mod first_moments;
mod handing_over;
mod hard_joints;
mod harness;
mod heartbeat;
mod hello;
mod log;
mod mount_capacity;
mod mounts;
mod moving;
mod multiplex;
mod not_serving;
mod odd_guests;
mod patience;
mod pending;
mod players;
mod proxy;
mod proxy_players;
mod redirect;
mod relay_trust;
mod reload;
mod reload_in_force;
mod reload_refused;
mod restart;
mod stage;
mod states;
mod stop;
mod succession;
mod tls;
mod unbroken;
mod units;
mod upgrade;
mod upgrade_in_vain;
mod upstream;
mod upstream_tls;
mod vectors;
