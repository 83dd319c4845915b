//! Discovery: who the relays are and where they are reached.

mod book;

pub use book::AddressBook;
