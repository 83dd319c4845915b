//! Files on disk: the configuration itself and the files of secrets.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use secrecy::ExposeSecret;

use super::super::{Loaded, Problems, Sources, load};
use super::lines;

/// A folder of its own for one test, gone at its end.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "icecast-balancer-config-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    /// The lines of a file's problems, with the folder's name taken out.
    pub(super) fn problems_of(&self, file: &Path) -> Vec<String> {
        let folder = format!("{}/", self.0.display());
        lines(loaded(file))
            .iter()
            .map(|line| line.replace(&folder, ""))
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn loaded(file: &Path) -> Result<Loaded, Problems> {
    load(&Sources {
        file: Some(file.to_owned()),
        ..Sources::default()
    })
}

#[test]
fn a_file_that_cannot_be_read_is_one_clear_problem() {
    let folder = Folder::new();
    let missing = folder.0.join("missing.toml");
    assert_eq!(
        folder.problems_of(&missing),
        ["missing.toml: expected a readable file, found: No such file or directory (os error 2)"]
    );
    fs::create_dir(folder.0.join("d.toml")).unwrap();
    assert_eq!(
        folder.problems_of(&folder.0.join("d.toml")),
        ["d.toml: expected a readable file, found: Is a directory (os error 21)"]
    );
    let cases: [(&[u8], &str); 5] = [
        (b"", "x.toml: expected settings, found an empty file"),
        (b" \n\n", "x.toml: expected settings, found an empty file"),
        (
            &vec![b'#'; 10_000_000],
            "x.toml: expected a file of at most 1 MiB, found a larger one",
        ),
        (
            &vec![b'#'; 1024 * 1024 + 1],
            "x.toml: expected a file of at most 1 MiB, found a larger one",
        ),
        (
            b"# a\n\n# \xff\n",
            "x.toml:3: expected UTF-8 text, found other bytes",
        ),
    ];
    for (content, expected) in cases {
        let file = folder.write("x.toml", content, 0o600);
        assert_eq!(folder.problems_of(&file), [expected]);
    }
}

#[test]
fn a_file_of_just_1_mib_is_read() {
    let folder = Folder::new();
    let mut text = "[[relay]]\nurl = \"http://a\"\n".to_owned();
    text.push_str(&"#".repeat(1024 * 1024 - text.len()));
    let file = folder.write("x.toml", text, 0o600);
    assert!(folder.problems_of(&file).is_empty());
}

#[test]
fn a_million_wrong_bytes_are_told_in_time() {
    let folder = Folder::new();
    let wrong: String = (0..90_000).map(|n| format!("k{n} = 1\n")).collect();
    let file = folder.write("x.toml", wrong, 0o600);
    let began = std::time::Instant::now();
    assert_eq!(folder.problems_of(&file).len(), 90_001);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

const WITH_PASSWORD: &str =
    "[[relay]]\nurl = \"http://a\"\nusername = \"admin\"\npassword_file = \"secret\"\n";

#[test]
fn a_password_is_read_from_beside_the_file_and_never_printed() {
    let folder = Folder::new();
    let file = folder.write("x.toml", WITH_PASSWORD, 0o644);
    let cases = [
        ("hackme\n", 0o600, "hackme"),
        ("hackme\r\n", 0o640, "hackme"),
        ("hackme \n\n", 0o400, "hackme "),
        ("hackme\nanother line\n", 0o600, "hackme"),
        ("hackme", 0o600, "hackme"),
    ];
    for (content, mode, password) in cases {
        let _ = fs::remove_file(folder.0.join("secret"));
        folder.write("secret", content, mode);
        let config = loaded(&file).unwrap().config;
        let credentials = config.relays[0].credentials.as_ref().unwrap();
        assert_eq!(credentials.username, "admin");
        assert_eq!(credentials.password.expose_secret(), password);
        assert!(!format!("{config:?}").contains("hackme"));
    }
}

#[test]
fn stream_credentials_never_have_the_user_of_the_status_page() {
    let folder = Folder::new();
    folder.write("secret", "hackme\n", 0o600);
    folder.write("open", "music\n", 0o600);
    let text = |user: &str| {
        format!("{WITH_PASSWORD}stream_username = \"{user}\"\nstream_password_file = \"open\"\n")
    };
    let file = folder.write("x.toml", text("listener"), 0o644);
    let config = loaded(&file).unwrap().config;
    let credentials = config.relays[0].stream_credentials.as_ref().unwrap();
    assert_eq!(credentials.username, "listener");
    assert_eq!(credentials.password.expose_secret(), "music");
    assert!(!format!("{config:?}").contains("music"));

    folder.write("x.toml", text("admin"), 0o644);
    assert_eq!(
        folder.problems_of(&file),
        [
            "x.toml:5: relay[0].stream_username: expected another user than username, which is for the status page only: \
             every listener has the rights of this one, found the same"
        ]
    );
}

#[test]
fn a_secret_that_is_exposed_or_not_there_is_refused_without_a_word_of_it() {
    let folder = Folder::new();
    let file = folder.write("x.toml", WITH_PASSWORD, 0o644);
    let long = "hackme".repeat(1000);
    let cases: [(&[u8], u32, &str); 7] = [
        (
            b"hackme",
            0o644,
            "a file that others can neither read nor write (chmod o-rw), found secret: mode 0644",
        ),
        (
            b"hackme",
            0o602,
            "a file that others can neither read nor write (chmod o-rw), found secret: mode 0602",
        ),
        (
            b"",
            0o600,
            "a file with the secret in its first line, found secret: nothing there",
        ),
        (
            b"\n",
            0o600,
            "a file with the secret in its first line, found secret: nothing there",
        ),
        (
            b"\r\n",
            0o600,
            "a file with the secret in its first line, found secret: nothing there",
        ),
        (
            b"hackme\xff",
            0o600,
            "a file of UTF-8 text, found secret: other bytes",
        ),
        (
            long.as_bytes(),
            0o600,
            "a file of at most 4 KiB, found secret: a larger file",
        ),
    ];
    for (content, mode, expected) in cases {
        folder.write("secret", content, mode);
        let problems = folder.problems_of(&file);
        assert_eq!(
            problems,
            [format!(
                "x.toml:4: relay[0].password_file: expected {expected}"
            )]
        );
        assert!(!problems.concat().contains("hackme"));
    }
    fs::remove_file(folder.0.join("secret")).unwrap();
    fs::create_dir(folder.0.join("secret")).unwrap();
    assert_eq!(
        folder.problems_of(&file),
        [
            "x.toml:4: relay[0].password_file: expected a regular file, found secret: no regular file"
        ]
    );
}
