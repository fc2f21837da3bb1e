//! The schemas of the answers, for documents: derived from the types that are rendered, and completed with
//! what only the list of checks knows.

mod per_check;

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{
    Array, ArrayBuilder, Object, ObjectBuilder, RefBuilder, Schema, Type,
};
use utoipa::openapi::{Ref, RefOr};

use super::details::Detail;
use super::health::HealthBody;
use super::health_json::{Component, HealthJson};
use super::probes::{NotReadyBody, ReadyBody};
use super::{ErrorBody, Fault};
use crate::registry::Info;
use per_check::{CHECKS, DETAILS, MEASUREMENTS};

/// `/health`.
pub const HEALTH: &str = "Health";
/// A 503 of `/health`.
pub const DEGRADED_HEALTH: &str = "DegradedHealth";
/// `/health/{check}`.
pub const CHECK_HEALTH: &str = "CheckHealth";
/// A 503 of `/health/{check}`.
pub const FAILED_CHECK_HEALTH: &str = "FailedCheckHealth";
/// `/health` as `application/health+json`.
pub const HEALTH_JSON: &str = "HealthJson";
/// A 503 of `/health` as `application/health+json`.
pub const DEGRADED_HEALTH_JSON: &str = "DegradedHealthJson";
/// `/health/{check}` as `application/health+json`.
pub const CHECK_HEALTH_JSON: &str = "CheckHealthJson";
/// A 503 of `/health/{check}` as `application/health+json`.
pub const FAILED_CHECK_HEALTH_JSON: &str = "FailedCheckHealthJson";
/// A 200 of `/livez` and `/readyz`.
pub const READY: &str = "Ready";
/// Their 503.
pub const NOT_READY: &str = "NotReady";
/// Every other error.
pub const ERROR: &str = "Error";
/// The name of a check.
pub const CHECK_NAME: &str = "CheckName";
/// The machine words of errors; its schema is theirs who know them.
pub const ERROR_CODE: &str = "ErrorCode";

const REASON_CODE: &str = "ReasonCode";
const ERROR_OBJECT: &str = "ErrorObject";
const CHECK_DETAIL: &str = "CheckDetail";
const COMPONENT: &str = "HealthJsonComponent";

pub(super) fn name() -> Ref {
    Ref::from_schema_name(CHECK_NAME)
}

pub(super) fn excluded() -> Array {
    names("Checks that are shown and do not count; absent when all count.")
}

pub(super) fn fresh() -> Array {
    names(
        "After a refresh: the checks whose results are of it, or of one under way that it joined.",
    )
}

fn names(description: &str) -> Array {
    ArrayBuilder::new()
        .items(name())
        .description(Some(description))
        .build()
}

pub(super) fn booleans() -> Ref {
    Ref::from_schema_name(CHECKS.all)
}

pub(super) fn details() -> Ref {
    Ref::from_schema_name(DETAILS.all)
}

pub(super) fn measurements() -> Ref {
    Ref::from_schema_name(MEASUREMENTS.all)
}

pub(super) fn reason() -> Ref {
    Ref::from_schema_name(REASON_CODE)
}

pub(super) fn error_code() -> Ref {
    Ref::from_schema_name(ERROR_CODE)
}

pub(super) type Schemas = BTreeMap<String, RefOr<Schema>>;

/// All of them, for these checks.
pub fn all(infos: &[Info]) -> Schemas {
    let mut all = Schemas::new();
    derived::<HealthBody<'_>>(&mut all);
    derived::<HealthJson<'_>>(&mut all);
    derived::<Component>(&mut all);
    derived::<Detail<'_>>(&mut all);
    derived::<ReadyBody>(&mut all);
    derived::<NotReadyBody>(&mut all);
    derived::<ErrorBody<'_>>(&mut all);
    derived::<Fault<'_>>(&mut all);
    #[cfg(feature = "jobs")]
    super::jobs::schemas(&mut all);
    for info in infos {
        all.extend(info.data.all());
    }
    all.insert(CHECK_NAME.to_owned(), check_name(infos).into());
    all.insert(REASON_CODE.to_owned(), reason_code(infos).into());
    per_check::insert_all(&mut all, infos);
    variants(&mut all);
    all
}

pub(super) fn derived<T: ToSchema>(all: &mut Schemas) {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    all.extend(parts);
    all.insert(T::name().into_owned(), T::schema());
}

fn check_name(infos: &[Info]) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("The name of a check of this build."))
        .enum_values(Some(infos.iter().map(|info| info.name)))
        .build()
}

fn reason_code(infos: &[Info]) -> Object {
    let mut codes: Vec<_> = infos
        .iter()
        .flat_map(Info::all_reasons)
        .map(|reason| reason.code)
        .chain(["ok"])
        .collect();
    codes.sort_unstable();
    codes.dedup();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "What is the case; one code for one remedy. Later versions may add further ones.",
        ))
        .enum_values(Some(codes))
        .build()
}

/// Bodies that are another one with an error, or for one check.
fn variants(all: &mut Schemas) {
    for (of, one, failed, failed_one) in [
        (HEALTH, CHECK_HEALTH, DEGRADED_HEALTH, FAILED_CHECK_HEALTH),
        (
            HEALTH_JSON,
            CHECK_HEALTH_JSON,
            DEGRADED_HEALTH_JSON,
            FAILED_CHECK_HEALTH_JSON,
        ),
    ] {
        let whole = object(all, of);
        let single = narrowed(whole.clone());
        all.insert(failed.to_owned(), with_error(whole).into());
        all.insert(failed_one.to_owned(), with_error(single.clone()).into());
        all.insert(one.to_owned(), single.into());
    }
    let not_ready = with_error(object(all, NOT_READY));
    all.insert(NOT_READY.to_owned(), not_ready.into());
}

/// The derived schema of that name; those that variants are made of are objects.
fn object(all: &Schemas, name: &str) -> Object {
    match all.get(name) {
        Some(RefOr::T(Schema::Object(object))) => object.clone(),
        _ => Object::new(),
    }
}

fn narrowed(mut object: Object) -> Object {
    for names in [CHECKS, DETAILS, MEASUREMENTS] {
        let all = RefOr::from(Ref::from_schema_name(names.all));
        for schema in object.properties.values_mut() {
            if *schema == all {
                *schema = Ref::from_schema_name(names.one).into();
            }
        }
    }
    // It counts alone, and a refresh is of all.
    object.properties.remove("excluded");
    object.properties.remove("fresh");
    object.description = Some("One check; `status` is about it alone.".to_owned());
    object
}

fn with_error(mut object: Object) -> Object {
    let error = RefBuilder::new()
        .ref_location_from_schema_name(ERROR_OBJECT)
        .build();
    object.properties.insert("error".to_owned(), error.into());
    object.required.insert(0, "error".to_owned());
    let what = object.description.take().unwrap_or_default();
    object.description = Some(format!("{what} With `error`, as every answer but 2xx."));
    object
}

/// The example that a check's data type shows, if it has one.
pub(super) fn example(info: &Info) -> Option<Value> {
    match info.data.all().into_iter().next()? {
        (_, RefOr::T(Schema::Object(object))) => object.examples.into_iter().next(),
        _ => None,
    }
}
