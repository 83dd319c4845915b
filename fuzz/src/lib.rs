//! What the targets share.
//!
//! Comes in: the fuzzer's bytes. Goes out: the same as chunks, pages or programmes, and the balancer's private parsers.
//! The law that a parser must keep stands in its target, not here.

pub mod cut;
#[allow(dead_code, reason = "only the parsers are called")]
pub mod front;
pub mod pages;
#[allow(dead_code, reason = "only the parsers are called")]
pub mod poll;
pub mod programme;

// What the sources that are compiled in by path call `crate`.
use icecast_balancer::fleet;
