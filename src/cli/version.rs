//! What `--version` says: the version, and from which source this binary was built. In: what `build.rs` found out.

/// One line, for `-V`.
pub const SHORT: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("BALANCER_SOURCE"),
    ")"
);

/// What somebody who mends a fault wants to know, for `--version`.
pub const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("BALANCER_COMMIT"),
    "\nsource of: ",
    env!("BALANCER_DATE"),
    "\nbuild: ",
    env!("BALANCER_PROFILE"),
    "\ntarget: ",
    env!("BALANCER_TARGET"),
);
