//! Holds answers to the OpenAPI document: every answer that a test reads from the service passes here, so
//! that each existing test proves the document, too. An answer that the document does not know is a failure.
//!
//! Stricter than the document, which leaves room for what later versions add: a member or a header that is
//! not documented fails.

mod strict;
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use infra_health::checks;
use infra_health::http::openapi::document;
use jsonschema::{Registry, Validator};
use serde_json::{Map, Value, json};

const URI: &str = "urn:openapi";

/// Of the protocol, not of the contract.
const PROTOCOL: &[&str] = &["connection", "content-length", "content-type", "date"];

/// An answer and what was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a [u8],
}

impl Exchange<'_> {
    /// Fails the test unless the document has this answer.
    pub(crate) fn check(self) {
        if let Err(fault) = CONTRACT.judge(self) {
            panic!(
                "not as the OpenAPI document says: {fault}\n{} {} was answered {} {:?}\n{}",
                self.method,
                self.target,
                self.status,
                self.headers,
                String::from_utf8_lossy(self.body)
            );
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Without the query, and the host of a request to a proxy.
    fn path(&self) -> &str {
        let path = self.target.split('?').next().unwrap();
        match path.split_once("://") {
            Some((_, rest)) => &rest[rest.find('/').unwrap()..],
            None => path,
        }
    }
}

/// The fields of an answer's head, names in lower case.
pub(crate) fn fields(head: &str) -> Vec<(String, String)> {
    let lines = head.split("\r\n").skip(1).filter(|line| !line.is_empty());
    let fields = lines.map(|line| line.split_once(':').expect("a field"));
    fields
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::new);

/// The document with its schemas compiled, by their place in it.
struct Contract {
    document: Value,
    schemas: BTreeMap<String, Validator>,
}

impl Contract {
    fn new() -> Self {
        let document = serde_json::from_str(&document(&checks::unconfigured())).unwrap();
        let strict = strict::closed(&document);
        let registry = Registry::new().add(URI, &strict).unwrap();
        let registry = registry.prepare().unwrap();
        let mut places = BTreeSet::new();
        collect_schemas(&document, "", &mut places);
        let compile = |place: &String| {
            jsonschema::options()
                .with_registry(&registry)
                .should_validate_formats(true)
                .build(&json!({"$ref": format!("{URI}#{}", in_uri(place))}))
                .unwrap_or_else(|error| panic!("{place}: {error}"))
        };
        let schemas = places
            .iter()
            .map(|place| (place.clone(), compile(place)))
            .collect();
        Contract { document, schemas }
    }

    fn judge(&self, exchange: Exchange<'_>) -> Result<(), String> {
        let response = self.response(exchange)?;
        let told = self.document.pointer(&response);
        let told = told.ok_or_else(|| format!("nothing is at {response}"))?;
        self.headers(exchange, &response, told)?;
        self.body(exchange, &response, told)
    }

    /// Where the document tells of this status.
    fn response(&self, exchange: Exchange<'_>) -> Result<String, String> {
        let status = exchange.status;
        let paths = self.document["paths"].as_object().unwrap();
        let path = paths
            .keys()
            .filter(|template| fits(template, exchange.path()))
            .min_by_key(|template| template.contains('{'));
        let not_found = status == 404 && code(exchange.body).as_deref() == Some("not_found");
        let Some(path) = path else {
            return match status {
                404 => Ok("/components/responses/NotFound".to_owned()),
                429 => Ok("/components/responses/TooManyRequests".to_owned()),
                _ => Err("the path is none of the document's".to_owned()),
            };
        };
        // On a listener that has some of the paths only.
        let message = String::from_utf8_lossy(exchange.body);
        if not_found
            && !message.contains(&format!(" {path};"))
            && !message.contains(&format!(" {path}\""))
        {
            return Ok("/components/responses/NotFound".to_owned());
        }
        let operations = paths[path].as_object().unwrap();
        let asked = exchange.method.to_ascii_lowercase();
        let method = match operations.contains_key(&asked) {
            true => asked,
            // What other methods are answered is told with each of the path's own.
            false if status == 405 => operations.keys().next().unwrap().clone(),
            // Of a path that is not configured; a body would say so.
            false if status == 404 && asked == "head" => {
                return Ok("/components/responses/NotFound".to_owned());
            }
            false if status == 429 => return Ok("/components/responses/TooManyRequests".to_owned()),
            false => return Err("no such method, and the status is not 405".to_owned()),
        };
        let responses = place(&["paths", path, &method, "responses"]);
        let known = self.document.pointer(&responses).unwrap();
        match known.get(status.to_string()) {
            Some(_) => Ok(format!("{responses}/{status}")),
            None => Err(format!("{responses} has no {status}")),
        }
    }

    fn headers(&self, exchange: Exchange<'_>, place: &str, told: &Value) -> Result<(), String> {
        // What is answered to any path may be that of an endpoint whose form follows `Accept`.
        let may_vary = place.starts_with("/components/");
        let none = Map::new();
        let told = told["headers"].as_object().unwrap_or(&none);
        for (name, header) in told {
            let header_place = match header["$ref"].as_str() {
                Some(reference) => reference.trim_start_matches('#').to_owned(),
                None => format!("{place}/headers/{name}"),
            };
            let required = self.document.pointer(&header_place).unwrap()["required"] == true;
            let value = match exchange.header(&name.to_ascii_lowercase()) {
                Some(value) => value,
                None if required => return Err(format!("{place}: no header {name}")),
                None => continue,
            };
            let schema = format!("{header_place}/schema");
            let number = self.document.pointer(&schema).unwrap()["type"] == "integer";
            let number = value.parse::<u64>().ok().filter(|_| number);
            let value = number.map_or_else(|| Value::from(value), Value::from);
            self.schemas[&schema]
                .validate(&value)
                .map_err(|error| format!("header {name}: {error}"))?;
        }
        for (name, _) in exchange.headers {
            let documented = told.keys().any(|told| told.eq_ignore_ascii_case(name));
            let documented = documented || (may_vary && name == "vary");
            if !documented && !PROTOCOL.contains(&name.as_str()) {
                return Err(format!("{place}: header {name} is not documented"));
            }
        }
        Ok(())
    }

    fn body(&self, exchange: Exchange<'_>, place: &str, told: &Value) -> Result<(), String> {
        let media = exchange.header("content-type").unwrap_or_default();
        if exchange.method == "HEAD" {
            // Told of without a body; what it would be is told with GET.
            let get = place.replace("/head/", "/get/");
            let known = self.document.pointer(&format!("{get}/content"));
            return match known.and_then(|known| known.get(media)) {
                Some(_) if exchange.body.is_empty() => Ok(()),
                Some(_) => Err("HEAD has a body".to_owned()),
                None => Err(format!("{get} is not told of as {media}")),
            };
        }
        if told["content"].get(media).is_none() {
            return Err(format!("{place} is not told of as {media}"));
        }
        let body: Value = if media.ends_with("json") {
            serde_json::from_slice(exchange.body).map_err(|error| error.to_string())?
        } else {
            Value::from(String::from_utf8_lossy(exchange.body))
        };
        let schema = format!("{place}/content/{}/schema", escaped(media));
        let faults = self.schemas[&schema].iter_errors(&body);
        let faults: Vec<_> = faults
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(format!("{schema}: {}", faults.join("; ")))
        }
    }
}

/// A JSON pointer.
fn place(steps: &[&str]) -> String {
    steps
        .iter()
        .flat_map(|step| ["/".to_owned(), escaped(step)])
        .collect()
}

/// Of what our pointers have, only braces and spaces may not stand in a URI.
fn in_uri(pointer: &str) -> String {
    let pointer = pointer.replace(' ', "%20");
    pointer.replace('{', "%7B").replace('}', "%7D")
}

fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

fn code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body["error"]["code"].as_str().map(str::to_owned)
}

/// Whether a path is one of a template, whose parameters are whole segments.
fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut found) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) => {
                let parameter = wanted.starts_with('{') && !found.is_empty();
                if wanted != found && !parameter {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// Where schemas of bodies and headers stand.
fn collect_schemas(value: &Value, here: &str, places: &mut BTreeSet<String>) {
    if ["/components/schemas", "/components/securitySchemes"].contains(&here)
        || here.ends_with("/examples")
    {
        return;
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let inner_place = format!("{here}/{}", escaped(name));
        if name == "schema" {
            places.insert(inner_place);
        } else {
            collect_schemas(inner, &inner_place, places);
        }
    }
}
