//! Why a running balancer was not asked, or did not do what it was told: one line each, with what to do about it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use thiserror::Error;

use crate::cli::EXIT_USAGE;
use crate::config::{Problems, SecretFault};
use crate::tls::BadPair;

/// Why a command came to nothing.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nothing says whom to ask.
    #[error("{problems}\nor do without the configuration: {flags}")]
    Configuration {
        /// What is wrong with the configuration.
        #[source]
        problems: Problems,
        /// The flags that stand in for it.
        flags: &'static str,
    },
    /// The configuration has no admin address.
    #[error(
        "the admin address is turned off in the configuration (admin.bind is empty); --admin HOST:PORT names another one"
    )]
    BindOff,
    /// Neither the configuration nor a flag has a token.
    #[error(
        "no token is configured: set admin.token_file, or name the file with --token-file FILE"
    )]
    NoToken,
    /// The file of `--token-file` cannot be used.
    #[error("--token-file: expected a file with the token, found {}: {fault}", .file.display())]
    TokenFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: SecretFault,
    },
    /// The token cannot stand in a request.
    #[error("expected a token of one line without control characters, found another one")]
    UnsendableToken,
    /// The HTTP client or its runtime could not be made.
    #[error("cannot set up the HTTP client: {0}")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody is there.
    #[error(
        "no balancer answers at {address} ({cause}); is it running? --admin HOST:PORT names another address"
    )]
    Unreachable {
        /// Where it was tried.
        address: String,
        /// What the system said.
        cause: String,
    },
    /// Somebody is there and says nothing.
    #[error(
        "no answer from {address} within {} s; --admin HOST:PORT names another address",
        .patience.as_secs()
    )]
    TimedOut {
        /// Where it was tried.
        address: String,
        /// How long was waited.
        patience: Duration,
    },
    /// Somebody else is there.
    #[error(
        "what answers at {address} is not the admin address of a balancer ({found}); --admin HOST:PORT names another address"
    )]
    NotABalancer {
        /// Where it was tried.
        address: String,
        /// What came instead.
        found: String,
    },
    /// The file of `--ca-file`, or that of the configured certificate, cannot be used.
    #[error("expected certificates to trust (--ca-file, or admin.cert), found {0}")]
    Certificates(#[source] BadPair),
    /// The certificate that is to be shown cannot be used.
    #[error(
        "expected a certificate to show (--cert and --key, or admin.client_cert and admin.client_key), found {0}"
    )]
    ClientPair(#[source] BadPair),
    /// Plain HTTP would be spoken where TLS was meant.
    #[error(
        "--ca-file, --cert and --key need an admin address on TLS: https:// in --admin, or admin.cert in the configuration"
    )]
    PlainWithTrust,
    /// A token that was meant for TLS would go in the clear.
    #[error(
        "admin.cert of the configuration says that its token goes over TLS only: write --admin https://HOST:PORT, or name another token with --token-file FILE"
    )]
    PlainToken,
    /// Somebody is there whom we do not know.
    #[error(
        "what answers at {address} shows a certificate that is not trusted ({why}); --ca-file FILE names its authority, admin.cert of the configuration the certificate itself"
    )]
    Untrusted {
        /// Where it was tried.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody is there and says nothing when TLS is spoken.
    #[error(
        "no answer from {address} on TLS in time; is it the admin address? perhaps without TLS: --admin HOST:PORT without https://"
    )]
    SilentOnTls {
        /// Where it was tried.
        address: String,
    },
    /// The balancer speaks plain HTTP there.
    #[error(
        "what answers at {address} speaks no TLS; --admin HOST:PORT without https:// asks in plain HTTP"
    )]
    NotTls {
        /// Where it was tried.
        address: String,
    },
    /// The balancer speaks TLS there.
    #[error(
        "what answers at {address} speaks no plain HTTP; --admin https://HOST:PORT asks on TLS"
    )]
    NotPlain {
        /// Where it was tried.
        address: String,
    },
    /// The balancer wants to know who asks.
    #[error(
        "the balancer at {address} lets in only who shows a certificate of its admin.client_ca: give --cert FILE and --key FILE, or set admin.client_cert and admin.client_key"
    )]
    CertificateWanted {
        /// Where it was tried.
        address: String,
    },
    /// The balancer does not know who asks.
    #[error(
        "the balancer at {address} refused our certificate ({why}): is it one of its admin.client_ca, and for clients?"
    )]
    CertificateRefused {
        /// Where it was tried.
        address: String,
        /// In the words of TLS.
        why: String,
    },
    /// The balancer is there and takes no listeners yet, or no more.
    #[error("the balancer at {address} is not ready: {said}")]
    NotReady {
        /// Where it was tried.
        address: String,
        /// In its own words, on one line.
        said: String,
    },
    /// The balancer knows another token.
    #[error("the balancer at {address} refused the token: is it the one of its admin.token_file?")]
    WrongToken {
        /// Where it was tried.
        address: String,
    },
    /// The balancer knows no token.
    #[error(
        "the balancer at {address} has no token configured and changes nothing: set its admin.token_file"
    )]
    NoTokenThere {
        /// Where it was tried.
        address: String,
    },
    /// A process elsewhere cannot be sent a signal.
    #[error("{address} is not on this machine: upgrade the balancer where it runs")]
    Elsewhere {
        /// Where it answers.
        address: String,
    },
    /// The process that answered is not one of ours as this machine's process table has it.
    #[error(
        "the balancer at {address} says that it is process {pid}, which is none here: is it in a container? Start a new one there"
    )]
    NoProcess {
        /// Where it answers.
        address: String,
        /// What it says.
        pid: i32,
    },
    /// It is starting or stopping.
    #[error("process {pid} is starting or stopping: try again when it is ready")]
    NotNow {
        /// Whom.
        pid: i32,
    },
    /// The signal could not be sent.
    #[error("process {pid} cannot be sent SIGUSR2: {source}")]
    Signal {
        /// Whom.
        pid: i32,
        /// What the system said.
        source: nix::errno::Errno,
    },
    /// The new process was no good.
    #[error("no upgrade: {why}; process {pid} goes on, its log says more")]
    NoUpgrade {
        /// Who goes on.
        pid: i32,
        /// In its own words.
        why: String,
    },
    /// Nobody is there any more.
    #[error("process {pid} is gone, and no new one answers: its log says why")]
    Gone {
        /// Who was there.
        pid: i32,
    },
    /// Nobody told what came of it.
    #[error("process {pid} has not told within {} s what came of the upgrade", .patience.as_secs())]
    Unsettled {
        /// Whom.
        pid: i32,
        /// How long was waited.
        patience: Duration,
    },
    /// The balancer does not answer under the name by which it was asked.
    #[error(
        "the balancer at {address} does not answer to that name: add it to hosts of [admin] in its configuration and reload it, or name its IP address with --admin"
    )]
    NameNotListed {
        /// Address that was tried.
        address: String,
    },
    /// The relay's state is in force; the file of the states could not be written.
    #[error(
        "{state}: in force at {address}, but not stored ({why}): after a restart the relay is as before; make the file writable, and give the same order again to see that it is stored"
    )]
    NotStored {
        /// Address that was tried.
        address: String,
        /// The relay's state, as for an order that was stored.
        state: String,
        /// In the words of the balancer.
        why: String,
    },
    /// The balancer says why it does not do that.
    #[error("the balancer at {address} refused: {why}")]
    Refused {
        /// Where it was tried.
        address: String,
        /// In its own words, on one line.
        why: String,
    },
}

impl ControlError {
    /// 64 where the operator's flags or configuration are to be mended, 1 where the balancer is.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Configuration { .. }
            | Self::BindOff
            | Self::NoToken
            | Self::TokenFile { .. }
            | Self::Certificates(_)
            | Self::ClientPair(_)
            | Self::PlainWithTrust
            | Self::PlainToken
            | Self::UnsendableToken => ExitCode::from(EXIT_USAGE),
            _ => ExitCode::FAILURE,
        }
    }
}
