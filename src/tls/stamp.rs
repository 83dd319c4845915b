//! The stamp of a file: what tells that it is another one than before.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Times, inode and length, following links, as certbot flips them; `None` where no file is. The second time changes with the
/// mode and the owner too: a key that nobody could use may be usable then.
pub type Stamp = Option<(SystemTime, (i64, i64), u64, u64)>;

/// The stamp of what lies there now.
pub fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path).ok()?;
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    Some((
        metadata.modified().ok()?,
        changed,
        metadata.ino(),
        metadata.len(),
    ))
}
