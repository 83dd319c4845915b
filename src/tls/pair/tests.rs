//! Pairs as operators have them, good and bad; authorities for the tests of the others.

use super::*;
use rcgen::{CertificateParams, KeyPair};

/// A folder of this test alone, gone with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let unique = format!("ib-tls-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn files(&self, name: &str) -> Files {
        let [chain, key] = ["crt", "key"].map(|end| self.0.join(format!("{name}.{end}")));
        Files { chain, key }
    }

    /// Writes a pair for these names, whose key only we can read.
    pub fn pair(
        &self,
        name: &str,
        names: &[&str],
        algorithm: &'static rcgen::SignatureAlgorithm,
    ) -> Files {
        self.pair_that_ends(name, names, algorithm, 4096)
    }

    /// The same, with a certificate that ends with a year.
    pub fn pair_that_ends(
        &self,
        name: &str,
        names: &[&str],
        algorithm: &'static rcgen::SignatureAlgorithm,
        year: i32,
    ) -> Files {
        let files = self.files(name);
        let key = KeyPair::generate_for(algorithm).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut leaf = CertificateParams::new(names).unwrap();
        leaf.not_after = rcgen::date_time_ymd(year, 12, 31);
        let leaf = leaf.self_signed(&key).unwrap();
        fs::write(&files.chain, leaf.pem()).unwrap();
        put_key(&files.key, &key.serialize_pem());
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn put_key(path: &Path, text: &str) {
    let _ = fs::remove_file(path);
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
}

#[test]
fn a_pair_tells_its_names_its_end_and_its_kind() {
    let folder = Folder::new("names");
    let names = ["Radio.example.com", "*.example.org"];
    let light = Pair::load(&folder.pair("a", &names, &rcgen::PKCS_ECDSA_P256_SHA256)).unwrap();
    assert_eq!(light.names, ["radio.example.com", "*.example.org"]);
    assert!(light.is_light);
    assert!(light.valid_until > SystemTime::now());
    let heavy = Pair::load(&folder.pair("b", &["a.b"], &rcgen::PKCS_RSA_SHA256)).unwrap();
    assert!(!heavy.is_light);
}

#[test]
fn a_bad_pair_says_which_file_and_why() {
    let folder = Folder::new("bad");
    let good = || folder.pair("good", &["a.b"], &rcgen::PKCS_ECDSA_P256_SHA256);
    let other = folder.pair("other", &["a.b"], &rcgen::PKCS_ECDSA_P256_SHA256);
    let said = |files: &Files| Pair::load(files).unwrap_err().to_string();
    let Files { chain, key } = good();
    let [chain_name, key_name] = [&chain, &key].map(|path| path.display().to_string());

    fs::copy(&other.key, &key).unwrap();
    assert_eq!(
        said(&good_of(&chain, &key)),
        format!("{key_name} is not the key of {chain_name}")
    );
    put_key(&key, "no key");
    assert!(said(&good_of(&chain, &key)).starts_with(&format!("{key_name}: no private key")));
    let files = good();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(said(&files).contains("others can read or write it (mode 0644)"));
    let files = good();
    fs::write(&chain, "no certificate").unwrap();
    assert!(said(&files).contains("no certificate in it"));
    let text = String::from_utf8(fs::read(&good().chain).unwrap()).unwrap();
    fs::write(&chain, text.replacen("MII", "AAA", 1)).unwrap();
    assert!(said(&files).contains("a damaged certificate"));
    fs::write(&chain, vec![b'\n'; LIMIT_BYTES as usize + 1]).unwrap();
    assert!(said(&files).contains("larger than 1 MiB"));
    fs::write(&chain, text.repeat(300 * 1024 / text.len())).unwrap();
    assert!(Pair::load(&files).is_ok(), "as many as a system believes");
    fs::remove_file(&chain).unwrap();
    assert!(said(&files).contains("No such file"));
    fs::create_dir(&chain).unwrap();
    assert!(said(&files).contains("no regular file"));
}

fn good_of(chain: &Path, key: &Path) -> Files {
    Files {
        chain: chain.to_owned(),
        key: key.to_owned(),
    }
}
