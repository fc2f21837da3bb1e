//! From answers to what the document says of them.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderName, StatusCode};
use serde_json::Value;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::link::Link;
use utoipa::openapi::response::{Response, ResponseBuilder, Responses, ResponsesBuilder};
use utoipa::openapi::schema::{
    AllOfBuilder, AnyOfBuilder, ObjectBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

use super::headers;
use crate::answers::{Media, schemas};
use crate::http::code::Code;
use crate::http::endpoints::Route;
use crate::http::error::{ApiError, Reply};

/// The id in examples.
const ID: &str = "req_01M852NK0AVM8KD541Z1PKE3VS";

/// One answer that an endpoint gives, as an example of its kind.
pub(super) struct Shown {
    /// The example's name, unique in its endpoint.
    pub(super) name: &'static str,
    /// One sentence on when it is given.
    pub(super) when: &'static str,
    /// What its body is.
    pub(super) schema: RefOr<Schema>,
    pub(super) reply: Reply,
}

impl Shown {
    /// One whose body is that schema of the components.
    pub(super) fn new(
        name: &'static str,
        when: &'static str,
        schema: &str,
        reply: impl Into<Reply>,
    ) -> Self {
        Shown {
            name,
            when,
            schema: Ref::from_schema_name(schema).into(),
            reply: reply.into(),
        }
    }

    fn status(&self) -> StatusCode {
        self.reply.answer.status
    }

    fn media(&self) -> Media {
        self.reply.answer.media
    }

    fn value(&self) -> Value {
        let bytes = self.reply.answer.body.clone().with_id(ID);
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes)))
    }
}

/// What an endpoint answers: one entry a status.
pub(super) fn responses(
    route: Route,
    shown: &[Shown],
    links: &[(&'static str, Link)],
) -> Responses {
    let mut by_status: BTreeMap<StatusCode, Vec<&Shown>> = BTreeMap::new();
    for one in shown {
        by_status.entry(one.status()).or_default().push(one);
    }
    let responses = by_status.into_iter().map(|(status, shown)| {
        let mut response = response(Some(route), &shown);
        if status.is_success() {
            for (name, link) in links {
                response
                    .links
                    .insert((*name).to_owned(), link.clone().into());
            }
        }
        (status.as_str().to_owned(), response)
    });
    ResponsesBuilder::new()
        .responses_from_iter(responses)
        .build()
}

/// An answer that belongs to no endpoint.
pub(super) fn of_any_path(when: &'static str, error: ApiError) -> Response {
    let shown = Shown::new("error", when, schemas::ERROR, error);
    response(None, &[&shown])
}

/// The same without bodies: for `HEAD`.
pub(super) fn without_bodies(mut responses: Responses) -> Responses {
    for response in responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            response.content.clear();
            response.links.clear();
        }
    }
    responses
}

fn response(route: Option<Route>, shown: &[&Shown]) -> Response {
    let mut when: Vec<_> = shown.iter().map(|shown| shown.when).collect();
    when.dedup();
    let mut response = ResponseBuilder::new().description(when.join(" "));
    let own = shown.iter().flat_map(|shown| &shown.reply.headers);
    let own: Vec<HeaderName> = own.map(|(name, _)| name.clone()).collect();
    let names = headers::of_every_response(route).into_iter().chain(own);
    for title in names.filter_map(|name| headers::title(&name)) {
        let header = Ref::new(format!("#/components/headers/{title}"));
        response = response.header_ref(title, header);
    }
    for media in [
        Media::Json,
        Media::HealthJson,
        Media::Prometheus,
        Media::Html,
    ] {
        let shown: Vec<_> = shown
            .iter()
            .copied()
            .filter(|one| one.media() == media)
            .collect();
        if !shown.is_empty() {
            response = response.content(media.as_str(), content(&shown));
        }
    }
    response.build()
}

fn content(shown: &[&Shown]) -> Content {
    let mut kinds: Vec<(&RefOr<Schema>, BTreeSet<&'static str>)> = Vec::new();
    for one in shown {
        let code = one.reply.code.map(Code::as_str);
        match kinds.iter_mut().find(|(schema, _)| **schema == one.schema) {
            Some((_, codes)) => codes.extend(code),
            None => kinds.push((&one.schema, code.into_iter().collect())),
        }
    }
    let mut kinds: Vec<_> = kinds
        .into_iter()
        .map(|(schema, codes)| with_codes(schema, codes))
        .collect();
    let schema = if kinds.len() == 1 {
        kinds.remove(0)
    } else {
        let any = AnyOfBuilder::new().schema_type(SchemaType::AnyValue);
        kinds.into_iter().fold(any, AnyOfBuilder::item).into()
    };
    let examples = shown.iter().map(|shown| {
        let example = ExampleBuilder::new()
            .summary(shown.when)
            .value(Some(shown.value()));
        (shown.name, example)
    });
    ContentBuilder::new()
        .schema(Some(schema))
        .examples_from_iter(examples)
        .build()
}

/// `schema`, of whose error only these codes can be meant.
fn with_codes(schema: &RefOr<Schema>, codes: BTreeSet<&'static str>) -> RefOr<Schema> {
    if codes.is_empty() {
        return schema.clone();
    }
    let code = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes));
    let error = ObjectBuilder::new().property("code", code);
    AllOfBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .item(schema.clone())
        .item(ObjectBuilder::new().property("error", error))
        .into()
}
