//! The access log: one line for each listener whose stream was proxied and ended, up to a rate for each client address.
//!
//! In: finished streams. Out: lines of the log, and one line in [`SUMMARY_INTERVAL`] that counts those that were suppressed.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::{info, warn};
use tokio::runtime::Handle;

use crate::fleet::ClientPrefix;
use crate::logging::{KeyedLogThrottle, Rate};

/// Lines of one IPv4 address or IPv6 /64. All listeners that an address may have by default can leave at once, and 500 of them
/// that listen for ten minutes on average leave a line each. A client that does nothing but come and go writes 350 bytes a
/// second.
const RATE: Rate = Rate {
    burst_lines: 500,
    interval: Duration::from_secs(1),
};

/// Time from the first suppressed line to the line that counts it.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(10);

/// Network of a client; `None` on a unix socket.
type Client = Option<ClientPrefix>;

/// Logs the ends of proxied streams.
#[derive(Debug)]
pub struct AccessLog {
    state: Mutex<State>,
    /// Lines that were suppressed since the start of the process.
    suppressed: AtomicU64,
}

#[derive(Debug)]
struct State {
    throttle: KeyedLogThrottle<Client>,
    /// True while a task is there that logs the next summary.
    has_summary_task: bool,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                throttle: KeyedLogThrottle::new(RATE),
                has_summary_task: false,
            }),
            suppressed: AtomicU64::new(0),
        }
    }
}

impl AccessLog {
    /// Logs the end of a stream of the client at `address`, or counts the line as suppressed.
    pub fn log(self: &Arc<Self>, address: Option<IpAddr>, end: fmt::Arguments<'_>) {
        if self.admit(address, Instant::now()) {
            info!("{end}");
        } else {
            self.summarize_later();
        }
    }

    /// Lines that were suppressed since the start of the process.
    pub fn lines_suppressed(&self) -> u64 {
        self.suppressed.load(Ordering::Relaxed)
    }

    /// Logs the number of lines that were suppressed since the last such line, when there are some.
    pub fn log_summary(&self) {
        if let Some(summary) = self.summary(Instant::now()) {
            warn!("{summary}");
        }
    }

    fn admit(&self, address: Option<IpAddr>, now: Instant) -> bool {
        let client = address.map(ClientPrefix::from_address);
        let is_admitted = self.state().throttle.admit(client, now);
        if !is_admitted {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
        }
        is_admitted
    }

    fn summary(&self, now: Instant) -> Option<String> {
        let suppressed = self.state().throttle.take_suppressed(now)?;
        let most = suppressed.most.map(shown).unwrap_or_default();
        Some(format!(
            "access log: lines suppressed: more than {} at once and one in {:?} of one client address lines={} addresses={} most={most}",
            RATE.burst_lines, RATE.interval, suppressed.lines, suppressed.keys
        ))
    }

    /// Has a task log the summary, unless one will already.
    fn summarize_later(self: &Arc<Self>) {
        // Outside of a runtime the end of the process logs it.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if std::mem::replace(&mut self.state().has_summary_task, true) {
            return;
        }
        let log = self.clone();
        runtime.spawn(async move {
            tokio::time::sleep(SUMMARY_INTERVAL).await;
            log.state().has_summary_task = false;
            log.log_summary();
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(client: Client) -> String {
    match client {
        None => "a unix socket".to_owned(),
        Some(ClientPrefix::V4(address)) => address.to_string(),
        Some(ClientPrefix::V6([a, b, c, d])) => {
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn client_that_leaves_again_and_again_writes_a_burst_and_then_one_line_a_second() {
        let (log, start) = (AccessLog::default(), Instant::now());
        let admitted = |address, times: usize, seconds| {
            let now = start + Duration::from_secs(seconds);
            (0..times).filter(|_| log.admit(address, now)).count()
        };
        assert_eq!(admitted(ip("192.0.2.7"), 1000, 0), 500);
        assert_eq!(admitted(ip("::ffff:192.0.2.7"), 1000, 10), 10);
        assert_eq!(admitted(ip("192.0.2.8"), 1, 10), 1);
        assert_eq!(log.lines_suppressed(), 500 + 990);

        let summary = log.summary(start).unwrap();
        for words in ["lines=1490", "addresses=1", "most=192.0.2.7"] {
            assert!(summary.contains(words), "{summary}");
        }
        assert_eq!(log.summary(start), None);
    }

    #[test]
    fn addresses_of_one_ipv6_network_have_one_budget() {
        let (log, now) = (AccessLog::default(), Instant::now());
        let network = |n: u16| ip(&format!("2001:db8::{n:x}"));
        let admitted = (0..1000).filter(|n| log.admit(network(*n), now)).count();
        assert_eq!(admitted, 500);
        assert!(log.admit(ip("2001:db8:0:1::1"), now));
        assert!(log.admit(None, now));
        let summary = log.summary(now).unwrap();
        assert!(summary.contains("most=2001:db8::/64"), "{summary}");
    }
}
