//! The headers of responses.

use http::HeaderName;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER, VARY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::http::endpoints::Route;
use crate::http::headers::X_REQUEST_ID;
use crate::http::rate_limit::{RATELIMIT, RATELIMIT_POLICY};

/// One that responses can have.
struct Known {
    name: HeaderName,
    /// As it stands in documents.
    title: &'static str,
    description: &'static str,
    values: Values,
    /// Whether all answers of a status have it if one has it; otherwise it comes with one media type alone.
    always: bool,
}

enum Values {
    /// This one alone.
    One(&'static str),
    /// Those of a form, with an example.
    Form(&'static str, &'static str),
    /// Whole numbers from this one on.
    From(u32),
}

fn every() -> [Known; 11] {
    let known = |name, title, description, values| Known {
        name,
        title,
        description,
        values,
        always: true,
    };
    let with_the_page = |known| Known {
        always: false,
        ..known
    };
    [
        known(
            X_REQUEST_ID,
            "X-Request-Id",
            "The request's own id where it sent one of this form, else a new one. It stands in an error body and in the log.",
            Values::Form("^[A-Za-z0-9._-]{1,128}$", "req_01M852NK0AVM8KD541Z1PKE3VS"),
        ),
        known(
            CACHE_CONTROL,
            "Cache-Control",
            "An answer is about now.",
            Values::One("no-store"),
        ),
        known(
            X_CONTENT_TYPE_OPTIONS,
            "X-Content-Type-Options",
            "The body is what Content-Type says.",
            Values::One("nosniff"),
        ),
        known(
            VARY,
            "Vary",
            "The form of the answer follows Accept.",
            Values::One("accept"),
        ),
        with_the_page(known(
            CONTENT_SECURITY_POLICY,
            "Content-Security-Policy",
            "With the status page: its own style and script, and nothing else.",
            Values::Form("^default-src 'none'", "default-src 'none'"),
        )),
        with_the_page(known(
            REFERRER_POLICY,
            "Referrer-Policy",
            "With the status page.",
            Values::One("no-referrer"),
        )),
        known(
            WWW_AUTHENTICATE,
            "WWW-Authenticate",
            "The way to show a key, X-Api-Key; or to sign a webhook.",
            Values::Form("^(ApiKey|WebhookSignature)", "ApiKey"),
        ),
        known(
            ALLOW,
            "Allow",
            "The methods of this path.",
            Values::Form("^[A-Z]+(, [A-Z]+)*$", "GET, HEAD"),
        ),
        known(
            RETRY_AFTER,
            "Retry-After",
            "Seconds until another try can succeed.",
            Values::From(1),
        ),
        known(
            RATELIMIT,
            "RateLimit",
            "What is left of the quota (draft-ietf-httpapi-ratelimit-headers-10).",
            Values::Form("^\"[a-z]+\";r=[0-9]+;t=[0-9]+$", "\"default\";r=0;t=2"),
        ),
        known(
            RATELIMIT_POLICY,
            "RateLimit-Policy",
            "The quota (same draft).",
            Values::Form(
                "^\"[a-z]+\";q=[0-9]+;(w=[0-9]+|qu=\"[a-z-]+\")$",
                "\"default\";q=100;w=2",
            ),
        ),
    ]
}

/// All of them, by the names that documents refer to them by.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Header)> {
    every().into_iter().map(|known| (known.title, known.told()))
}

/// How documents name a header; `None` for one that they say nothing of.
pub(super) fn title(name: &HeaderName) -> Option<&'static str> {
    let mut known = every().into_iter();
    known
        .find(|known| known.name == *name)
        .map(|known| known.title)
}

/// Those that every response of an endpoint has.
pub(super) fn of_every_response(route: Option<Route>) -> Vec<HeaderName> {
    let mut names = vec![X_REQUEST_ID, CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS];
    if route.is_some_and(Route::is_negotiated) {
        names.push(VARY);
    }
    names
}

impl Known {
    fn told(&self) -> Header {
        let string = ObjectBuilder::new().schema_type(Type::String);
        let (schema, example) = match self.values {
            Values::One(value) => (string.enum_values(Some([value])), Value::from(value)),
            Values::Form(pattern, example) => (string.pattern(Some(pattern)), Value::from(example)),
            Values::From(least) => (
                string.schema_type(Type::Integer).minimum(Some(least)),
                Value::from(least),
            ),
        };
        HeaderBuilder::new()
            .description(Some(self.description))
            .schema(Some(schema.build()))
            .example(Some(example))
            // The library's type has no member for it.
            .extensions(Some(Extensions::from_iter([("required", self.always)])))
            .build()
    }
}
