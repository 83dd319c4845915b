//! The keeper before a real ACME server, pebble; its parts each alone.

mod authority;
mod binding;
mod issuing;
mod parts;
mod schedule;
mod store;
mod trouble;
mod wire;

use authority::{Authority, Manner};
use parts::{Folder, Kept, eventually, made, names, own_ip, quick, read_current};
