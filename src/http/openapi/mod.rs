//! The OpenAPI document: the table of endpoints, the schemas of the answers, and examples that the same
//! functions render as all answers. What it says of an answer is taken from such an answer: its status, its
//! media type, its headers, its code.

mod answers;
mod endpoint;
mod errors;
mod headers;
mod parameters;
mod requests;
mod responses;
mod words;

use utoipa::PartialSchema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathsBuilder, Server,
};

use self::endpoint::Described;
use super::code::Code;
use super::endpoints::{Scope, Webhooks};
use super::error::ApiError;
use crate::answers::{CONTRACT_VERSION, schemas};
use crate::config::Policy;
use crate::registry::Info;

/// The name of the operator key among the security schemes.
const API_KEY: &str = "ApiKey";

/// The same key for scrapers.
const BEARER: &str = "Bearer";

/// The signature of a webhook.
const SIGNATURE: &str = "WebhookSignature";

const DESCRIPTION: &str = "Tells whether a video background-removal API can do its job.

Every answer but 2xx has the body `Error`, some with further members. Paths that are not listed are 404 \
`not_found`, other methods 405 `method_not_allowed` with `Allow`. Query parameters that are not listed are \
ignored. Members are only ever added: ignore those that you do not know.

Webhooks and jobs are 404 `not_found` too until JOB_WEBHOOK_SECRET or RUNPOD_WEBHOOK_TOKEN is set.

What is no request at all (an unparsable head: 400; a head over 16 KiB or 100 fields: 431) is answered by the \
HTTP library, with an empty body and none of the headers below.";

/// The document about a service with these checks, as JSON. It tells nothing of a configuration.
pub fn document(infos: &[Info]) -> String {
    let unconfigured = |info: &Info| Info {
        policy: Policy::default(),
        ..*info
    };
    let infos: Vec<_> = infos.iter().map(unconfigured).collect();
    // Maps with string keys and no numbers out of range: it always serialises.
    let mut text = serde_json::to_string_pretty(&build(&infos)).unwrap_or_else(|error| {
        tracing::error!(%error, "the OpenAPI document could not be rendered");
        "{}".to_owned()
    });
    text.push('\n');
    text
}

fn build(infos: &[Info]) -> OpenApi {
    let described = Described::new(infos);
    let mut paths = PathsBuilder::new();
    for endpoint in Scope::DOCUMENTED.endpoints() {
        paths = paths.path(endpoint.path, described.path_item(endpoint));
    }
    let mut components = ComponentsBuilder::new()
        .schema(schemas::ERROR_CODE, Code::schema())
        .security_scheme(API_KEY, api_key())
        .security_scheme(BEARER, bearer())
        .security_scheme(SIGNATURE, signature())
        .response(
            "NotFound",
            responses::of_any_path(
                "No such path.",
                ApiError::not_found(Scope::Everything(Webhooks::default())),
            ),
        )
        .response(
            "TooManyRequests",
            responses::of_any_path(
                "Too many requests of this key or address, to a path or with a method that does not exist.",
                errors::rate_limited(),
            ),
        );
    for (name, schema) in schemas::all(infos) {
        components = components.schema(name, schema);
    }
    for (name, header) in headers::all() {
        components = components.header(name, header);
    }
    let license = LicenseBuilder::new()
        .name("MIT")
        .identifier(Some("MIT"))
        .build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("infra-health")
                .version(CONTRACT_VERSION)
                .description(Some(DESCRIPTION))
                .license(Some(license))
                .build(),
        )
        .servers(Some([Server::new("/")]))
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

fn api_key() -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "X-Api-Key",
        "One of API_KEYS. Sent twice, or wrong, it is a 401; where no key is configured, none is looked at.",
    )))
}

fn bearer() -> SecurityScheme {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The same key, for /metrics: all that scrapers can send.",
        ));
    SecurityScheme::Http(bearer.build())
}

fn signature() -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "X-Webhook-Signature",
        "`sha256=` and the hex digits of HMAC-SHA256 with one of JOB_WEBHOOK_SECRET over the value of \
         X-Webhook-Timestamp, a full stop and the raw body.",
    )))
}

#[cfg(test)]
mod tests;
