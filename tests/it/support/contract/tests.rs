//! A test of the tests.

use std::collections::BTreeMap;

use super::{CONTRACT, Exchange};

const PLAIN: &str = r#"{"status":"healthy","checks":{"api":true,"runpod_configured":true,"r2_configured":true},"checked_at":null}"#;
const ERROR: &str = r#"{"error":{"code":"invalid_request","message":"m","request_id":"req_1"}}"#;

/// Without a fault, then with what a case changes.
#[derive(Clone, Copy)]
struct Case<'a> {
    asked: &'a str,
    status: u16,
    /// A field and its value; empty: without it.
    header: (&'a str, &'a str),
    body: &'a str,
}

const GOOD: Case<'_> = Case {
    asked: "GET /health?x",
    status: 200,
    header: ("date", "now"),
    body: PLAIN,
};
const REFUSED: Case<'_> = Case {
    status: 400,
    body: ERROR,
    ..GOOD
};

fn judged(case: Case<'_>) -> Result<(), String> {
    let mut headers = BTreeMap::from([
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-request-id", "req_1"),
        ("vary", "accept"),
    ]);
    headers.insert(case.header.0, case.header.1);
    headers.retain(|_, value| !value.is_empty());
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let headers: Vec<_> = headers.into_iter().map(own).collect();
    let (method, target) = case.asked.split_once(' ').unwrap();
    CONTRACT.judge(Exchange {
        method,
        target,
        status: case.status,
        headers: &headers,
        body: case.body.as_bytes(),
    })
}

#[test]
fn answers_of_the_document_pass() {
    let head = Case {
        asked: "HEAD /health",
        body: "",
        ..GOOD
    };
    for case in [GOOD, REFUSED, head] {
        assert_eq!(judged(case), Ok(()));
    }
}

#[test]
fn every_other_answer_is_named() {
    let asked = |asked| Case { asked, ..GOOD };
    let header = |name, value| Case {
        header: (name, value),
        ..GOOD
    };
    for (fault, case) in [
        ("none of the document's", asked("GET /nowhere")),
        ("no such method", asked("PUT /health")),
        ("HEAD has a body", asked("HEAD /health")),
        ("/checks", asked("GET /health/api")),
        (
            "has no 418",
            Case {
                status: 418,
                ..GOOD
            },
        ),
        ("no header X-Request-Id", header("x-request-id", "")),
        ("header X-Request-Id", header("x-request-id", "a b")),
        ("no header Vary", header("vary", "")),
        ("server is not documented", header("server", "x")),
        (
            "not told of as text/html",
            header("content-type", "text/html"),
        ),
    ] {
        let found = judged(case).expect_err(fault);
        assert!(found.contains(fault), "{fault}: {found}");
    }
}

#[test]
fn every_other_body_is_named() {
    for (fault, case, old, new) in [
        ("checked_at", GOOD, "null", "7"),
        ("checked_at", GOOD, "null", "\"soon\""),
        ("checked_at", GOOD, "checked_at", "checked"),
        ("/checks/api", GOOD, "true,", "1,"),
        ("r2_configured", GOOD, ",\"r2_configured\":true", ""),
        ("further", GOOD, "null", "null,\"further\":1"),
        ("not_found", REFUSED, "invalid_request", "not_found"),
        ("deep", REFUSED, "\"m\"", "\"m\",\"deep\":1"),
        ("further", REFUSED, "}}", "},\"further\":1}"),
    ] {
        let body = case.body.replace(old, new);
        let found = judged(Case {
            body: &body,
            ..case
        })
        .expect_err(fault);
        assert!(found.contains(fault), "{fault}: {found}");
    }
}
