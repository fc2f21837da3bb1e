//! One endpoint as operations of its path.

use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, PathItem, PathItemBuilder};

use super::answers::Answers;
use super::responses::{responses, without_bodies};
use super::words::{links, security, words};
use super::{errors, parameters, requests};
use crate::http::endpoints::{Endpoint, Methods};
use crate::registry::Info;

/// What there is to tell about, with these checks.
pub(super) struct Described<'a> {
    infos: &'a [Info],
    answers: Answers<'a>,
}

impl<'a> Described<'a> {
    pub(super) fn new(infos: &'a [Info]) -> Self {
        Described {
            infos,
            answers: Answers::new(infos),
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
        let mut shown = self.answers.of(endpoint.route);
        shown.extend(errors::of(endpoint));
        OperationBuilder::new()
            .operation_id(Some(words.id))
            .tag(words.tag)
            .summary(Some(words.summary))
            .description(Some(words.description))
            .parameters(Some(parameters::of(endpoint.route, self.infos)))
            .request_body(requests::body(endpoint.route))
            .responses(responses(endpoint.route, &shown, &links(endpoint.route)))
            .securities(Some(security(endpoint.credentials)))
            .build()
    }
}
