//! Of webhooks and jobs.

use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{
    AnyOfBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{RefOr, Required, schema::Schema};

use super::{header, query};
use crate::http::query::of_jobs::{CURSOR_PATTERN, DEFAULT_LIMIT, LIMITS, SINCE_PATTERN, STATUSES};

/// A job's id, and the sender's id of a delivery.
const ID_PATTERN: &str = "^[!-~]{1,128}$";

pub(super) fn id() -> Parameter {
    path("job_id", "The id of the job.", ID_PATTERN, "job_7")
}

pub(super) fn token() -> Parameter {
    path(
        "token",
        "One of RUNPOD_WEBHOOK_TOKEN; with any other it is 404 as for an unknown path.",
        "^[A-Za-z0-9_-]+$",
        "replace-with-one-of-RUNPOD_WEBHOOK_TOKEN",
    )
}

pub(super) fn of_a_delivery() -> Vec<Parameter> {
    let needed = |name, description, form: ObjectBuilder, example| {
        header(name, description, example)
            .required(Required::True)
            .schema(Some(form.build()))
            .build()
    };
    vec![
        needed(
            "X-Webhook-Timestamp",
            "When it was sent, ISO 8601; without an offset it is UTC. At most 5 minutes ahead and JOB_WEBHOOK_MAX_AGE late. \
             It is signed exactly as it is sent.",
            string(),
            "2026-11-23T18:00:03.500Z",
        ),
        needed(
            "X-Webhook-Delivery-Id",
            "The sender's id of the delivery.",
            string().pattern(Some(ID_PATTERN)),
            "dlv_01",
        ),
        header(
            "X-Webhook-Event",
            "The event, for a body that names none: `job.created`, `job.started`, `job.completed`, `job.failed`. It is not \
             signed, so the body's counts.",
            "job.failed",
        )
        .build(),
    ]
}

pub(super) fn of_a_list() -> Vec<Parameter> {
    let text = |name, description, schema: RefOr<Schema>, example: &str| {
        query(name)
            .description(Some(description))
            .schema(Some(schema))
            .example(Some(Value::from(example)))
            .build()
    };
    let time = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let since = AnyOfBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .item(time)
        .item(string().pattern(Some(SINCE_PATTERN)));
    let size = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(*LIMITS.start()))
        .maximum(Some(*LIMITS.end()))
        .default(Some(Value::from(DEFAULT_LIMIT)));
    vec![
        text(
            "status",
            "Only those that stand there.",
            string().enum_values(Some(STATUSES)).into(),
            "failed",
        ),
        text(
            "since",
            "Only those that changed then or later: a time, or a span back from now in `ms`, `s`, `m`, `h` or `d`.",
            since.into(),
            "1h",
        ),
        text(
            "cursor",
            "`next_cursor` of an earlier answer to the same query.",
            string().pattern(Some(CURSOR_PATTERN)).into(),
            "MTc5NTQ1NjgwMzUwMCBqb2JfNw",
        ),
        query("limit")
            .description(Some("How many at most."))
            .schema(Some(size.build()))
            .example(Some(Value::from(20)))
            .build(),
    ]
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn path(name: &str, description: &str, pattern: &str, example: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(string().pattern(Some(pattern))))
        .example(Some(Value::from(example)))
        .build()
}
