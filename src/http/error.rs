//! Every error body comes from here: handlers say what is wrong, the front renders it, because only it
//! knows the request id.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use super::code::Code;
use super::endpoints::{Methods, Scope};
use super::rate_limit::{RATELIMIT, RATELIMIT_POLICY};
use crate::answers::{Answer, error_body};

/// An error as a handler states it. Its message is for callers and is made of literals, numbers and
/// configured names; nothing that a caller or an upstream sent.
#[derive(Debug, Clone)]
pub struct ApiError {
    code: Code,
    message: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Cow<'static, str>>,
}

impl ApiError {
    /// An error with a sentence for the caller.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        ApiError {
            code,
            message: message.into(),
            headers: Vec::new(),
            cause: None,
        }
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same with a cause for the log.
    #[cfg(feature = "jobs")]
    pub(super) fn because(self, cause: &'static str) -> Self {
        ApiError {
            cause: Some(cause.into()),
            ..self
        }
    }

    /// Whether it is this service's fault.
    #[cfg(feature = "jobs")]
    pub(super) fn is_fault(&self) -> bool {
        self.code.is_fault()
    }

    /// 400.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, message)
    }

    /// 401 with its challenge; `code` is one of the two key codes.
    fn unauthorized(code: Code, message: &'static str) -> Self {
        Self::new(code, message).with(WWW_AUTHENTICATE, HeaderValue::from_static("ApiKey"))
    }

    /// 401 for a key that is none of ours.
    pub fn invalid_api_key() -> Self {
        Self::unauthorized(
            Code::InvalidApiKey,
            "X-Api-Key is not, once, one of API_KEYS",
        )
    }

    /// 401 where nothing is for those without a key.
    pub fn needs_a_key() -> Self {
        Self::unauthorized(
            Code::MissingApiKey,
            "this is for holders of a key: set API_KEYS and send one as X-Api-Key",
        )
    }

    /// 401 where only details are for holders of a key; it names the other ways to them.
    pub fn details_need_a_key() -> Self {
        Self::unauthorized(
            Code::MissingApiKey,
            "details are for holders of a key: set API_KEYS and send one as X-Api-Key, or read this service's \
             log, or run infra-health doctor",
        )
    }

    /// The same where a key can come as a bearer, too.
    pub fn invalid_scraper_key() -> Self {
        Self::new(Code::InvalidApiKey, "the key is not, once, one of API_KEYS").with(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(
                r#"ApiKey, Bearer realm="infra-health", error="invalid_token""#,
            ),
        )
    }

    /// 401 for a scrape without a key.
    pub fn scraper_needs_a_key() -> Self {
        Self::new(
            Code::MissingApiKey,
            "this is for holders of a key: send one as X-Api-Key or as Authorization: Bearer, or scrape METRICS_ADDR",
        )
        .with(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"ApiKey, Bearer realm="infra-health""#),
        )
    }

    /// 404 that names what exists in `scope`.
    pub fn not_found(scope: Scope) -> Self {
        let exists: Vec<_> = scope
            .endpoints()
            .map(|endpoint| format!("{} {}", endpoint.methods.allow(), endpoint.path))
            .collect();
        let message = format!("no such path; there are {}", exists.join("; "));
        Self::new(Code::NotFound, message)
    }

    /// 404 that names the checks.
    pub fn check_not_found(names: &[&'static str]) -> Self {
        let message = format!("no such check; there are {}", names.join(", "));
        Self::new(Code::CheckNotFound, message)
    }

    /// 405 with `Allow`.
    pub fn method_not_allowed(methods: Methods) -> Self {
        let allow = methods.allow();
        Self::new(
            Code::MethodNotAllowed,
            format!("method not allowed; allowed: {allow}"),
        )
        .with(ALLOW, HeaderValue::from_static(allow))
    }

    /// 408.
    pub fn body_timeout() -> Self {
        Self::new(Code::Timeout, "the request's body did not arrive in time")
    }

    /// 415 for a body that is not said to be JSON.
    pub fn not_json() -> Self {
        Self::new(
            Code::UnsupportedMediaType,
            "the body must be JSON; accepted: Content-Type application/json, or one that ends in +json",
        )
    }

    /// 415 for a body that is compressed.
    pub fn encoded() -> Self {
        Self::new(
            Code::UnsupportedMediaType,
            "the body must come as it is; accepted: no Content-Encoding, or identity",
        )
    }

    /// 429: `what` is too much, come back after so many seconds; `limit` and `policy` are the values of
    /// `RateLimit` and `RateLimit-Policy`.
    pub fn rate_limited(
        what: &'static str,
        retry_after: u64,
        limit: HeaderValue,
        policy: HeaderValue,
    ) -> Self {
        Self::new(
            Code::RateLimited,
            format!("{what}; retry in {retry_after} s"),
        )
        .with(RETRY_AFTER, HeaderValue::from(retry_after))
        .with(RATELIMIT, limit)
        .with(RATELIMIT_POLICY, policy)
    }

    /// 500; `cause` goes to the log only.
    pub fn internal(cause: impl Into<Cow<'static, str>>) -> Self {
        ApiError {
            cause: Some(cause.into()),
            ..Self::new(
                Code::InternalError,
                "something went wrong here; the log has the cause under this request id",
            )
        }
    }

    /// For a response that no handler of ours made: the library's own rejections.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::REQUEST_TIMEOUT => Self::body_timeout(),
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(Code::PayloadTooLarge, "the request's body is too large")
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(
                Code::UnsupportedMediaType,
                "the request's content type is not supported",
            ),
            status if status.is_client_error() => Self::invalid("the request is malformed"),
            _ => Self::internal("a handler answered past the error type"),
        }
    }
}

/// What a handler hands to the front: an answer, its code when it is an error, further headers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status and body.
    pub answer: Answer,
    /// The code in an error body.
    pub code: Option<Code>,
    /// Headers besides those of every response.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log only.
    pub cause: Option<Cow<'static, str>>,
    /// Whether the request's body has been read to its end; if not, the connection cannot be used again.
    pub body_read: bool,
}

impl Reply {
    /// An answer; `code` is the one in its body should it be an error.
    pub fn new(answer: Answer, code: Code) -> Self {
        Reply {
            code: (!answer.status.is_success()).then_some(code),
            answer,
            headers: Vec::new(),
            cause: None,
            body_read: false,
        }
    }

    /// The same after the request's body has been read to its end.
    #[must_use]
    pub fn with_body_read(self) -> Self {
        Reply {
            body_read: true,
            ..self
        }
    }

    /// What a response of the router carries.
    pub(super) fn of(mut response: Response) -> Self {
        response
            .extensions_mut()
            .remove::<Reply>()
            .unwrap_or_else(|| ApiError::of_status(response.status()).into())
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        Reply {
            answer: Answer::json(
                error.code.status(),
                error_body(error.code.as_str(), &error.message, None),
            ),
            code: Some(error.code),
            headers: error.headers,
            cause: error.cause,
            body_read: false,
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = self.answer.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        Reply::from(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_of_the_library_are_told_by_their_status() {
        for (status, code) in [
            (400, Code::InvalidRequest),
            (408, Code::Timeout),
            (413, Code::PayloadTooLarge),
            (415, Code::UnsupportedMediaType),
            (422, Code::InvalidRequest),
            (200, Code::InternalError),
            (302, Code::InternalError),
            (500, Code::InternalError),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let reply = Reply::of((status, "text of the library").into_response());
            assert_eq!(reply.code, Some(code), "{status}");
            assert_eq!(reply.answer.status, code.status());
            let body = reply.answer.body.with_id("req_1");
            assert!(!String::from_utf8_lossy(&body).contains("library"));
        }
    }
}
