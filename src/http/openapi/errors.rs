//! The errors that an endpoint can answer, as far as its row in the table decides.

use http::HeaderValue;

use super::responses::Shown;
use crate::answers::schemas;
use crate::http::endpoints::{Counted, Credentials, Endpoint, Needs, Scope, Webhooks};
use crate::http::error::ApiError;

/// Those of `endpoint` that come before its own code has a say.
pub(super) fn of(endpoint: &Endpoint) -> Vec<Shown> {
    let mut shown = Vec::new();
    let (missing, invalid) = ("missing_api_key", "invalid_api_key");
    let wrong = "The key is none of API_KEYS, or was sent twice.";
    match endpoint.credentials {
        Credentials::Ignored | Credentials::Signature | Credentials::Token => {}
        Credentials::Optional => {
            let when = "A key is needed, with HEALTH_REQUIRE_API_KEY.";
            shown.push(error(missing, when, ApiError::needs_a_key()));
            shown.push(error(invalid, wrong, ApiError::invalid_api_key()));
        }
        Credentials::Key => {
            shown.push(error(missing, "A key is needed.", ApiError::needs_a_key()));
            shown.push(error(invalid, wrong, ApiError::invalid_api_key()));
        }
        Credentials::Scraper => {
            let when = "A key is needed, once API_KEYS is set.";
            shown.push(error(missing, when, ApiError::scraper_needs_a_key()));
            shown.push(error(invalid, wrong, ApiError::invalid_scraper_key()));
        }
    }
    shown.push(error(
        "method_not_allowed",
        "Asked with another method.",
        ApiError::method_not_allowed(endpoint.methods),
    ));
    let too_many = match endpoint.counted {
        Counted::Never => None,
        Counted::Requests => Some("Too many requests of this key or address."),
        Counted::Guesses => Some("Too many wrong signatures, tokens or keys of this address."),
    };
    if let Some(when) = too_many {
        shown.push(error("rate_limited", when, rate_limited()));
    }
    if !matches!(endpoint.needs, Needs::Nothing | Needs::Jobs) {
        shown.push(error(
            "not_configured",
            "Not configured.",
            ApiError::not_found(Scope::Everything(Webhooks::default())),
        ));
    }
    shown.push(error(
        "internal_error",
        "A bug of this service; the log has the cause under the request id.",
        ApiError::internal("an example"),
    ));
    shown
}

/// What the limiter answers, with the default limits.
pub(super) fn rate_limited() -> ApiError {
    ApiError::rate_limited(
        "too many requests",
        2,
        HeaderValue::from_static("\"default\";r=0;t=2"),
        HeaderValue::from_static("\"default\";q=100;w=2"),
    )
}

/// An error without further members.
pub(super) fn error(name: &'static str, when: &'static str, error: ApiError) -> Shown {
    Shown::new(name, when, schemas::ERROR, error)
}
