//! The tail: the last bytes that a listener was sent.
//!
//! Comes in: each chunk as it is sent. Goes out: the last 4,096 bytes, and how many were sent in all. It lies on the
//! path of every byte, so it copies no more than it keeps and never allocates again. Pure.

/// How much is kept.
///
/// ICECAST: any 16 bytes of music were unique in a burst (measured); what needs the rest is silence, which repeats
/// every frame, and 4 KiB are ten frames of it. More would be paid by every listener.
pub const TAIL_BYTES: usize = 4096;

/// A ring of the bytes sent last.
#[derive(Debug, Clone)]
pub struct Tail {
    ring: Box<[u8]>,
    /// Where the next byte goes: the oldest is here once the ring is full.
    next: usize,
    kept_bytes: usize,
    sent_bytes: u64,
}

impl Default for Tail {
    fn default() -> Self {
        Self {
            ring: vec![0; TAIL_BYTES].into_boxed_slice(),
            next: 0,
            kept_bytes: 0,
            sent_bytes: 0,
        }
    }
}

impl Tail {
    /// Notes that `chunk` was sent.
    pub fn push(&mut self, chunk: &[u8]) {
        self.sent_bytes += chunk.len() as u64;
        self.kept_bytes = (self.kept_bytes + chunk.len()).min(TAIL_BYTES);
        if let Some(end) = chunk.last_chunk::<TAIL_BYTES>() {
            self.ring.copy_from_slice(end);
            self.next = 0;
            return;
        }
        let (wrapped, ahead) = self.ring.split_at_mut(self.next);
        let (first, second) = chunk.split_at(chunk.len().min(ahead.len()));
        overwrite(ahead, first);
        overwrite(wrapped, second);
        self.next = (self.next + chunk.len()) % TAIL_BYTES;
    }

    /// How many bytes were sent in all, from the listener's first one on.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// The last bytes sent, the oldest first.
    pub fn bytes(&self) -> Vec<u8> {
        let (newer, older) = self.ring.split_at(self.next);
        let ring = [older, newer].concat();
        ring.get(TAIL_BYTES - self.kept_bytes..)
            .unwrap_or_default()
            .to_vec()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.kept_bytes == 0
    }

    /// Forgets the bytes, not their count: after an audible seam what lies before it never meets what lies behind it
    /// in any relay's body.
    pub fn forget(&mut self) {
        self.kept_bytes = 0;
    }
}

/// Copies `bytes` over the start of `place`, which is at least as long.
fn overwrite(place: &mut [u8], bytes: &[u8]) {
    if let Some(place) = place.get_mut(..bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_holds_the_end_of_all_that_was_sent(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6000), 1..8)
        ) {
            let (mut tail, mut all) = (Tail::default(), Vec::new());
            for chunk in &chunks {
                tail.push(chunk);
                all.extend_from_slice(chunk);
                let kept = &all[all.len().saturating_sub(TAIL_BYTES)..];
                prop_assert_eq!(tail.bytes(), kept);
                prop_assert_eq!(tail.sent_bytes(), all.len() as u64);
            }
        }
    }

    #[test]
    fn after_a_cut_only_what_came_behind_it_counts() {
        let mut tail = Tail::default();
        tail.push(&[1; 5000]);
        tail.forget();
        assert!(tail.bytes().is_empty());
        tail.push(&[2, 3]);
        assert_eq!(tail.bytes(), [2, 3]);
        assert_eq!(tail.sent_bytes(), 5002);
    }
}
