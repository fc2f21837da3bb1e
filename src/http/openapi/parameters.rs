//! What a request can say.

mod jobs;

use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, Required};

use crate::answers::schemas;
use crate::http::endpoints::Route;
use crate::http::query::{FLAGS, HEALTHY, TIMEOUT_PATTERN};
use crate::registry::Info;

/// Those of `route`, for these checks.
pub(super) fn of(route: Route, infos: &[Info]) -> Vec<Parameter> {
    let mut parameters = match route {
        Route::Health | Route::Page => {
            vec![verbose(), exclude(infos), wait(), wait_timeout(), probe()]
        }
        Route::Check => vec![check(infos), verbose()],
        Route::JobWebhook => jobs::of_a_delivery(),
        Route::RunPodWebhook => vec![jobs::token()],
        Route::Job => vec![jobs::id()],
        Route::Jobs => jobs::of_a_list(),
        Route::Livez
        | Route::Readyz
        | Route::Refresh
        | Route::OpenApi
        | Route::Metrics
        | Route::Signals => Vec::new(),
    };
    parameters.extend([request_id(), traceparent()]);
    parameters
}

fn query(name: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
}

fn verbose() -> Parameter {
    let flag = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(FLAGS.iter().map(|(text, _)| *text)));
    query("verbose")
        .description(Some(
            "Adds `details`. Needs a key, unless HEALTH_DETAILS is `always`; with `never` it changes nothing. \
             Without a value it means yes.",
        ))
        .schema(Some(flag.build()))
        .extensions(Some(Extensions::from_iter([("allowEmptyValue", true)])))
        .example(Some(Value::from("true")))
        .build()
}

fn exclude(infos: &[Info]) -> Parameter {
    let every = infos
        .iter()
        .map(|info| json!({"contains": {"const": info.name}}));
    let names = ArrayBuilder::new()
        .items(Ref::from_schema_name(schemas::CHECK_NAME))
        // One has to be left.
        .extensions(Some(Extensions::from_iter([(
            "not",
            json!({"allOf": every.collect::<Vec<_>>()}),
        )])));
    let example = infos.last().map(|info| json!([info.name]));
    query("exclude")
        .description(Some(
            "Checks that are shown and do not count, besides those of HEALTH_EXCLUDE; not all of them. Can be \
             repeated; several names with commas are taken, too.",
        ))
        .schema(Some(names.build()))
        .style(Some(ParameterStyle::Form))
        .explode(Some(true))
        .example(example)
        .build()
}

fn wait() -> Parameter {
    let healthy = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some([HEALTHY]));
    query("wait")
        .description(Some(
            "Holds the answer until healthy, or until `timeout`: then it is 503 `degraded`. Needs a key.",
        ))
        .schema(Some(healthy.build()))
        .build()
}

fn wait_timeout() -> Parameter {
    let span = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(TIMEOUT_PATTERN))
        .default(Some(Value::from("30s")));
    query("timeout")
        .description(Some(
            "How long `wait` holds the answer at most: 1 s to 60 s, in `ms`, `s` or `m`. Needs `wait`.",
        ))
        .schema(Some(span.build()))
        .example(Some(Value::from("5s")))
        .build()
}

fn check(infos: &[Info]) -> Parameter {
    ParameterBuilder::new()
        .name("check")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The name of the check, as in `checks`."))
        .schema(Some(Ref::from_schema_name(schemas::CHECK_NAME)))
        .example(infos.last().map(|info| Value::from(info.name)))
        .build()
}

/// Any value is taken, so the forms that mean something stand in the description.
fn header(name: &str, description: &str, example: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .example(Some(Value::from(example)))
}

fn probe() -> Parameter {
    header(
        "X-Infra-Health-Probe",
        "`1`: asked by another instance's check of this API; then degraded is 200 whatever \
         HEALTH_DEGRADED_STATUS says, save at the end of `wait`. Any other value means nothing.",
        "1",
    )
    .build()
}

fn request_id() -> Parameter {
    header(
        "X-Request-Id",
        "The id of the request: kept if it is 1 to 128 characters of `A-Z a-z 0-9 . _ -`, else a new one is made.",
        "deploy-4711",
    )
    .build()
}

fn traceparent() -> Parameter {
    header(
        "traceparent",
        "W3C trace context, version 00: `trace_id` and `span_id` go into the log. A malformed one is ignored.",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    .build()
}
