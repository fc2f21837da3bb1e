//! What the code of each endpoint answers, as examples.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};

use super::errors;
use super::responses::Shown;
use crate::answers::examples::Example;
use crate::answers::{
    Answer, Body, CONTRACT_VERSION, Form, Media, NotReady, Options, not_ready, ready, schemas,
};
use crate::http::endpoints::Route;
use crate::http::error::{ApiError, Code, Reply};
use crate::http::{page, wait};
use crate::metrics::{self, Standing};
use crate::registry::Info;
use crate::snapshot::CheckSet;

/// What there is to answer about, with these checks.
pub(super) struct Answers<'a> {
    infos: &'a [Info],
    healthy: Example,
    degraded: Example,
}

impl<'a> Answers<'a> {
    pub(super) fn new(infos: &'a [Info]) -> Self {
        Answers {
            infos,
            healthy: Example::healthy(infos),
            degraded: Example::degraded(infos),
        }
    }

    /// What its own code answers.
    pub(super) fn of(&self, route: Route) -> Vec<Shown> {
        match route {
            Route::Health => self.health(),
            Route::Check => self.check(),
            Route::Refresh => self.refresh(),
            Route::Livez => probe(&[("stalled", NotReady::MonitorStalled)]),
            Route::Readyz => {
                let last = self.infos.last().map(|info| info.name);
                let last = last.map(|name| ("required_check", NotReady::RequiredCheck(name)));
                let reasons = [
                    ("starting", NotReady::Starting),
                    ("draining", NotReady::Draining),
                    ("stalled", NotReady::MonitorStalled),
                    ("descriptors", NotReady::DescriptorsExhausted),
                ];
                probe(&reasons.into_iter().chain(last).collect::<Vec<_>>())
            }
            Route::OpenApi => vec![document()],
            Route::Metrics => vec![self.metrics()],
            Route::Page => self.page(),
        }
    }

    fn health(&self) -> Vec<Shown> {
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

    fn check(&self) -> Vec<Shown> {
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

    /// The plain forms of `/health`, and the page.
    fn page(&self) -> Vec<Shown> {
        let mut shown = self.health();
        shown.retain(|shown| shown.reply.answer.media == Media::Json);
        let text = "<!DOCTYPE html><html lang=\"en\"><title>healthy</title></html>";
        let answer = Answer {
            status: StatusCode::OK,
            media: Media::Html,
            body: Body::Whole(text.into()),
        };
        shown.push(Shown {
            name: "page",
            when: "The page, for who names `text/html` in `Accept`.",
            schema: ObjectBuilder::new().schema_type(Type::String).into(),
            reply: Reply {
                headers: page::headers(),
                ..Reply::new(answer, Code::InternalError)
            },
        });
        shown
    }

    /// The first lines of a scrape.
    fn metrics(&self) -> Shown {
        let standing = Standing {
            snapshot: &self.healthy.snapshot,
            excluded: CheckSet::EMPTY,
            at: self.healthy.at,
            heartbeat_age: Duration::ZERO,
            ready: true,
        };
        let mut samples = Vec::new();
        standing.samples(&mut samples);
        samples.truncate(4);
        Shown {
            name: "scrape",
            when: "Prometheus' text format 0.0.4.",
            schema: ObjectBuilder::new().schema_type(Type::String).into(),
            reply: Reply::new(metrics::page(&samples), Code::InternalError),
        }
    }

    fn refresh(&self) -> Vec<Shown> {
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

fn probe(reasons: &[(&'static str, NotReady)]) -> Vec<Shown> {
    let show = |name, when, schema, answer| {
        Shown::new(name, when, schema, Reply::new(answer, Code::NotReady))
    };
    let mut shown = vec![show("ok", "Yes.", schemas::READY, ready())];
    let when = "No; `reason` says why.";
    for &(name, why) in reasons {
        shown.push(show(name, when, schemas::NOT_READY, not_ready(why)));
    }
    shown
}

fn document() -> Shown {
    let schema = ObjectBuilder::new()
        .description(Some("OpenAPI 3.1."))
        .property(
            "openapi",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some("^3\\.1\\.")),
        )
        .property("info", any_object())
        .property("paths", any_object())
        .required("openapi")
        .required("info")
        .required("paths")
        .additional_properties(Some(AdditionalProperties::FreeForm(true)));
    let example = json!({
        "openapi": "3.1.0",
        "info": {"title": "infra-health", "version": CONTRACT_VERSION},
        "paths": {},
    });
    let body = Body::Whole(example.to_string().into());
    Shown {
        name: "document",
        when: "The document.",
        schema: RefOr::T(Schema::Object(schema.build())),
        reply: Reply::new(Answer::json(StatusCode::OK, body), Code::InternalError),
    }
}

fn any_object() -> ObjectBuilder {
    ObjectBuilder::new().additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
}
