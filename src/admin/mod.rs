//! The admin bind: what an operator and a machine that watches us may ask. Reads the fleet; changes nothing.

mod metrics;
mod status;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use http::{Response, header};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;

use crate::fleet::SharedFleet;
use crate::front::{SERVER_NAME, Tally};
use metrics::{Metrics, Source};
use status::FleetStatus;

/// Answers the admin bind.
#[derive(Debug)]
pub struct AdminPages {
    fleet: SharedFleet,
    metrics: Metrics,
}

impl AdminPages {
    /// Pages about this fleet and what the front door answered.
    pub fn new(fleet: SharedFleet, tally: Arc<Tally>) -> Self {
        let metrics = Metrics::new(Source {
            fleet: fleet.clone(),
            tally,
        });
        Self { fleet, metrics }
    }

    fn page(&self, method: &http::Method, path: &str) -> Answer {
        if *method != http::Method::GET && *method != http::Method::HEAD {
            return Answer::text(405, "only GET and HEAD are served here\n");
        }
        match path {
            "/live" => Answer::text(200, "live\n"),
            "/ready" => self.readiness(),
            "/status" => self.status(),
            "/metrics" => self.metrics(),
            _ => Answer::text(404, "pages: /live /ready /status /metrics\n"),
        }
    }

    fn readiness(&self) -> Answer {
        if self.fleet.lock().is_surveyed() {
            Answer::text(200, "ready\n")
        } else {
            Answer::text(503, "not ready: the first round of polls is not over\n")
        }
    }

    fn status(&self) -> Answer {
        let status = FleetStatus::of(&self.fleet.lock(), Instant::now());
        match serde_json::to_string_pretty(&status) {
            Ok(text) => Answer::new(200, "application/json", text + "\n"),
            Err(error) => Answer::text(500, &format!("{error}\n")),
        }
    }

    fn metrics(&self) -> Answer {
        const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        match self.metrics.render() {
            Ok(text) => Answer::new(200, OPEN_METRICS, text),
            Err(error) => Answer::text(500, &format!("{error}\n")),
        }
    }
}

/// A page of the admin bind.
struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
}

impl Answer {
    fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self {
            status,
            content_type,
            body,
        }
    }

    fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.to_owned())
    }

    fn into_response(self) -> Response<Vec<u8>> {
        let mut response = Response::new(self.body.into_bytes());
        if let Ok(status) = http::StatusCode::from_u16(self.status) {
            *response.status_mut() = status;
        }
        let length = response.body().len();
        let fields = response.headers_mut();
        let text = http::HeaderValue::from_static;
        fields.insert(header::CONTENT_TYPE, text(self.content_type));
        fields.insert(header::CONTENT_LENGTH, length.into());
        fields.insert(header::CACHE_CONTROL, text("no-store"));
        fields.insert(header::SERVER, text(SERVER_NAME));
        // SECURITY: names and titles in these pages come from relays; nothing may make a browser run them.
        fields.insert(header::X_CONTENT_TYPE_OPTIONS, text("nosniff"));
        response
    }
}

#[async_trait]
impl ServeHttp for AdminPages {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let request = session.req_header();
        self.page(&request.method, request.uri.path())
            .into_response()
    }
}
