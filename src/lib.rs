//! icecast-balancer: the front door of a fleet of Icecast relays.
//!
//! A listener asks one URL for a mount; he is sent to the least-loaded relay that carries it, or its stream is carried to him,
//! and kept up when relays die. The data goes one way:
//!
//! ```text
//!  conf/*.toml + environment
//!         |
//!       config ----> discovery ---> fleet <--- poll            (who exists, how they are)
//!                                     |
//!                  request ---> select(fleet, tune-in) ---> redirect ---> listener
//!                                     |
//!                                     +---> stream (relay -> splice -> icy) ---> listener
//!                                     |
//!                                     +---> admin: status, metrics, drain
//! ```
//!
//! The modules in the order in which a lower one never knows a higher one:
//!
//! 1. [`terminal`]: what commands print.
//! 2. [`logging`]: lines on standard error, behind a queue that never waits for their reader.
//! 3. [`fleet`]: all relays we know, how they are, what we sent them. Pure.
//! 4. [`tls`]: certificates from files, chosen by name, exchanged while we serve.
//! 5. [`acme`]: orders certificates and keeps them fresh, into files that [`tls`] reads.
//! 6. [`config`]: what the operator says, valid as a whole.
//! 7. [`service`]: the life of the process: sockets, start, stop, upgrade.
//! 8. [`discovery`]: where the relays are, as Pingora's backends.
//! 9. [`select`]: which relay gets a tune-in. Pure, with one thin adapter for Pingora.
//! 10. [`poll`]: asks relays for their status pages, as Pingora's health check.
//! 11. [`stream`]: a listener's audio, on and on, from whichever relay lives. Its hard parts are pure.
//! 12. [`front`]: what listeners talk to: Pingora's `ProxyHttp`, behind a gate that inspects requests.
//! 13. [`admin`]: what operators and their machines ask and tell.
//! 14. [`app`]: puts the parts together; the only one that knows every part.
//! 15. [`demo`]: relays and listeners of our own, and [`tryout`], which puts the app before them.
//! 16. [`cli`]: the outside of the program.
//! 17. [`control`]: the commands that ask and tell a running balancer, from outside.
//! 18. [`documents`]: man pages and completions, for packages.

pub mod acme;
pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
pub mod discovery;
pub mod documents;
pub mod fleet;
pub mod front;
pub mod logging;
pub mod poll;
pub mod select;
pub mod service;
pub mod stream;
pub mod terminal;
pub mod tls;
pub mod tryout;
