//! The feed: the programme's last half megabyte, from which every listener of every relay is served.
//!
//! Comes in: blocks from the one publisher. Goes out: the same blocks in the same order to each cursor, the
//! burst first. A cursor that falls out of the ring is told so; the publisher never waits for anybody.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// ICECAST: a source is read, queued and sent in blocks of this size.
pub const BLOCK_BYTES: usize = 1400;
/// ICECAST: `burst-size` 65535 rounded down to whole blocks, 64,400 bytes.
pub const BURST_BLOCKS: u64 = 46;
/// ICECAST: `queue-size` 524288, in whole blocks: who is further behind is dropped.
pub const QUEUE_BLOCKS: u64 = 374;

/// A piece of the programme.
#[derive(Debug, Clone)]
pub struct Block {
    /// MP3, cut anywhere: a block begins and ends inside frames.
    pub audio: Arc<[u8]>,
    /// What plays in it.
    pub title: Arc<str>,
}

/// Where listeners are served from; clones see the same programme.
#[derive(Debug, Clone)]
pub struct Feed {
    ring: Arc<Mutex<VecDeque<Block>>>,
    published: watch::Receiver<u64>,
}

/// The one end that may write; when it is dropped the programme ends.
#[derive(Debug)]
pub struct Publisher {
    ring: Arc<Mutex<VecDeque<Block>>>,
    /// How many blocks there have been; the ring ends with the last of them.
    published: watch::Sender<u64>,
}

/// Why a cursor gets no more blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The programme ended.
    Ended,
    /// It was further behind than the ring reaches.
    Behind,
}

/// An empty programme: where it is written, and where it is heard.
pub fn feed() -> (Publisher, Feed) {
    let ring = Arc::new(Mutex::new(VecDeque::new()));
    let (sender, receiver) = watch::channel(0);
    let publisher = Publisher {
        ring: Arc::clone(&ring),
        published: sender,
    };
    let feed = Feed {
        ring,
        published: receiver,
    };
    (publisher, feed)
}

impl Publisher {
    /// Adds a block and wakes every listener that waits for it.
    pub fn publish(&mut self, block: Block) {
        let mut ring = locked(&self.ring);
        ring.push_back(block);
        if ring.len() as u64 > QUEUE_BLOCKS {
            ring.pop_front();
        }
        // Counted while the ring is locked, or a cursor could see one without the other.
        self.published.send_modify(|published| *published += 1);
    }
}

impl Feed {
    /// A place in the programme for one listener, a burst behind the newest block.
    pub fn cursor(&self) -> Cursor {
        let published = *self.published.borrow();
        Cursor {
            feed: self.clone(),
            next: published.saturating_sub(BURST_BLOCKS),
        }
    }

    /// What plays now; `None` before the first block.
    pub fn title(&self) -> Option<Arc<str>> {
        let ring = locked(&self.ring);
        ring.back().map(|block| Arc::clone(&block.title))
    }

    fn block(&self, number: u64) -> Result<Block, Lost> {
        let ring = locked(&self.ring);
        let first = (*self.published.borrow()).saturating_sub(ring.len() as u64);
        let place = number.checked_sub(first).ok_or(Lost::Behind)?;
        let place = usize::try_from(place).map_err(|_| Lost::Behind)?;
        ring.get(place).cloned().ok_or(Lost::Ended)
    }
}

/// One listener's place in the programme.
#[derive(Debug)]
pub struct Cursor {
    feed: Feed,
    next: u64,
}

impl Cursor {
    /// The next block, as soon as there is one.
    ///
    /// # Errors
    /// [`Lost`] when there will be none for this listener.
    pub async fn next(&mut self) -> Result<Block, Lost> {
        let next = self.next;
        let mut published = self.feed.published.clone();
        // An ended programme is still sent to its last block.
        let _ = published.wait_for(|published| *published > next).await;
        let block = self.feed.block(next)?;
        self.next += 1;
        Ok(block)
    }

    /// Ends when the block after the last one given has left the ring, never before.
    pub async fn fell_behind(&self) {
        let mut published = self.feed.published.clone();
        let too_far = |published: &u64| *published > self.next + QUEUE_BLOCKS;
        if published.wait_for(too_far).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A panic elsewhere leaves the ring whole (it is changed by single calls), so a poisoned lock is no harm.
fn locked(ring: &Mutex<VecDeque<Block>>) -> MutexGuard<'_, VecDeque<Block>> {
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(publisher: &mut Publisher, numbers: std::ops::Range<u32>) {
        for number in numbers {
            publisher.publish(Block {
                audio: Arc::from(number.to_be_bytes()),
                title: Arc::from(""),
            });
        }
    }

    fn number(block: &Block) -> u32 {
        u32::from_be_bytes((*block.audio).try_into().unwrap())
    }

    #[tokio::test]
    async fn a_cursor_begins_a_burst_behind_and_misses_nothing() {
        let (mut publisher, feed) = feed();
        publish(&mut publisher, 0..100);
        let mut cursor = feed.cursor();
        publish(&mut publisher, 100..120);
        drop(publisher);
        let mut heard = Vec::new();
        let lost = loop {
            match cursor.next().await {
                Ok(block) => heard.push(number(&block)),
                Err(lost) => break lost,
            }
        };
        assert_eq!(heard, (54..120).collect::<Vec<_>>());
        assert_eq!(lost, Lost::Ended);
    }

    #[tokio::test]
    async fn a_cursor_that_is_too_far_behind_is_told() {
        let (mut publisher, feed) = feed();
        publish(&mut publisher, 0..10);
        let mut cursor = feed.cursor();
        publish(&mut publisher, 10..374);
        assert_eq!(number(&cursor.next().await.unwrap()), 0);
        publish(&mut publisher, 374..376);
        assert_eq!(cursor.next().await.unwrap_err(), Lost::Behind);
        cursor.fell_behind().await;
    }

    #[tokio::test]
    async fn a_waiting_cursor_is_woken() {
        let (mut publisher, feed) = feed();
        let mut cursor = feed.cursor();
        let (block, ()) = tokio::join!(cursor.next(), async { publish(&mut publisher, 5..6) });
        assert_eq!(number(&block.unwrap()), 5);
    }
}
