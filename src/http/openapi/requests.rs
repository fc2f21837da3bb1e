//! The bodies that requests have.

use serde_json::{Value, json};
use utoipa::openapi::Required;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};

use crate::http::endpoints::Route;

/// The body that `route` reads.
pub(super) fn body(route: Route) -> Option<RequestBody> {
    match route {
        Route::JobWebhook => Some(job_event()),
        Route::RunPodWebhook => Some(runpod_job()),
        Route::Health
        | Route::Livez
        | Route::Readyz
        | Route::Refresh
        | Route::Check
        | Route::OpenApi
        | Route::Metrics
        | Route::Page
        | Route::Job
        | Route::Jobs
        | Route::Signals => None,
    }
}

fn job_event() -> RequestBody {
    let example = json!({
        "event": "job.failed",
        "job_id": "job_7",
        "status": "failed",
        "model": "hd",
        "output_format": "webm",
        "request_id": "req_abc",
        "credits": 12,
        "user_id": "user_3",
        "error": {"code": "decode_error", "message": "the input is no video"},
    });
    let mut schema = open();
    for name in [
        "event",
        "type",
        "status",
        "job_id",
        "id",
        "model",
        "output_format",
    ] {
        schema = schema.property(name, anything());
    }
    for name in [
        "request_id",
        "credits",
        "user_id",
        "error",
        "data",
        "job",
        "metadata",
    ] {
        schema = schema.property(name, anything());
    }
    whole(
        "An event of a job. Read are `event`, `type` or `status`; `job_id` or `id`; `model`, `output_format`, \
         `request_id`, `credits`, `user_id`, `error.code` and `error.message`, at the top or in `data`, `job` or \
         `metadata`. The rest is kept as it is, URLs without their query strings. 1 MiB at most, within 5 s.",
        schema,
        example,
    )
}

fn runpod_job() -> RequestBody {
    let example = json!({
        "id": "c80ffee4-f315-4e25-a146-0f3d98cf024b-u1",
        "status": "COMPLETED",
        "delayTime": 9533,
        "executionTime": 41_250,
        "input": {},
        "output": {},
        "webhook": "https://…",
    });
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let schema = open()
        .property("id", text())
        .property("status", text())
        .required("id")
        .required("status");
    whole(
        "RunPod's job. Kept are `id`, `status`, `delayTime`, `executionTime` and `error`. 1 MiB at most, within 5 s.",
        schema,
        example,
    )
}

fn anything() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue)
}

fn open() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
}

fn whole(description: &str, schema: ObjectBuilder, example: Value) -> RequestBody {
    let content = ContentBuilder::new()
        .schema(Some(schema.build()))
        .examples_from_iter([("job", ExampleBuilder::new().value(Some(example)))])
        .build();
    RequestBodyBuilder::new()
        .description(Some(description))
        .required(Some(Required::True))
        .content("application/json", content)
        .build()
}
