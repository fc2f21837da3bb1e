//! Which form of an answer the caller asks for. JSON is what everybody gets who names nothing else: a
//! malformed `Accept`, `*/*` and any other type never fail a request.

use http::HeaderValue;
use mediatype::{MediaType, MediaTypeList, Name, ReadParams};

/// A quality in thousandths; 0 is "not this".
type Quality = u16;

/// How much the caller wants each form that an endpoint can have, of what it names itself; a wildcard
/// names nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Accepts {
    json: Quality,
    health_json: Quality,
    html: Quality,
}

impl Accepts {
    /// Takes in one `Accept` field. Elements that are malformed say nothing.
    pub(super) fn add(&mut self, value: &HeaderValue) {
        // What curl and most monitors send.
        if value == "*/*" {
            return;
        }
        let Ok(text) = value.to_str() else { return };
        for media in MediaTypeList::new(text).flatten() {
            let wanted = quality(&media);
            let form = match (media.ty.as_str(), media.subty.as_str(), media.suffix) {
                (ty, subty, None) if is(ty, "application") && is(subty, "json") => &mut self.json,
                (ty, subty, Some(suffix))
                    if is(ty, "application")
                        && is(subty, "health")
                        && is(suffix.as_str(), "json") =>
                {
                    &mut self.health_json
                }
                (ty, subty, None) if is(ty, "text") && is(subty, "html") => &mut self.html,
                _ => continue,
            };
            *form = wanted.max(*form);
        }
    }

    /// Whether `application/health+json` is named, and not less than plain JSON.
    pub(super) fn health_json(self) -> bool {
        self.health_json > 0 && self.health_json >= self.json
    }

    /// Whether `text/html` is named, and not less than plain JSON.
    pub(super) fn html(self) -> bool {
        self.html > 0 && self.html >= self.json
    }
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

/// RFC 9110, section 12.4.2: 0 to 1 with three decimals at most, 1 when absent. A malformed weight is 0, so
/// that the element says nothing.
fn quality(media: &MediaType<'_>) -> Quality {
    let Some(weight) = media.get_param(Name::new_unchecked("q")) else {
        return 1000;
    };
    let (whole, decimals) = weight
        .as_str()
        .split_once('.')
        .unwrap_or((weight.as_str(), ""));
    let fits = decimals.len() <= 3 && decimals.bytes().all(|digit| digit.is_ascii_digit());
    match (whole, fits) {
        ("0", true) => format!("{decimals:0<3}").parse().unwrap_or(0),
        ("1", true) if decimals.bytes().all(|digit| digit == b'0') => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(fields: &[&str]) -> (bool, bool) {
        let mut accepts = Accepts::default();
        for field in fields {
            accepts.add(&HeaderValue::from_bytes(field.as_bytes()).unwrap());
        }
        (accepts.health_json(), accepts.html())
    }

    #[test]
    fn a_form_is_given_to_those_who_name_it() {
        for (field, health_json, html) in [
            ("application/health+json", true, false),
            ("Application/Health+JSON; charset=utf-8", true, false),
            ("application/health+json;q=0.3, */*", true, false),
            (
                "application/json;q=0.5, application/health+json",
                true,
                false,
            ),
            ("application/json, application/health+json", true, false),
            (
                "application/health+json;q=0.5, application/json",
                false,
                false,
            ),
            // Named twice, the greater counts.
            (
                "application/json;q=0.9, application/json;q=0.2, application/health+json;q=0.5",
                false,
                false,
            ),
            ("application/health+json;q=0", false, false),
            ("application/health+json;q=0.000", false, false),
            ("application/health+json;q=0.001", true, false),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                false,
                true,
            ),
            ("text/html, application/json", false, true),
            ("text/html;q=0.9, application/json", false, false),
            ("text/*", false, false),
            ("*/*", false, false),
            ("application/*", false, false),
            ("application/json", false, false),
            ("image/png", false, false),
        ] {
            assert_eq!(accepts(&[field]), (health_json, html), "{field}");
        }
        assert_eq!(accepts(&["text/html", "application/json"]), (false, true));
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        for field in [
            "",
            ",",
            ";;;",
            "application/",
            "/",
            "text/html;q=2",
            "text/html;q=1.5",
            "text/html;q=x",
            "text/html;q=0.1234",
            "text/html;q=-0.5",
            "text/html;q=",
            "\u{e9}/html",
            "\"text/html\"",
        ] {
            assert_eq!(accepts(&[field]), (false, false), "{field}");
        }
        assert_eq!(accepts(&["nonsense, , text/html"]), (false, true));
    }
}
