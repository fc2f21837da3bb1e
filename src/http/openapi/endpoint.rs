//! One endpoint: what it is for, what it takes, what it answers. A new row of the table does not compile
//! until it is told here.

use http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, PathItem, PathItemBuilder};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, security::SecurityRequirement};

use super::responses::{Shown, responses, without_bodies};
use super::{API_KEY, errors, parameters};
use crate::answers::examples::Example;
use crate::answers::{
    Answer, Body, CONTRACT_VERSION, Form, NotReady, Options, not_ready, ready, schemas,
};
use crate::http::endpoints::{Credentials, Endpoint, Methods, Route};
use crate::http::error::{ApiError, Code, Reply};
use crate::http::wait;
use crate::registry::Info;

/// What there is to tell about, with these checks.
pub(super) struct Described<'a> {
    infos: &'a [Info],
    healthy: Example,
    degraded: Example,
}

/// Words about an endpoint.
struct Words {
    /// In `camelCase`, begins with a verb.
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: &'static str,
}

fn words(route: Route) -> Words {
    let (id, tag, summary, description) = match route {
        Route::Health => (
            "getHealth",
            "health",
            "The folded state of every check",
            "Constant time; never touches an upstream. Degraded is 200 unless HEALTH_DEGRADED_STATUS is 503, \
             so that a shared upstream's outage does not take every replica out of a load balancer. With \
             `Accept: application/health+json` the same in the form of draft-inadarei-api-health-check-06.",
        ),
        Route::Check => (
            "getCheck",
            "health",
            "One check",
            "200 when it is true, 503 `check_failed` when it is false, for monitors that know statuses only.",
        ),
        Route::Refresh => (
            "refreshHealth",
            "health",
            "Ask every check now",
            "One call an upstream per CHECK_RETRY_INTERVAL at most; who comes meanwhile joins or is told what \
             is known. Waits for the longest CHECK_TIMEOUT and 1 s at most. A body is neither needed nor \
             looked at; it may have 16 KiB and has to come within 5 s.",
        ),
        Route::Livez => (
            "getLivez",
            "probes",
            "This process and its monitor run",
            "For liveness and startup probes: it fails only if a restart helps, and looks at no upstream.",
        ),
        Route::Readyz => (
            "getReadyz",
            "probes",
            "This replica should get traffic",
            "For readiness probes and load balancers.",
        ),
        Route::OpenApi => (
            "getOpenApi",
            "about",
            "This document",
            "`info.version` is the contract's version, not the build's.",
        ),
    };
    Words {
        id,
        tag,
        summary,
        description,
    }
}

impl<'a> Described<'a> {
    pub(super) fn new(infos: &'a [Info]) -> Self {
        Described {
            infos,
            healthy: Example::healthy(infos),
            degraded: Example::degraded(infos),
        }
    }

    pub(super) fn path_item(&self, endpoint: &Endpoint) -> PathItem {
        let operation = self.operation(endpoint);
        match endpoint.methods {
            Methods::Post => PathItem::new(HttpMethod::Post, operation),
            Methods::Read => {
                let mut head = operation.clone();
                let id = words(endpoint.route).id.replacen("get", "head", 1);
                head.operation_id = Some(id);
                head.summary = head.summary.map(|summary| format!("{summary}: no body"));
                head.responses = without_bodies(head.responses);
                PathItemBuilder::new()
                    .operation(HttpMethod::Get, operation)
                    .operation(HttpMethod::Head, head)
                    .build()
            }
        }
    }

    fn operation(&self, endpoint: &Endpoint) -> Operation {
        let words = words(endpoint.route);
        let mut shown = self.answers(endpoint.route);
        shown.extend(errors::of(endpoint));
        OperationBuilder::new()
            .operation_id(Some(words.id))
            .tag(words.tag)
            .summary(Some(words.summary))
            .description(Some(words.description))
            .parameters(Some(parameters::of(endpoint.route, self.infos)))
            .responses(responses(endpoint.route, &shown, &links(endpoint.route)))
            .securities(Some(security(endpoint.credentials)))
            .build()
    }

    /// What its own code answers.
    fn answers(&self, route: Route) -> Vec<Shown> {
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

fn security(credentials: Credentials) -> Vec<SecurityRequirement> {
    let key = || SecurityRequirement::new(API_KEY, [] as [&str; 0]);
    match credentials {
        Credentials::Ignored => Vec::new(),
        Credentials::Optional => vec![SecurityRequirement::default(), key()],
        Credentials::Key => vec![key()],
    }
}

/// Where an answer leads.
fn links(route: Route) -> Vec<(&'static str, Link)> {
    match route {
        Route::Refresh => {
            let link = LinkBuilder::new()
                .operation_id(words(Route::Check).id)
                .parameter("check", Value::from("$response.body#/fresh/0"))
                .description("One of the checks whose results are fresh.");
            vec![("freshCheck", link.build())]
        }
        Route::Health | Route::Check | Route::Livez | Route::Readyz | Route::OpenApi => Vec::new(),
    }
}
