//! The front: what listeners talk to.
//!
//! In: connections on the public binds. Each request goes the same way: `gate` reads and inspects its `head`, `door` asks
//! what it wants (`ask`), selects a relay, and sends an `answer`: a redirect to a `location`, a page, or a refusal.

mod answer;
mod ask;
mod door;
mod gate;
mod head;
mod location;
mod playlist;
mod public_status;
mod refuse;
mod scheme;
mod tally;

pub use answer::SERVER_NAME;
pub use door::{Door, Parts};
pub use gate::Gate;
pub use refuse::Refusal;
pub use tally::Tally;
