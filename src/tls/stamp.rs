//! The stamp of a file: what tells that it is another one than before.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Time, inode and length, following links, as certbot flips them; `None` where no file is.
pub type Stamp = Option<(SystemTime, u64, u64)>;

/// The stamp of what lies there now.
pub fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.ino(), metadata.len()))
}
