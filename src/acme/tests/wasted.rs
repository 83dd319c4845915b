//! Orders and certificates that would be wasted: a clock that is ahead, a disk without room, a
//! server whose certificates are of no use.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::{Authority, Between, DAY, Folder, Kept, Manner, eventually, made, quick, read_current};
use crate::acme::Settings;
use crate::acme::clock::Clock;

fn orders(authority: &Authority) -> usize {
    authority.log().matches("POST /order-plz").count()
}

/// A clock that may be ahead, and counts how often it is read.
#[derive(Clone, Default)]
struct Ahead {
    seconds: Arc<AtomicU64>,
    reads: Arc<AtomicU64>,
}

impl Ahead {
    fn by(time: Duration) -> Self {
        let clock = Self::default();
        clock.set(time);
        clock
    }

    fn set(&self, time: Duration) {
        self.seconds.store(time.as_secs(), Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let own = self.clone();
        Clock::new(move || {
            own.reads.fetch_add(1, Ordering::Relaxed);
            SystemTime::now() + Duration::from_secs(own.seconds.load(Ordering::Relaxed))
        })
    }

    async fn is_read(&self, times: u64) {
        let until = self.reads.load(Ordering::Relaxed) + times;
        eventually("the certificate is looked at", || {
            self.reads.load(Ordering::Relaxed) >= until
        })
        .await;
    }
}

fn next_attempt_in(kept: &Kept) -> Duration {
    let next = kept.status().next_attempt.unwrap();
    next.duration_since(SystemTime::now()).unwrap_or_default()
}

#[tokio::test]
async fn clock_years_ahead_costs_one_certificate_until_it_is_set() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let settings = authority.settings(&["radio.test"]);
    let ahead = Ahead::by(DAY * 3650);
    let kept = authority.keep_by(ahead.clock(), settings.clone()).await;
    let text = kept.failure().await;
    assert!(text.contains("days ahead of the authority's"), "{text}");
    assert!(text.contains("set the clock"), "{text}");
    assert!(read_current(&settings).is_some(), "it is served");
    ahead.is_read(30).await;
    assert_eq!(orders(&authority), 1);
    assert_eq!(kept.status().failed_total, 1);
    let next = next_attempt_in(&kept);
    assert!(next > DAY * 3650 && next <= DAY * 3651, "{next:?}");
    drop(kept);

    // A restart knows it by the files.
    let kept = authority.keep_by(ahead.clock(), settings.clone()).await;
    let text = kept.failure().await;
    assert!(text.contains("days ahead of the authority's"), "{text}");
    ahead.is_read(30).await;
    assert_eq!((orders(&authority), kept.status().failed_total), (1, 0));

    // The pause is over, and the clock is as it was.
    ahead.set(DAY * 3653);
    eventually("another one is ordered", || orders(&authority) == 2).await;
    eventually("it is of no use", || kept.status().failed_total == 1).await;
    ahead.is_read(30).await;
    assert_eq!(orders(&authority), 2);

    ahead.set(Duration::ZERO);
    eventually("nothing is wrong", || kept.status().last_error.is_none()).await;
    ahead.is_read(30).await;
    assert_eq!(orders(&authority), 2);
    let next = next_attempt_in(&kept);
    assert!(next > DAY * 56 && next < DAY * 61, "{next:?}");
}

#[tokio::test]
async fn certificate_that_is_due_by_the_right_clock_is_renewed_although_an_earlier_clock_was_ahead()
{
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let settings = authority.settings(&["radio.test"]);
    let ahead = Ahead::by(DAY * 3650);
    let kept = authority.keep_by(ahead.clock(), settings).await;
    kept.failure().await;
    ahead.set(DAY * 61);
    eventually("it is renewed", || orders(&authority) == 2).await;
}

#[tokio::test]
async fn certificates_of_no_use_are_not_ordered_again_at_once() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let between = Between::before(&authority.settings(&["radio.test"])).await;
    let (stranger, _) = made(&["radio.test"], DAY, DAY);
    between.meddle(move |path, answer| {
        if path.starts_with("/certZ/") {
            answer.body_mut().clone_from(&stranger);
        }
    });
    let settings = between.settings(&authority.settings(&["radio.test"]));
    let kept = authority.keep_with(settings).await;
    let text = kept.failure().await;
    assert!(text.contains("of no use"), "{text}");
    let next = next_attempt_in(&kept);
    assert!(next > DAY * 23 / 24 && next <= DAY, "{next:?}");
    assert_eq!(orders(&authority), 1);
}

#[tokio::test]
async fn order_that_cannot_be_noted_is_not_made_again_at_once() {
    let Some(authority) = Authority::open(Manner::default()).await else {
        return;
    };
    let settings = authority.settings(&["radio.test"]);
    let between = Between::before(&settings).await;
    let settings = between.settings(&settings);
    let noted = settings.state_dir.join("certificates/1/order.json");
    between.meddle(move |path, _| {
        // A folder cannot be replaced by a file.
        if path.starts_with("/order-plz") && fs::remove_file(&noted).is_ok() {
            fs::create_dir(&noted).unwrap();
        }
    });
    let mut pace = quick();
    pace.longest_pause = DAY;
    let kept = authority.keep_at(settings, pace).await;
    let text = kept.failure().await;
    assert!(
        text.starts_with("an order was placed and could not be noted"),
        "{text}"
    );
    assert!(text.contains("certificates/1/order.json"), "{text}");
    let next = next_attempt_in(&kept);
    assert!(next > DAY * 23 / 24, "{next:?}");
    assert_eq!(orders(&authority), 1);
}

/// A file system of a few kilobytes, unmounted with its test.
struct SmallDisk(Folder);

impl SmallDisk {
    const BYTES: usize = 256 * 1024;

    /// None, and a loud word, where this process may not mount.
    fn mounted() -> Option<Self> {
        let folder = Folder::new();
        let size = format!("size={},mode=700", Self::BYTES);
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]);
        let ended = mount.arg(folder.path()).output();
        if ended.is_ok_and(|ended| ended.status.success()) {
            return Some(Self(folder));
        }
        let test = std::thread::current();
        let name = test.name().unwrap_or("a test");
        let text = format!("SKIPPED: {name}: no tmpfs can be mounted here\n");
        let _ = io::stderr().write_all(text.as_bytes());
        None
    }

    /// Leaves no room.
    fn fill(folder: &Path) {
        let mut filler = fs::OpenOptions::new();
        let filler = filler.create(true).append(true).open(folder.join("filler"));
        let mut filler = filler.unwrap();
        let mut size = Self::BYTES;
        while size > 0 {
            if filler.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

/// An authority, what stands before it, and settings with the state directory on a small disk; `None` where it cannot be had.
async fn on_small_disk() -> Option<(SmallDisk, Authority, Between, Settings)> {
    let disk = SmallDisk::mounted()?;
    let authority = Authority::open(Manner::default()).await?;
    let mut settings = authority.settings(&["radio.test"]);
    settings.state_dir = disk.0.join("state");
    let between = Between::before(&settings).await;
    let settings = between.settings(&settings);
    Some((disk, authority, between, settings))
}

#[tokio::test]
async fn disk_that_fills_up_under_an_order_costs_no_other_order() {
    let Some((disk, authority, between, settings)) = on_small_disk().await else {
        return;
    };
    let path = disk.path();
    between.meddle(move |asked, _| {
        if asked.starts_with("/order-plz") || asked.starts_with("/certZ/") {
            SmallDisk::fill(&path);
        }
    });
    let kept = authority.keep_with(settings.clone()).await;
    let text = kept.failure().await;
    assert!(text.starts_with("cannot write "), "{text}");
    assert!(text.contains("/chain.pem"), "the order is noted: {text}");
    assert!(text.contains("No space left"), "{text}");
    eventually("it fails again", || kept.status().failed_total >= 4).await;
    assert_eq!(orders(&authority), 1);
    assert_eq!(read_current(&settings), None);

    between.meddle(|_, _| {});
    disk.empty();
    kept.issued(1).await;
    assert_eq!(orders(&authority), 1);
    assert!(read_current(&settings).is_some());
}

#[tokio::test]
async fn disk_without_room_for_an_order_orders_nothing() {
    let Some((disk, authority, _between, settings)) = on_small_disk().await else {
        return;
    };
    SmallDisk::fill(&disk.path());
    let kept = authority.keep_with(settings.clone()).await;
    eventually("it fails", || kept.status().failed_total >= 3).await;
    let text = kept.status().last_error.unwrap();
    assert!(text.contains("No space left"), "{text}");
    assert_eq!(orders(&authority), 0);
    assert!(!authority.log().contains("POST /sign-me-up"));
    disk.empty();
    kept.issued(1).await;
    assert_eq!(orders(&authority), 1);
}
