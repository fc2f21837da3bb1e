use std::collections::BTreeSet;

use jsonschema::Registry;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::*;
use crate::checks;
use crate::http::endpoints::{Counted, Endpoint};

const URI: &str = "urn:openapi";

fn parsed() -> Value {
    serde_json::from_str(&document(&checks::unconfigured())).unwrap()
}

/// Every value under `key`, wherever it is, with its place.
fn found<'a>(value: &'a Value, key: &str, here: &str, all: &mut Vec<(String, &'a Value)>) {
    let (objects, arrays) = (value.as_object(), value.as_array());
    for (name, inner) in objects.into_iter().flatten() {
        let step = name.replace('~', "~0").replace('/', "~1");
        let place = format!("{here}/{step}");
        if name == key {
            all.push((place.clone(), inner));
        }
        found(inner, key, &place, all);
    }
    for (index, inner) in arrays.into_iter().flatten().enumerate() {
        found(inner, key, &format!("{here}/{index}"), all);
    }
}

fn all<'a>(document: &'a Value, key: &str) -> Vec<(String, &'a Value)> {
    let mut all = Vec::new();
    found(document, key, "", &mut all);
    all
}

#[test]
fn it_is_openapi_31_of_the_contracts_version() {
    let document = parsed();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], CONTRACT_VERSION);
    assert_eq!(document["info"]["license"]["identifier"], "MIT");
    assert_eq!(document["servers"], json!([{"url": "/"}]));
}

#[test]
fn every_endpoint_is_told_with_all_of_its_methods_under_names_of_their_own() {
    let document = parsed();
    let paths = document["paths"].as_object().unwrap();
    let endpoints: Vec<&Endpoint> = Scope::DOCUMENTED.endpoints().collect();
    assert_eq!(paths.len(), endpoints.len());
    let mut ids = BTreeSet::new();
    for endpoint in endpoints {
        let operations = paths[endpoint.path].as_object().unwrap();
        let methods: BTreeSet<_> = operations.keys().map(|m| m.to_uppercase()).collect();
        let allowed = endpoint.methods.allow().split(", ").map(str::to_owned);
        assert_eq!(methods, allowed.collect(), "{}", endpoint.path);
        for operation in operations.values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "two are named {id}");
            let limited = operation["responses"].get("429").is_some();
            assert_eq!(limited, endpoint.counted != Counted::Never, "{id}");
        }
        let answers = operations.get("head").map(|head| &head["responses"]);
        for answer in answers.and_then(Value::as_object).into_iter().flatten() {
            assert_eq!(answer.1.get("content"), None, "HEAD {}", endpoint.path);
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = parsed();
    let references = all(&document, "$ref");
    assert!(references.len() > 100);
    for (place, reference) in references {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{place}: {reference}");
    }
}

#[test]
fn every_schema_and_every_header_is_used() {
    let document = parsed();
    let used: BTreeSet<_> = all(&document, "$ref")
        .into_iter()
        .map(|(_, reference)| reference.as_str().unwrap().to_owned())
        .collect();
    for kind in ["schemas", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference), "{reference}");
        }
    }
}

#[test]
fn the_codes_of_examples_and_the_codes_of_the_type_are_the_same() {
    let document = parsed();
    assert_eq!(Code::name(), schemas::ERROR_CODE);
    let known = &document["components"]["schemas"][schemas::ERROR_CODE]["enum"];
    let known = known.as_array().unwrap().iter().filter_map(Value::as_str);
    let errors = all(&document, "error").into_iter();
    // A job's own error has no request.
    let errors = errors.filter(|(_, error)| error.get("request_id").is_some());
    let shown = errors.filter_map(|(_, error)| error.get("code")?.as_str());
    // Of a build without the job room there is nothing that could answer these.
    let of_jobs = [
        Code::UnsupportedMediaType,
        Code::InvalidSignature,
        Code::JobNotFound,
        Code::Unavailable,
    ];
    let of_jobs = of_jobs.iter().filter(|_| cfg!(not(feature = "jobs")));
    let shown: BTreeSet<_> = shown.chain(of_jobs.map(|code| code.as_str())).collect();
    assert_eq!(shown, known.collect());
}

/// Of bodies, headers, parameters and schemas.
#[test]
fn every_answer_has_an_example_and_every_example_is_of_its_schema() {
    let document = parsed();
    let registry = Registry::new().add(URI, &document).unwrap();
    let registry = registry.prepare().unwrap();
    let check = |schema: &str, example: &Value| {
        let pointer = schema.replace(' ', "%20");
        let pointer = pointer.replace('{', "%7B").replace('}', "%7D");
        let validator = jsonschema::options()
            .with_registry(&registry)
            .should_validate_formats(true)
            .build(&json!({"$ref": format!("{URI}#{pointer}")}))
            .unwrap();
        let faults: Vec<_> = validator
            .iter_errors(example)
            .map(|e| e.to_string())
            .collect();
        assert!(faults.is_empty(), "{schema}: {faults:?}\n{example}");
    };
    let mut examples = 0;
    for (place, content) in all(&document, "content") {
        for (media, told) in content.as_object().unwrap() {
            let schema = format!("{place}/{}/schema", media.replace('/', "~1"));
            let shown = told["examples"].as_object().expect(&place);
            assert!(!shown.is_empty(), "{schema}");
            for example in shown.values() {
                check(&schema, &example["value"]);
                examples += 1;
            }
        }
    }
    for (place, example) in all(&document, "example") {
        check(&place.replace("/example", "/schema"), example);
        examples += 1;
    }
    let own = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in own {
        for example in schema
            .get("examples")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            check(&format!("/components/schemas/{name}"), example);
            examples += 1;
        }
    }
    assert!(examples > 50, "{examples} examples");
}

#[test]
fn every_header_of_every_example_is_told_of() {
    for endpoint in Scope::DOCUMENTED.endpoints() {
        for shown in errors::of(endpoint) {
            for (name, _) in &shown.reply.headers {
                assert!(headers::title(name).is_some(), "{name}");
            }
        }
    }
}

#[test]
fn a_further_check_stands_in_the_document_by_itself() {
    struct Further;
    #[derive(serde::Serialize, ToSchema)]
    struct FurtherData {
        depth: u32,
    }
    impl crate::check::Report for FurtherData {}
    impl crate::check::Check for Further {
        const NAME: &'static str = "further";
        const REASONS: &'static [&'static crate::reason::Reason] = &[];
        type Data = FurtherData;
        async fn run(&mut self, _: &crate::check::Context) -> crate::check::Outcome<FurtherData> {
            crate::check::Outcome::pass().with_data(FurtherData { depth: 1 })
        }
    }
    let mut infos = checks::unconfigured();
    infos.push(Info::of::<Further>(crate::config::Policy::default()));
    let document: Value = serde_json::from_str(&super::document(&infos)).unwrap();
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Checks"]["required"][3], "further");
    assert_eq!(schemas["CheckName"]["enum"][3], "further");
    assert_eq!(schemas["FurtherData"]["required"], json!(["depth"]));
    assert!(schemas["Measurements"]["properties"]["further:responseTime"].is_object());
}
