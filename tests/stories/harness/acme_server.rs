//! A real ACME server: Debian's pebble, to which every domain lies at one address, the balancer's.

use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::authority::{Authority, PairFiles};
use super::folder::Folder;
use super::ports;
use super::process::{Process, mortal};
use super::tools;
use super::wait::{eventually, seconds};

const KEY_ID: &str = "customer-1";

/// The key of the server's customer, in base64url.
pub const CUSTOMERS_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// The server, and the name server that it asks.
pub struct AcmeServer {
    api: SocketAddr,
    management: SocketAddr,
    authority: Authority,
    folder: Folder,
    _files: PairFiles,
    _processes: [Process; 2],
}

impl AcmeServer {
    /// A server that visits domains at this port of 127.0.0.1; none, and a loud word, where pebble is not installed.
    pub fn visiting(port: u16) -> Option<Self> {
        Self::with(port, &serde_json::json!({}))
    }

    /// One that registers accounts of its only customer, and no others.
    pub fn with_customer(port: u16) -> Option<Self> {
        Self::with(port, &serde_json::json!({ KEY_ID: CUSTOMERS_KEY }))
    }

    fn with(port: u16, keys: &serde_json::Value) -> Option<Self> {
        if !tools::is_installed("pebble") {
            crate::harness::skipped("pebble is not installed (apt-get install pebble)");
            return None;
        }
        let api = ports::own_address();
        let [management, dns, names] = [(); 3].map(|()| ports::another_port_of(api.ip()));
        let (authority, files, folder) = (
            Authority::new(),
            PairFiles::nowhere_yet(),
            Folder::new("acme"),
        );
        files.put(
            &authority,
            &[&api.ip().to_string()],
            &rcgen::PKCS_ECDSA_P256_SHA256,
        );
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| files.path(name));
        let config = serde_json::json!({ "pebble": {
            "listenAddress": api.to_string(),
            "managementListenAddress": management.to_string(),
            "certificate": certificate,
            "privateKey": key,
            "httpPort": port,
            "tlsPort": port,
            "externalAccountBindingRequired": keys.get(KEY_ID).is_some(),
            "externalAccountMACKeys": keys,
        }});
        let config = folder.write("pebble.json", &config.to_string());
        let visited = IpAddr::V4(Ipv4Addr::LOCALHOST).to_string();
        let mut command = quiet("pebble-challtestsrv");
        command
            .args([
                "-dns01",
                &dns.to_string(),
                "-management",
                &names.to_string(),
            ])
            .args(["-defaultIPv4", &visited, "-defaultIPv6", ""])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
        let name_server = Process::start(command);
        let mut command = quiet("pebble");
        command.arg("-config").arg(config);
        command.args(["-dnsserver", &dns.to_string()]);
        command.env("PEBBLE_VA_NOSLEEP", "1");
        let server = Process::start(command);
        eventually(seconds(8), "the ACME server listens", || {
            [api, management]
                .iter()
                .all(|address| TcpStream::connect(address).is_ok())
        });
        Some(Self {
            api,
            management,
            authority,
            folder,
            _files: files,
            _processes: [name_server, server],
        })
    }

    /// The section that lets a balancer ask it for a certificate.
    pub fn section(&self, domain: &str) -> String {
        format!(
            "[tls.acme]\ndomains = [\"{domain}\"]\ndirectory = \"https://{}/dir\"\nstate_dir = \"{}\"\nca_file = \"{}\"",
            self.api,
            self.folder.path().join("state").display(),
            self.authority.file().display(),
        )
    }

    /// What that section needs besides for its customer.
    pub fn binding(&self) -> String {
        let file = self.folder.write("customer.key", CUSTOMERS_KEY);
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let file = file.display();
        format!("eab_key_id = \"{KEY_ID}\"\neab_key_file = \"{file}\"")
    }

    /// The authority that it is, as a file of PEM.
    pub fn root(&self) -> std::path::PathBuf {
        let file = self.folder.path().join("root.pem");
        let mut command = Command::new("curl");
        command.args(["-sf", "--cacert"]).arg(self.authority.file());
        command.arg("-o").arg(&file);
        command.arg(format!("https://{}/roots/0", self.management));
        assert!(command.status().unwrap().success(), "no root to be had");
        file
    }
}

fn quiet(program: &str) -> Command {
    let mut command = mortal(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
