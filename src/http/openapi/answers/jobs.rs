//! What webhooks, `/jobs` and `/signals` answer.

use http::StatusCode;

use crate::answers::examples::jobs as example;
use crate::answers::jobs::{self, names};
use crate::answers::signals::signals;
use crate::http::code::Code;
use crate::http::endpoints::{Route, Scope, Webhooks};
use crate::http::error::{ApiError, Reply};
use crate::http::openapi::errors::error;
use crate::http::openapi::responses::Shown;
use crate::jobs::{Receipt, Refusal};

/// Those of one of their endpoints; none of any other.
pub(super) fn shown(route: Route) -> Vec<Shown> {
    match route {
        Route::JobWebhook => {
            let mut shown = delivery(StatusCode::ACCEPTED);
            shown.push(error(
                "invalid_signature",
                "Signature or timestamp are not valid.",
                refused(Refusal::InvalidSignature(
                    "X-Webhook-Signature is not of this timestamp and this body",
                )),
            ));
            shown
        }
        Route::RunPodWebhook => {
            let mut shown = delivery(StatusCode::OK);
            shown.push(error(
                "wrong_token",
                "The token is none of RUNPOD_WEBHOOK_TOKEN.",
                refused(Refusal::WrongToken),
            ));
            shown
        }
        Route::Job => vec![
            Shown::new(
                "failed",
                "The job.",
                names::TRAIL,
                reply(jobs::trail("job_7", &example::trail())),
            ),
            error(
                "job_not_found",
                "Nothing is known of it.",
                ApiError::job_not_found(),
            ),
            away(),
        ],
        Route::Jobs => {
            let page = [example::failed(), example::completed()];
            let next = Some("MTc5NTQ1NjgwMzUwMCBqb2JfNw");
            vec![
                Shown::new(
                    "page",
                    "A page.",
                    names::LIST,
                    reply(jobs::list(&page, next)),
                ),
                Shown::new("none", "A page.", names::LIST, reply(jobs::list(&[], None))),
                error(
                    "malformed",
                    "A parameter is malformed.",
                    ApiError::invalid("limit is given twice"),
                ),
                away(),
            ]
        }
        Route::Signals => {
            let now = example::EVALUATED;
            let (board, first) = (example::board(), example::first_board());
            let when = "The signals.";
            vec![
                Shown::new("judged", when, names::SIGNALS, reply(signals(&board, now))),
                Shown::new("first", when, names::SIGNALS, reply(signals(&first, now))),
                away(),
            ]
        }
        Route::Health
        | Route::Livez
        | Route::Readyz
        | Route::Refresh
        | Route::Check
        | Route::OpenApi
        | Route::Metrics
        | Route::Page => Vec::new(),
    }
}

fn reply(answer: crate::answers::Answer) -> Reply {
    Reply::new(answer, Code::InternalError)
}

fn refused(refusal: Refusal) -> ApiError {
    ApiError::refused(refusal, Scope::Everything(Webhooks::ALL))
}

/// What every delivery can be answered.
fn delivery(fresh: StatusCode) -> Vec<Shown> {
    let receipt = example::receipt();
    let again = Receipt {
        duplicate: true,
        ..receipt.clone()
    };
    let kept = |name, when, receipt: &Receipt| {
        let answer = jobs::received(receipt, fresh);
        Shown::new(name, when, names::RECEIVED, reply(answer))
    };
    vec![
        kept("accepted", "It is kept.", &receipt),
        kept("duplicate", "It was kept already.", &again),
        error(
            "malformed",
            "Headers or body are malformed.",
            refused(Refusal::Invalid("the body names no job")),
        ),
        error(
            "timeout",
            "The body did not come in time.",
            ApiError::body_timeout(),
        ),
        error(
            "payload_too_large",
            "The body is larger than 1 MiB.",
            ApiError::of_status(StatusCode::PAYLOAD_TOO_LARGE),
        ),
        error(
            "not_json",
            "The body is no JSON as it is.",
            ApiError::not_json(),
        ),
        error(
            "encoded",
            "The body is no JSON as it is.",
            ApiError::encoded(),
        ),
        away(),
    ]
}

fn away() -> Shown {
    error(
        "unavailable",
        "The store cannot be used now, or too much comes at a time: try again.",
        refused(Refusal::Unavailable {
            cause: "an example",
            retry_after: 5,
        }),
    )
}
