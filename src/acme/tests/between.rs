//! Stands between the keeper and pebble, and changes what pebble says: what pebble itself cannot be told to do.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderValue, Response};
use reqwest::{Certificate, Client};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::{DAY, Folder, made, own_ip};
use crate::acme::Settings;

/// Changes an answer to a request for a path.
type Meddle = Box<dyn Fn(&str, &mut Response<String>) + Send>;

/// The one between; it ends with its test.
pub struct Between {
    address: SocketAddr,
    folder: Folder,
    meddle: Arc<Mutex<Meddle>>,
    task: JoinHandle<()>,
}

impl Between {
    /// Stands before the server of `settings`; honest at first.
    pub async fn before(settings: &Settings) -> Self {
        let (ip, folder) = (own_ip(), Folder::new());
        let acceptor = acceptor(ip, &folder);
        let listener = TcpListener::bind((ip, 14_000)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let authorities = fs::read(settings.ca_file.as_ref().unwrap()).unwrap();
        let authorities = Certificate::from_pem_bundle(&authorities).unwrap();
        let client = Client::builder().tls_certs_only(authorities).no_proxy();
        let pass = Pass {
            client: client.build().unwrap(),
            server: settings.directory.trim_end_matches("/dir").to_owned(),
            host: address.to_string(),
        };
        let honest: Meddle = Box::new(|_, _| {});
        let meddle = Arc::new(Mutex::new(honest));
        let task = tokio::spawn(serve(listener, acceptor, pass, meddle.clone()));
        Self {
            address,
            folder,
            meddle,
            task,
        }
    }

    /// From now on answers are changed like this.
    pub fn meddle(&self, meddle: impl Fn(&str, &mut Response<String>) + Send + 'static) {
        *self.meddle.lock().unwrap() = Box::new(meddle);
    }

    /// From now on no certificate is ready, and the next look at the order is asked for so late.
    pub fn keep_orders_processing(&self, retry_after: &'static str) {
        self.meddle(move |path, answer| {
            if path.starts_with("/my-order/") || path.starts_with("/finalize-order/") {
                let body = answer.body_mut();
                let made = body.contains("\"certificate\"") || path.starts_with("/finalize");
                if made {
                    *body = body.replace("\"status\": \"valid\"", "\"status\": \"processing\"");
                    let wait = HeaderValue::from_static(retry_after);
                    answer.headers_mut().insert(RETRY_AFTER, wait);
                }
            }
        });
    }

    /// The same settings for who goes through here.
    pub fn settings(&self, settings: &Settings) -> Settings {
        Settings {
            directory: format!("https://{}/dir", self.address),
            ca_file: Some(self.folder.join("ca.pem")),
            ..settings.clone()
        }
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// TLS by a certificate of its own, which lies in ca.pem.
pub fn acceptor(ip: Ipv4Addr, folder: &Folder) -> TlsAcceptor {
    crate::tls::install_provider();
    let (chain, key) = made(&[&ip.to_string()], DAY, DAY);
    fs::write(folder.join("ca.pem"), &chain).unwrap();
    let certificate = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// How a request gets to pebble: under the name that its signature has.
struct Pass {
    client: Client,
    server: String,
    host: String,
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    pass: Pass,
    meddle: Arc<Mutex<Meddle>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        // The keeper may hang up as it likes, and is asked to after each answer.
        let Ok(mut stream) = acceptor.accept(stream).await else {
            continue;
        };
        let Some((head, body)) = request(&mut stream).await else {
            continue;
        };
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut answer = pass.ask(method, path, body).await;
        (meddle.lock().unwrap())(path, &mut answer);
        let _ = stream.write_all(&bytes(&answer)).await;
        let _ = stream.shutdown().await;
    }
}

async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let lines = head.lines().map(str::to_lowercase);
    let mut length = lines.filter_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let length: Option<usize> = length.next();
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

impl Pass {
    async fn ask(&self, method: &str, path: &str, body: Vec<u8>) -> Response<String> {
        let method = method.parse().unwrap();
        let request = self
            .client
            .request(method, format!("{}{path}", self.server));
        let request = request
            .header(HOST, &self.host)
            .header("Content-Type", "application/jose+json")
            .body(body);
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut passed = Response::new(answer.text().await.unwrap());
        *passed.status_mut() = status;
        *passed.headers_mut() = headers;
        passed
    }
}

fn bytes(answer: &Response<String>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\n", answer.status());
    for (name, value) in answer.headers() {
        if ![CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name) {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
    }
    let body = answer.body();
    let length = body.len();
    format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}
