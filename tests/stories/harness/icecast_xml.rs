//! The configuration of an icecast2, as the XML that it reads.

use std::net::SocketAddr;
use std::path::Path;

use super::icecast::Server;
use super::tools;

/// The file with its certificate and key, beside its configuration.
pub const CERTIFICATE: &str = "certificate.pem";

/// A server at `address`, and at `secure` with TLS, whose files are in `folder`.
pub fn xml(
    address: SocketAddr,
    secure: Option<SocketAddr>,
    folder: &Path,
    server: &Server,
) -> String {
    let share = tools::icecast_share();
    let (share, folder) = (share.display(), folder.display());
    let (ip, port) = (address.ip(), address.port());
    let secure_socket = secure.map(secure_socket).unwrap_or_default();
    let certificate = format!("<ssl-certificate>{folder}/{CERTIFICATE}</ssl-certificate>");
    let certificate = secure.map(|_| certificate).unwrap_or_default();
    let clients = if server.clients == 0 {
        200
    } else {
        server.clients
    };
    let burst = server.burst_bytes.unwrap_or(65_535);
    let elements = &server.elements;
    format!(
        "<icecast>
  <hostname>{ip}</hostname><location>Loopback</location><admin>stories@localhost</admin>
  <limits>
    <clients>{clients}</clients><sources>20</sources><queue-size>524288</queue-size>
    <client-timeout>30</client-timeout><header-timeout>15</header-timeout><source-timeout>10</source-timeout>
    <burst-size>{burst}</burst-size>
  </limits>
  <authentication>
    <source-password>hackme</source-password><relay-password>hackme</relay-password>
    <admin-user>admin</admin-user><admin-password>hackme</admin-password>
  </authentication>
  <listen-socket><port>{port}</port><bind-address>{ip}</bind-address></listen-socket>
  {secure_socket}{elements}
  <http-headers><header name=\"Access-Control-Allow-Origin\" value=\"*\" /></http-headers>
  <fileserve>1</fileserve>
  <paths>
    <basedir>{share}</basedir><webroot>{share}/web</webroot><adminroot>{share}/admin</adminroot>
    <logdir>{folder}</logdir>{certificate}
  </paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>3</loglevel></logging>
  <security><chroot>0</chroot></security>
</icecast>
"
    )
}

fn secure_socket(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "<listen-socket><port>{port}</port><bind-address>{ip}</bind-address><ssl>1</ssl></listen-socket>"
    )
}
