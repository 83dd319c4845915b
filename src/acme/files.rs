//! Files that appear whole or not at all, and that nobody else may read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{
    DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink,
};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

/// Only the owner enters.
const FOLDER_MODE: u32 = 0o700;

/// Only the owner reads.
const FILE_MODE: u32 = 0o600;

/// The bits that let other users change what is in a folder. A group counts as others: its members
/// are not known here.
const OTHERS_WRITE: u32 = 0o022;

/// A folder for secrets cannot be used as it is.
///
/// SECURITY: its mode is never changed. It may be a folder of others, up to `/tmp`, which would be
/// closed to all other users then.
#[derive(Debug, thiserror::Error)]
pub enum FolderFault {
    /// It cannot be made, entered or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A file, a pipe, a device.
    #[error("expected a directory, found something else")]
    NotFolder,
    /// Other users can put files there, or take ours away.
    #[error(
        "expected a directory that only its owner can write to, found mode {0:04o} (name a directory in it that is not there yet; or chmod go-w, if nothing else uses it)"
    )]
    OthersWrite(u32),
    /// Its owner is another user.
    #[error(
        "expected a directory of user {ours}, as whom this process runs, found one of user {owner} (chown, or name another one)"
    )]
    OtherOwner {
        /// The user that has it.
        owner: u32,
        /// The user of this process.
        ours: u32,
    },
    /// It is ours and closed to ourselves.
    #[error("expected a directory that its owner can write to, found mode {0:04o} (chmod u+rwx)")]
    ShutToOwner(u32),
}

/// Makes a folder (and those above it) for the owner only if there is none. One that is there is
/// left as it is.
///
/// # Errors
/// It cannot be made, or the one that is there is no place for secrets.
pub(super) fn own_folder(folder: &Path) -> Result<(), FolderFault> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)?;
    let (mode, owner) = mode_and_owner(folder)?;
    judge(mode, owner, Uid::effective())
}

/// Judges a folder before it is needed, and changes nothing. One that is not there, or cannot be
/// seen, is no fault yet.
///
/// `check` is run by root, too, for a service that is another user: the folder's owner counts for
/// other users than root only.
///
/// # Errors
/// The folder is no place for secrets.
pub fn judge_folder(folder: &Path) -> Result<(), FolderFault> {
    let hidden = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied];
    let (mode, owner) = match mode_and_owner(folder) {
        Err(FolderFault::Io(error)) if hidden.contains(&error.kind()) => return Ok(()),
        found => found?,
    };
    let ours = Uid::effective();
    let owner = if ours.is_root() { ours.as_raw() } else { owner };
    judge(mode, owner, ours)
}

fn mode_and_owner(folder: &Path) -> Result<(u32, u32), FolderFault> {
    let metadata = fs::metadata(folder)?;
    match metadata.is_dir() {
        true => Ok((metadata.permissions().mode() & 0o7777, metadata.uid())),
        false => Err(FolderFault::NotFolder),
    }
}

/// Judges a folder by its mode and its owner for a process of the user `ours`; modes forbid root
/// nothing.
fn judge(mode: u32, owner: u32, ours: Uid) -> Result<(), FolderFault> {
    if mode & OTHERS_WRITE != 0 {
        return Err(FolderFault::OthersWrite(mode));
    }
    if owner != ours.as_raw() {
        let ours = ours.as_raw();
        return Err(FolderFault::OtherOwner { owner, ours });
    }
    match ours.is_root() || mode & FOLDER_MODE == FOLDER_MODE {
        true => Ok(()),
        false => Err(FolderFault::ShutToOwner(mode)),
    }
}

/// Shuts others out of a file of ours that a copy or a backup left open; returns whether it was. A
/// file of another user, a link and a folder are left as they are.
pub(super) fn shut_file(path: &Path) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(path)?;
    let is_ours = metadata.is_file() && metadata.uid() == Uid::effective().as_raw();
    let is_open = metadata.permissions().mode() & 0o777 & !FILE_MODE != 0;
    if is_ours && is_open {
        fs::set_permissions(path, Permissions::from_mode(FILE_MODE))?;
    }
    Ok(is_ours && is_open)
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
        let mut file = new_file(beside)?;
        file.write_all(bytes)?;
        file.sync_all()
    })
}

/// Lets the link `name` lead to `target`, in one step.
pub(super) fn link_whole(folder: &Path, name: &str, target: &Path) -> io::Result<()> {
    replace(folder, name, |beside| symlink(target, beside))
}

/// A file that has its room on the disk before its content is known.
///
/// On file systems that never overwrite (btrfs, ZFS) filling it can still fail for want of room.
#[derive(Debug)]
pub(super) struct ReservedFile {
    folder: PathBuf,
    name: String,
    beside: PathBuf,
    file: File,
}

impl ReservedFile {
    /// Takes room for `bytes` bytes of the file `name`, on the disk itself.
    pub fn new(folder: &Path, name: &str, bytes: usize) -> io::Result<Self> {
        let beside = cleared_beside(folder, name)?;
        let file = new_file(&beside)?;
        let reserved = Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            beside,
            file,
        };
        reserved.file.write_all_at(&vec![0; bytes], 0)?;
        reserved.file.sync_all()?;
        Ok(reserved)
    }

    /// Puts `bytes` where `name` is, in the room that was taken.
    pub fn fill(self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, 0)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_all()?;
        fs::rename(&self.beside, self.folder.join(&self.name))?;
        File::open(&self.folder)?.sync_all()
    }
}

impl Drop for ReservedFile {
    fn drop(&mut self) {
        // Once filled it has another name; one that stays behind is cleared by the next writer of
        // that name.
        let _ = fs::remove_file(&self.beside);
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
}

/// Path at which the next version of a file is made; nothing is there.
fn cleared_beside(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let beside = folder.join(format!(".{name}.new"));
    // One that was left by a crash; what it had is incomplete.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(beside),
    }
}

fn replace(folder: &Path, name: &str, make: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let beside = cleared_beside(folder, name)?;
    make(&beside)
        .and_then(|()| fs::rename(&beside, folder.join(name)))
        .inspect_err(|_| {
            // The first error is the one to tell.
            let _ = fs::remove_file(&beside);
        })?;
    // A rename is on the disk only when its folder is.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_that_its_owner_alone_writes_to_is_a_place_for_secrets() {
        let user = Uid::from_raw(7);
        for mode in [0o700, 0o755, 0o750, 0o2755, 0o1700] {
            judge(mode, 7, user).unwrap();
            judge(mode, 0, Uid::from_raw(0)).unwrap();
        }
        for mode in [0o777, 0o1777, 0o770, 0o2770, 0o702] {
            let fault = judge(mode, 7, user).unwrap_err();
            assert!(matches!(fault, FolderFault::OthersWrite(found) if found == mode));
        }
        for (owner, ours) in [(0, 7), (8, 7), (7, 0)] {
            let fault = judge(0o755, owner, Uid::from_raw(ours)).unwrap_err();
            let told = format!(
                "of user {ours}, as whom this process runs, found one of user {owner} (chown"
            );
            assert!(fault.to_string().contains(&told), "{fault}");
        }
        for mode in [0o555, 0o600, 0o300] {
            let fault = judge(mode, 7, user).unwrap_err();
            assert!(matches!(fault, FolderFault::ShutToOwner(found) if found == mode));
        }
        judge(0o555, 0, Uid::from_raw(0)).unwrap();
    }
}
