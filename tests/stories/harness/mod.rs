//! The stage of the stories: real icecast2 servers, a real programme, the real binary, all on loopback.
//!
//! A story takes a [`Fleet`], puts a [`Balancer`] in front of it, tunes in, and breaks something. Whatever it started
//! ends with it, also when it fails. Nothing is shared between stories but the counter of [`ports`].

mod acme_server;
mod audience;
mod authority;
mod balancer;
mod config_text;
mod content;
mod decoder;
mod ear;
mod ended;
mod fake_relay;
mod fleet;
mod folder;
mod hostile;
mod http;
mod icecast;
mod icecast_xml;
mod listener;
mod multiplexed;
mod ogg;
mod operator;
mod player;
mod playing;
mod ports;
mod process;
mod programme;
mod radio;
mod relay;
mod running_relay;
mod secured;
mod sockets;
mod source;
mod status;
mod tls;
mod tools;
mod wait;
mod wire;

pub use acme_server::AcmeServer;
pub use audience::{go_on_unbroken, hear_more, nobody_waited, settled};
pub use authority::{Authority, Certifier, PairFiles};
pub use balancer::Balancer;
pub use config_text::ConfigText;
pub use content::{Content, Flaw, assert_unbroken};
pub use decoder::decoded;
pub use ended::Ended;
pub use fake_relay::FakeRelay;
pub use fleet::Fleet;
pub use hostile::{Hostile, Manner};
pub use http::{Question, answers_to_bytes};
pub use listener::Listener;
pub use multiplexed::Multiplexed;
pub use ogg::{Page, pages};
pub use operator::{Guarded, TOKEN, TokenFile};
pub use player::{curl_hears, ffmpeg_hears, mpg123_hears};
pub use playing::{Browser, Playing};
pub use ports::own_address;
pub use programme::{BURST_BYTES, BYTES_PER_SECOND, Format, place_of};
pub use radio::{End, Radio, TuneIn};
pub use relay::Relay;
pub use secured::{ECDSA, Secured, client_of, curl, flags_of, text, wanting, words};
pub use sockets::kill_connections_to;
pub use tls::TlsClient;
pub use wait::{eventually, millis, seconds};
pub use wire::Wire;
