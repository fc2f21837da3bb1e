//! What the code of each endpoint answers, as examples.

mod health;
#[cfg(feature = "jobs")]
mod jobs;

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};

use super::responses::Shown;
use crate::answers::examples::Example;
use crate::answers::{Answer, Body, CONTRACT_VERSION, Media, NotReady, not_ready, ready, schemas};
use crate::http::code::Code;
use crate::http::endpoints::Route;
use crate::http::error::Reply;
use crate::http::page;
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
            Route::JobWebhook
            | Route::RunPodWebhook
            | Route::Job
            | Route::Jobs
            | Route::Signals => of_jobs(route),
        }
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
}

#[cfg(feature = "jobs")]
use jobs::shown as of_jobs;

/// Without the room there is no such endpoint to tell of.
#[cfg(not(feature = "jobs"))]
fn of_jobs(_: Route) -> Vec<Shown> {
    Vec::new()
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
