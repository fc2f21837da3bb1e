//! The machine words of error bodies, and the status of each.

use http::StatusCode;
use utoipa::ToSchema;

/// The machine word of an error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(as = ErrorCode, rename_all = "snake_case")]
pub enum Code {
    /// Malformed query, header or body.
    InvalidRequest,
    /// A key is needed.
    MissingApiKey,
    /// The key is none of `API_KEYS`.
    InvalidApiKey,
    /// The signature of a webhook or its timestamp is not valid.
    InvalidSignature,
    /// No such path.
    NotFound,
    /// No check of that name.
    CheckNotFound,
    /// No job of that id.
    JobNotFound,
    /// The path exists, not with this method.
    MethodNotAllowed,
    /// The request's body did not arrive in time.
    Timeout,
    /// The request's body is too large.
    PayloadTooLarge,
    /// The request's body is of the wrong type.
    UnsupportedMediaType,
    /// Too many requests or waiters.
    RateLimited,
    /// A bug; the cause is in the log.
    InternalError,
    /// A counted check is false.
    Degraded,
    /// The check asked for is false.
    CheckFailed,
    /// This replica should get no traffic.
    NotReady,
    /// What keeps jobs cannot be used now; the cause is in the log.
    Unavailable,
}

const CODES: usize = Code::Unavailable as usize + 1;

impl Code {
    /// Each of them.
    pub const ALL: [Code; CODES] = [
        Code::InvalidRequest,
        Code::MissingApiKey,
        Code::InvalidApiKey,
        Code::InvalidSignature,
        Code::NotFound,
        Code::CheckNotFound,
        Code::JobNotFound,
        Code::MethodNotAllowed,
        Code::Timeout,
        Code::PayloadTooLarge,
        Code::UnsupportedMediaType,
        Code::RateLimited,
        Code::InternalError,
        Code::Degraded,
        Code::CheckFailed,
        Code::NotReady,
        Code::Unavailable,
    ];

    /// As it stands in the body.
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::InvalidRequest => "invalid_request",
            Code::MissingApiKey => "missing_api_key",
            Code::InvalidApiKey => "invalid_api_key",
            Code::InvalidSignature => "invalid_signature",
            Code::NotFound => "not_found",
            Code::CheckNotFound => "check_not_found",
            Code::JobNotFound => "job_not_found",
            Code::MethodNotAllowed => "method_not_allowed",
            Code::Timeout => "timeout",
            Code::PayloadTooLarge => "payload_too_large",
            Code::UnsupportedMediaType => "unsupported_media_type",
            Code::RateLimited => "rate_limited",
            Code::InternalError => "internal_error",
            Code::Degraded => "degraded",
            Code::CheckFailed => "check_failed",
            Code::NotReady => "not_ready",
            Code::Unavailable => "unavailable",
        }
    }

    /// Its HTTP status.
    pub const fn status(self) -> StatusCode {
        match self {
            Code::InvalidRequest => StatusCode::BAD_REQUEST,
            Code::MissingApiKey | Code::InvalidApiKey | Code::InvalidSignature => {
                StatusCode::UNAUTHORIZED
            }
            Code::NotFound | Code::CheckNotFound | Code::JobNotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::Timeout => StatusCode::REQUEST_TIMEOUT,
            Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Code::Degraded | Code::CheckFailed | Code::NotReady | Code::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Whether it tells of this service's own fault: a 5xx that is no answer.
    pub const fn is_fault(self) -> bool {
        matches!(self, Code::InternalError | Code::Unavailable)
    }
}
