//! Files that appear whole or not at all, and that nobody else may read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

/// Only the owner enters.
const FOLDER_MODE: u32 = 0o700;

/// Only the owner reads.
const FILE_MODE: u32 = 0o600;

/// Makes a folder (and those above it) if there is none, and shuts others out of it in any case.
pub(super) fn own_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)?;
    let mode = fs::metadata(folder)?.permissions().mode();
    if mode & 0o777 != FOLDER_MODE {
        fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?;
    }
    Ok(())
}

/// Opens an empty file to be locked.
pub(super) fn own_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)
}

/// Puts `bytes` where `name` is: written beside it, brought to the disk, renamed.
pub fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    replace(folder, name, |beside| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(beside)?;
        file.write_all(bytes)?;
        file.sync_all()
    })
}

/// Lets the link `name` lead to `target`, in one step.
pub(super) fn link_whole(folder: &Path, name: &str, target: &Path) -> io::Result<()> {
    replace(folder, name, |beside| symlink(target, beside))
}

fn replace(folder: &Path, name: &str, make: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let beside = folder.join(format!(".{name}.new"));
    // One that was left by a crash; what it had is incomplete.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    make(&beside)
        .and_then(|()| fs::rename(&beside, folder.join(name)))
        .inspect_err(|_| {
            // The first error is the one to tell.
            let _ = fs::remove_file(&beside);
        })?;
    // A rename is on the disk only when its folder is.
    File::open(folder)?.sync_all()
}
