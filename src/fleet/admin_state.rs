//! Admin state: what the operator wants of a relay, whatever its health. The admin bind sets it; selection obeys it, and
//! the mover takes the carried listeners of a relay that is not ready away.

/// What the operator wants of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdminState {
    /// It takes listeners.
    #[default]
    Ready,
    /// It keeps its listeners and takes no new ones.
    Drain,
    /// It is out of service.
    Maint,
    /// It is no longer configured; its listeners are moved away.
    Leaving,
}

impl AdminState {
    /// The word for logs, metrics and `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
            Self::Leaving => "leaving",
        }
    }
}
