//! A check's own data, for people. Its shape is the check's: this knows none of its members.

use maud::{Markup, html};
use serde_json::{Map, Value};

/// Nested deeper than this, it is shown as JSON.
const DEPTH: usize = 5;

pub(super) fn markup(data: &Value) -> Markup {
    value(data, DEPTH)
}

fn value(data: &Value, depth: usize) -> Markup {
    match data {
        Value::Null => html! { "–" },
        Value::Bool(true) => html! { "yes" },
        Value::Bool(false) => html! { "no" },
        Value::Number(number) => html! { (number) },
        Value::String(text) => html! { (text) },
        Value::Array(_) | Value::Object(_) if depth == 0 => html! { code { (data) } },
        Value::Array(values) if values.is_empty() => html! { "none" },
        Value::Array(values) => html! {
            ul { @for each in values { li { (value(each, depth - 1)) } } }
        },
        Value::Object(members) => object(members, depth - 1),
    }
}

fn object(members: &Map<String, Value>, depth: usize) -> Markup {
    html! {
        dl {
            @for (name, each) in members {
                div.deep[!fits_a_line(each)] { dt { (words(name)) } dd { (inline(each, depth)) } }
            }
        }
    }
}

/// Counts by name stand in one line: `idle 2 · running 0`.
fn inline(data: &Value, depth: usize) -> Markup {
    match data {
        Value::Object(members) if fits_a_line(data) => html! {
            @for (index, (name, each)) in members.iter().enumerate() {
                @if index > 0 { " · " }
                span.pair { (words(name)) " " b { (value(each, 0)) } }
            }
        },
        other => value(other, depth),
    }
}

fn fits_a_line(data: &Value) -> bool {
    let is_plain = |value: &Value| !value.is_array() && !value.is_object();
    match data {
        Value::Object(members) => members.values().all(is_plain),
        Value::Array(values) => values.iter().all(is_plain),
        _ => true,
    }
}

/// `in_progress` is `in progress`.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_escaped_and_depth_is_bounded() {
        let hostile = json!({"<b>": {"<i>": "</script><img src=x onerror=alert(1)>"}});
        let shown = markup(&hostile).into_string();
        for mark in ["<b><", "<i>", "<img", "</script"] {
            assert!(!shown.contains(mark), "{shown}");
        }
        assert!(shown.contains("&lt;/script&gt;&lt;img src=x"), "{shown}");

        let mut deep = json!("end");
        for _ in 0..200 {
            deep = json!([{ "a": deep }]);
        }
        let shown = markup(&deep).into_string();
        assert!(shown.contains("<code>") && shown.contains("end"), "{shown}");
        assert!(shown.matches("<dl>").count() <= DEPTH, "{shown}");
    }
}
