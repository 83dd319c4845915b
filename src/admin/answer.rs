//! An answer of the admin bind: status, type, body, and the fields that some answers have on top.

use http::header::{self, HeaderName};
use http::{HeaderValue, Response, StatusCode};

use crate::front::{PAGE_FIELDS, SERVER_NAME};

/// An answer of the admin bind.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl Answer {
    /// A body of this type.
    pub fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self {
            status,
            content_type,
            body,
            fields: Vec::new(),
        }
    }

    /// A line for a person; the newline is added.
    pub fn text(status: u16, line: impl std::fmt::Display) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{line}\n"))
    }

    /// A value as JSON, laid out for people.
    pub fn json(value: &impl serde::Serialize) -> Self {
        match serde_json::to_string_pretty(value) {
            Ok(text) => Self::new(200, "application/json", text + "\n"),
            Err(error) => Self::text(500, error),
        }
    }

    /// With one more header field.
    pub fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// With another status.
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The last one on its connection.
    pub fn closing(self) -> Self {
        self.with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// True for the last one on its connection.
    pub fn is_closing(&self) -> bool {
        self.fields
            .iter()
            .any(|(name, _)| name == header::CONNECTION)
    }

    /// As Pingora writes it.
    pub fn into_response(self) -> Response<Vec<u8>> {
        let mut response = Response::new(self.body.into_bytes());
        if let Ok(status) = StatusCode::from_u16(self.status) {
            *response.status_mut() = status;
        }
        let length = response.body().len();
        let fields = response.headers_mut();
        let text = HeaderValue::from_static;
        fields.insert(header::CONTENT_TYPE, text(self.content_type));
        fields.insert(header::CONTENT_LENGTH, length.into());
        fields.insert(header::CACHE_CONTROL, text("no-store"));
        fields.insert(header::SERVER, text(SERVER_NAME));
        // SECURITY: names and titles in these pages come from relays; nothing may make a browser run them.
        for (name, value) in PAGE_FIELDS {
            if let Ok(name) = HeaderName::try_from(name) {
                fields.insert(name, text(value));
            }
        }
        fields.extend(self.fields);
        response
    }
}
