//! The front: what listeners talk to.
//!
//! In: connections on the public binds. The `gate` reads and inspects each request's `head`. A plain tune-in leaves by the
//! `express` lane; all else passes the `door`, Pingora's `ProxyHttp`. Both put what is wanted (`ask`, `scheme`) to the same
//! `desk`, which selects a relay and decides: a redirect, a page, a refusal, which
//! `answer` writes, or that the stream is carried: then a `listener` goes in `quest` of a relay, and a `carriage` brings him
//! what the stream room makes for him.

mod access_log;
mod answer;
mod ask;
mod budget;
mod carriage;
mod chunk;
mod complaint;
mod crowd;
mod desk;
mod door;
mod edition;
mod entrance;
mod errand;
mod express;
mod first_polls;
mod forwarded;
mod gate;
mod head;
mod hello;
mod listener;
mod manners;
mod modes;
mod multiplex;
mod playlist;
mod proxy_protocol;
mod public_status;
mod quest;
mod reading;
mod refuse;
mod scheme;
mod session;
mod signpost;
mod tally;
mod tune_in_permits;
mod upgrade;
mod wish;

pub use access_log::AccessLog;
pub use answer::{PAGE_FIELDS, SERVER_NAME};
pub use budget::Budget;
pub use crowd::Crowd;
pub use desk::{Desk, Parts};
pub use door::{Door, Frame};
pub use edition::{Edition, Editions};
pub use entrance::{Entrance, Porter, Way};
pub use express::Express;
pub use gate::Gate;
pub use refuse::Refusal;
pub use tally::Tally;
pub use tune_in_permits::TuneInPermits;
