//! The headers that every response has.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::answers::Media;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Made once and copied for each response, so that names are not hashed anew: both are complete but for the
/// media type, where it is not JSON, and the id.
#[derive(Debug)]
pub(super) struct Common {
    plain: HeaderMap,
    negotiated: HeaderMap,
}

impl Common {
    pub(super) fn new() -> Self {
        let plain: HeaderMap = [
            (CONTENT_TYPE, Media::Json.as_str()),
            (CACHE_CONTROL, "no-store"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_REQUEST_ID, ""),
        ]
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .into_iter()
        .collect();
        let mut negotiated = plain.clone();
        negotiated.insert(VARY, HeaderValue::from_static("accept"));
        Common { plain, negotiated }
    }

    /// Those of one response; `negotiated` if its form follows `Accept`.
    pub(super) fn of(&self, negotiated: bool, media: Media, request_id: HeaderValue) -> HeaderMap {
        let mut headers = if negotiated {
            self.negotiated.clone()
        } else {
            self.plain.clone()
        };
        if media != Media::Json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media.as_str()));
        }
        headers.insert(X_REQUEST_ID, request_id);
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_response_has_its_own_id_and_media_type() {
        let common = Common::new();
        let id = |text| HeaderValue::from_static(text);
        let text = |headers: &HeaderMap| {
            let field = |(name, value): (&HeaderName, &HeaderValue)| {
                format!("{name}: {}", value.to_str().unwrap())
            };
            headers.iter().map(field).collect::<Vec<_>>()
        };
        let json = common.of(false, Media::Json, id("req_1"));
        let html = common.of(true, Media::Html, id("req_2"));
        assert_eq!(
            text(&json),
            [
                "content-type: application/json",
                "cache-control: no-store",
                "x-content-type-options: nosniff",
                "x-request-id: req_1",
            ]
        );
        assert_eq!(
            text(&html),
            [
                "content-type: text/html; charset=utf-8",
                "cache-control: no-store",
                "x-content-type-options: nosniff",
                "x-request-id: req_2",
                "vary: accept",
            ]
        );
    }
}
