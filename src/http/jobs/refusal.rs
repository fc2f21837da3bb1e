//! What the job room refuses, as errors.

use http::HeaderValue;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use crate::http::code::Code;
use crate::http::endpoints::Scope;
use crate::http::error::ApiError;
use crate::jobs::Refusal;

impl ApiError {
    /// What `refusal` is to a caller of `scope`.
    pub(in crate::http) fn refused(refusal: Refusal, scope: Scope) -> Self {
        match refusal {
            Refusal::InvalidSignature(why) => Self::new(Code::InvalidSignature, why).with(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(r#"WebhookSignature algorithm="hmac-sha256""#),
            ),
            Refusal::WrongToken => Self::not_found(scope),
            Refusal::Invalid(why) => Self::invalid(why),
            Refusal::Unavailable { cause, retry_after } => Self::unavailable(cause, retry_after),
        }
    }

    /// 503: `cause` goes to the log only.
    pub(in crate::http) fn unavailable(cause: &'static str, retry_after: u64) -> Self {
        let retry_after = retry_after.max(1);
        let message = format!("jobs cannot be taken or shown now; retry in {retry_after} s");
        Self::new(Code::Unavailable, message)
            .with(RETRY_AFTER, HeaderValue::from(retry_after))
            .because(cause)
    }

    /// 404 for a job: it says nothing of the id, which may be anything.
    pub(in crate::http) fn job_not_found() -> Self {
        Self::new(
            Code::JobNotFound,
            "nothing is known of a job of that id; GET /jobs lists those that are known",
        )
    }
}
