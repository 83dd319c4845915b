//! TLS towards listeners: certificates from files, chosen by the name that a listener asks for, exchanged while we serve.
//!
//! In: paths of certificates and keys. Out: a rustls configuration for Pingora's acceptor, which always has the newest good
//! pair. `pair` reads two files, `shelf` chooses among pairs (pure), `certificates` keeps them fresh, `watch` looks at the
//! files, `terms` says what is spoken; `clients` knows whose certificates are wanted where clients need one. Knows no listener
//! and no request.

mod certificates;
mod clients;
mod pair;
mod shelf;
mod stamp;
mod terms;
mod watch;

pub use certificates::{Certificates, Known, Reloads};
pub use clients::{ClientAuthority, authorities};
pub use pair::{BadPair, Files, Pair, chain, exposed};
pub use stamp::stamp;
pub use terms::{admin_config, install_provider, server_config};
pub use watch::{Fresh, Watch};
