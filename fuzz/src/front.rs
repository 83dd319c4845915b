//! The front's parsers, compiled in by path: they are private in the library.

#[path = "../../src/front/ask.rs"]
pub mod ask;
#[path = "../../src/front/head.rs"]
pub mod head;
#[path = "../../src/front/playlist.rs"]
mod playlist;
#[path = "../../src/front/proxy_protocol.rs"]
pub mod proxy_protocol;
#[path = "../../src/front/scheme.rs"]
pub mod scheme;

pub use icecast_balancer::fleet::Scheme;

mod refuse {
    pub use icecast_balancer::front::Refusal;
}
