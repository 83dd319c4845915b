//! The service: the life of the process, from its first socket to its last listener.
//!
//! In: signals, sockets that were handed to us, a predecessor. Out: doors that open and close, a [`Life`] that every part may
//! ask, words to the service manager, a successor. Knows of listeners only how many they are.
//!
//! ```text
//!              start            SIGTERM        drain_delay      nobody left, or drain_timeout
//!  Starting ----------> Serving -------> Leaving ------> Draining ------> Ending ----> gone
//!     |                 ^                   ^            ^
//!     | by a predecessor|  SIGUSR2          |            |
//!     +---> Opening ----+  a new process is ready -------+   (nobody waits for the delay: it serves)
//! ```
//!
//! Begin with `keeper`, which goes this way; `doorway` is how it reaches Pingora's listening services.

mod census;
mod doorway;
mod farewell;
pub mod foster;
mod herald;
mod keeper;
mod life;
mod notify;
mod open;
mod passed;
mod predecessor;
mod pulse;
mod sockets;
mod stop;
mod successor;
mod tenure;

pub use census::{Census, Count};
pub use doorway::{Doors, Doorway};
pub use herald::Herald;
pub use keeper::{Keeper, KeeperParts};
pub use life::{Entry, Errand, Life, Phase, Upgrade};
pub use notify::Notifier;
pub use open::mode_of;
pub use predecessor::is_there as has_predecessor;
pub use sockets::{CannotListen, Sockets};
pub use stop::{Signals, Stop};
pub use tenure::Tenure;
