//! An authority of a story's own, known to nobody else, and the certificates that it gives to relays.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SignatureAlgorithm,
};

use super::folder::Folder;

/// Somebody whose certificates can be believed.
#[derive(Debug, Clone)]
pub struct Authority(Arc<Seal>);

struct Seal {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: Folder,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Authority {
    /// A new one; no two believe each other's certificates, although they have the same name.
    pub fn new() -> Self {
        let mut params = named("an authority of the stories");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = Folder::new("authority");
        folder.write("authority.pem", &issuer.pem());
        Self(Arc::new(Seal { issuer, folder }))
    }

    /// The file for those who believe it; there until neither the authority nor a relay that it certifies is left.
    pub fn file(&self) -> PathBuf {
        self.0.folder.path().join("authority.pem")
    }

    /// Certifies everybody in the name of this address, whatever his own is.
    pub fn in_the_name_of(&self, ip: IpAddr) -> Certifier {
        Certifier {
            authority: self.clone(),
            only_name: Some(ip),
        }
    }
}

/// A pair of files that a balancer serves.
#[derive(Debug)]
pub struct PairFiles(Folder);

impl PairFiles {
    /// A place for a pair, with nothing in it yet.
    pub fn nowhere_yet() -> Self {
        Self(Folder::new("pair"))
    }

    /// Puts another certificate and key in the place of those that were there.
    pub fn put(&self, authority: &Authority, names: &[&str], kind: &'static SignatureAlgorithm) {
        let key = KeyPair::generate_for(kind).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &authority.0.issuer).unwrap();
        self.put_text("cert.pem", &certificate.pem());
        self.put_text("key.pem", &key.serialize_pem());
    }

    /// Puts this in the place of a file, at one moment, for its owner only.
    pub fn put_text(&self, name: &str, text: &str) {
        let new = self.0.write("new", text);
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(new, self.0.path().join(name)).unwrap();
    }

    /// Where one of them lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The section that names them.
    pub fn section(&self) -> String {
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| self.path(name));
        let [cert, key] = [cert, key].map(|path| path.display().to_string());
        format!("[[tls.certificate]]\ncert = \"{cert}\"\nkey = \"{key}\"")
    }
}

/// An authority, and the name that it puts into certificates.
#[derive(Debug, Clone)]
pub struct Certifier {
    authority: Authority,
    only_name: Option<IpAddr>,
}

impl From<&Authority> for Certifier {
    /// Certifies everybody in the name of his own address.
    fn from(authority: &Authority) -> Self {
        let (authority, only_name) = (authority.clone(), None);
        Self {
            authority,
            only_name,
        }
    }
}

impl Certifier {
    /// A certificate for the server at `ip` and its key, in one text as icecast2 wants them.
    pub(super) fn certificate(&self, ip: IpAddr) -> String {
        let name = self.only_name.unwrap_or(ip).to_string();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name]).unwrap();
        let certificate = params.signed_by(&key, &self.authority.0.issuer).unwrap();
        certificate.pem() + &key.serialize_pem()
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
