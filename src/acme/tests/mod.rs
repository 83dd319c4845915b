//! The keeper before a real ACME server, pebble; its parts each alone.

mod authority;
mod between;
mod binding;
mod issuing;
mod oddities;
mod parts;
mod schedule;
mod store;
mod trouble;
mod wasted;
mod wire;

use authority::{Authority, Manner};
use between::{Between, acceptor};
use parts::{
    DAY, Folder, Kept, eventually, made, names, own_ip, put_an_old_one, quick, read_current,
};
