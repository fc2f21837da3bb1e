//! The objects with one member a check.

use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, AnyOfBuilder, ArrayBuilder, Object, ObjectBuilder, Schema,
    SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

use super::{CHECK_DETAIL, COMPONENT, Schemas};
use crate::answers::health_json;
use crate::registry::Info;

/// An object with one member a check: all of them, or one.
pub(super) struct PerCheck {
    pub(super) all: &'static str,
    pub(super) one: &'static str,
}

pub(super) const CHECKS: PerCheck = PerCheck {
    all: "Checks",
    one: "OneCheck",
};
pub(super) const DETAILS: PerCheck = PerCheck {
    all: "CheckDetails",
    one: "OneCheckDetails",
};
pub(super) const MEASUREMENTS: PerCheck = PerCheck {
    all: "Measurements",
    one: "OneMeasurement",
};

/// Adds all of them.
pub(super) fn insert_all(all: &mut Schemas, infos: &[Info]) {
    let plain = |info: &Info| info.name.to_owned();
    let boolean = RefOr::from(Object::with_type(Type::Boolean));
    insert(all, &CHECKS, infos, plain, &boolean, |_| boolean.clone());
    let detail = RefOr::from(Ref::from_schema_name(CHECK_DETAIL));
    insert(all, &DETAILS, infos, plain, &detail, detail_of);
    let measured = RefOr::from(
        ArrayBuilder::new()
            .items(Ref::from_schema_name(COMPONENT))
            .min_items(Some(1))
            .max_items(Some(1))
            .build(),
    );
    let key = |info: &Info| health_json::key(info.name);
    insert(all, &MEASUREMENTS, infos, key, &measured, |_| {
        measured.clone()
    });
}

fn insert(
    all: &mut Schemas,
    names: &PerCheck,
    infos: &[Info],
    key: fn(&Info) -> String,
    other: &RefOr<Schema>,
    value: impl Fn(&Info) -> RefOr<Schema>,
) {
    let members = infos.iter().fold(ObjectBuilder::new(), |object, info| {
        object.property(key(info), value(info))
    });
    let members = members.additional_properties(Some(AdditionalProperties::RefOr(other.clone())));
    let mut every = members.build();
    let mut one = every.clone();
    one.description = Some("One member: the check that was asked for.".to_owned());
    one.min_properties = Some(1);
    one.max_properties = Some(1);
    all.insert(names.one.to_owned(), one.into());
    every.description = Some("One member a check. Later versions may add further ones.".to_owned());
    every.required = infos.iter().map(key).collect();
    all.insert(names.all.to_owned(), every.into());
}

/// A detail with the data of this check.
fn detail_of(info: &Info) -> RefOr<Schema> {
    let nothing = ObjectBuilder::new().schema_type(Type::Null);
    let data = AnyOfBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .item(Ref::from_schema_name(info.data.name()))
        .item(nothing);
    AllOfBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .item(Ref::from_schema_name(CHECK_DETAIL))
        .item(ObjectBuilder::new().property("data", data))
        .into()
}
