//! What `/health`, `/health/{check}` and `/health/refresh` answer.

use http::StatusCode;

use super::Answers;
use crate::answers::{Answer, Form, NotReady, Options, not_ready, schemas};
use crate::http::code::Code;
use crate::http::error::{ApiError, Reply};
use crate::http::openapi::errors;
use crate::http::openapi::responses::Shown;
use crate::http::wait;

impl Answers<'_> {
    pub(super) fn health(&self) -> Vec<Shown> {
        let plain = Options::default();
        let verbose = Options {
            details: true,
            version: true,
            ..plain.clone()
        };
        let strict = Options {
            degraded_is_503: true,
            ..plain.clone()
        };
        let show = |name, when, schema, answer| {
            Shown::new(name, when, schema, Reply::new(answer, Code::Degraded))
        };
        let fold = "The folded state.";
        let failed = "Degraded, with HEALTH_DEGRADED_STATUS=503 or at the end of `wait`.";
        vec![
            show(
                "healthy",
                fold,
                schemas::HEALTH,
                self.healthy.health(&plain),
            ),
            show(
                "degraded",
                fold,
                schemas::HEALTH,
                self.degraded.health(&plain),
            ),
            show(
                "verbose",
                fold,
                schemas::HEALTH,
                self.degraded.health(&verbose),
            ),
            show(
                "excluded",
                fold,
                schemas::HEALTH,
                self.degraded.health_without_last(&plain),
            ),
            show(
                "pass",
                fold,
                schemas::HEALTH_JSON,
                self.healthy.health(&as_draft(&plain)),
            ),
            show(
                "warn",
                fold,
                schemas::HEALTH_JSON,
                self.degraded.health(&as_draft(&verbose)),
            ),
            show(
                "degraded",
                failed,
                schemas::DEGRADED_HEALTH,
                self.degraded.health(&strict),
            ),
            show(
                "fail",
                failed,
                schemas::DEGRADED_HEALTH_JSON,
                self.degraded.health(&as_draft(&strict)),
            ),
            Shown::new(
                "draining",
                "A shutdown ended `wait`.",
                schemas::NOT_READY,
                Reply::new(not_ready(NotReady::Draining), Code::NotReady),
            ),
            errors::error(
                "timeout_without_wait",
                "A parameter is malformed.",
                ApiError::invalid("timeout needs wait=healthy"),
            ),
            errors::error(
                "details_need_a_key",
                "Details are for key holders.",
                ApiError::details_need_a_key(),
            ),
            errors::error("waiters", "Too many wait already.", wait::too_many()),
        ]
    }

    pub(super) fn check(&self) -> Vec<Shown> {
        let plain = Options::default();
        let draft = as_draft(&plain);
        let names: Vec<_> = self.infos.iter().map(|info| info.name).collect();
        let show = |name, when, schema, answer: Option<Answer>| {
            answer
                .map(|answer| Shown::new(name, when, schema, Reply::new(answer, Code::CheckFailed)))
        };
        let (healthy, degraded) = (&self.healthy, &self.degraded);
        let (is_true, is_false) = ("The check is true.", "The check is false.");
        let states = [
            show(
                "true",
                is_true,
                schemas::CHECK_HEALTH,
                healthy.last_check(&plain),
            ),
            show(
                "pass",
                is_true,
                schemas::CHECK_HEALTH_JSON,
                healthy.last_check(&draft),
            ),
            show(
                "false",
                is_false,
                schemas::FAILED_CHECK_HEALTH,
                degraded.last_check(&plain),
            ),
            show(
                "fail",
                is_false,
                schemas::FAILED_CHECK_HEALTH_JSON,
                degraded.last_check(&draft),
            ),
        ];
        let mut shown: Vec<_> = states.into_iter().flatten().collect();
        shown.extend([
            errors::error(
                "malformed",
                "A parameter is malformed.",
                ApiError::invalid("verbose is given twice"),
            ),
            errors::error(
                "details_need_a_key",
                "Details are for key holders.",
                ApiError::details_need_a_key(),
            ),
            errors::error(
                "check_not_found",
                "No check has that name.",
                ApiError::check_not_found(&names),
            ),
        ]);
        shown
    }

    pub(super) fn refresh(&self) -> Vec<Shown> {
        let options = Options {
            details: true,
            version: true,
            fresh: Some(self.infos.iter().map(|info| info.name).collect()),
            ..Options::default()
        };
        let strict = Options {
            degraded_is_503: true,
            ..options.clone()
        };
        let reply = |answer| Reply::new(answer, Code::Degraded);
        vec![
            Shown::new(
                "refreshed",
                "What was found, and which results are fresh.",
                schemas::HEALTH,
                reply(self.healthy.health(&options)),
            ),
            Shown::new(
                "degraded",
                "Degraded, with HEALTH_DEGRADED_STATUS=503.",
                schemas::DEGRADED_HEALTH,
                reply(self.degraded.health(&strict)),
            ),
            errors::error(
                "cut",
                "The body is malformed.",
                ApiError::invalid("the request's body is cut or malformed"),
            ),
            errors::error(
                "timeout",
                "The body did not come in time.",
                ApiError::body_timeout(),
            ),
            errors::error(
                "payload_too_large",
                "The body is too large.",
                ApiError::of_status(StatusCode::PAYLOAD_TOO_LARGE),
            ),
        ]
    }
}

fn as_draft(options: &Options) -> Options {
    Options {
        form: Form::HealthJson,
        ..options.clone()
    }
}
