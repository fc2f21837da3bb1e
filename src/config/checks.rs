//! What the checks' own values have in common: missing or malformed, they make one check false and stop
//! nothing else.

use secrecy::{ExposeSecret, SecretString};

use super::secret_source::Given;
use super::types::{Problem, Setup};
use super::values::{Fault, Parsed, parsed};

/// Collects what is missing and what is malformed for one check.
pub(super) struct Findings {
    pub(super) missing: Vec<&'static str>,
    pub(super) problems: Vec<Problem>,
}

impl Findings {
    /// Begins with what is already known to be wrong.
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Findings {
            missing: Vec::new(),
            problems,
        }
    }

    /// The value that must be there.
    pub(super) fn required<T>(
        &mut self,
        variable: &'static str,
        value: Result<Option<T>, Problem>,
    ) -> Option<T> {
        match value {
            Ok(Some(value)) => return Some(value),
            // Not missing, but refused before it was parsed.
            Ok(None) if self.problems.iter().any(|p| p.variable == variable) => (),
            Ok(None) => self.missing.push(variable),
            Err(problem) => self.problems.push(problem),
        }
        None
    }

    /// The value that may be there; `None` also once a problem was noted, which decides anyway.
    pub(super) fn optional<T>(&mut self, value: Result<Option<T>, Problem>) -> Option<T> {
        value.unwrap_or_else(|problem| {
            self.problems.push(problem);
            None
        })
    }

    /// Malformed weighs more than missing, and then tells what is missing too.
    pub(super) fn into_setup<T>(mut self, ready: Option<T>) -> Setup<T> {
        if !self.problems.is_empty() {
            let missing = self.missing.iter();
            self.problems
                .extend(missing.map(|name| Fault::new("is not set", "a value").of(name)));
            return Setup::Malformed(self.problems);
        }
        match ready {
            Some(value) => Setup::Ready(value),
            None => Setup::Missing(self.missing),
        }
    }
}

/// An ordinary variable through its parser.
pub(super) fn plain<T>(
    variable: &'static str,
    raw: Option<&String>,
    parse: impl FnOnce(&str) -> Parsed<T>,
) -> Result<Option<T>, Problem> {
    raw.map(|text| parsed(text, parse).map_err(|fault| fault.of(variable)))
        .transpose()
}

/// A secret that has passed the checks for what people paste along, and then `rule`.
pub(super) fn secret(
    given: &Given,
    accepted: &'static str,
    rule: impl FnOnce(&str) -> Parsed<()>,
) -> Result<Option<SecretString>, Problem> {
    let Some(text) = given.text.as_ref().map_err(Clone::clone)? else {
        return Ok(None);
    };
    parsed(text.expose_secret(), |exposed| {
        clean(exposed, given.name, accepted)?;
        rule(exposed)
    })
    .map_err(|fault| fault.of(given.blamed))?;
    Ok(Some(text.clone()))
}

/// Refuses what people paste along with a secret: quotes, names and line breaks in keys are common reports.
fn clean(text: &str, variable: &str, accepted: &'static str) -> Parsed<()> {
    let pasted_scheme = text
        .get(..7)
        .is_some_and(|head| head.eq_ignore_ascii_case("bearer "));
    let wrong = if begins_with_name(text, variable) {
        "begins with its own name and ="
    } else if pasted_scheme {
        "begins with Bearer"
    } else if text.contains(['"', '\'', '`']) {
        "contains quotes"
    } else if text.contains(['\n', '\r']) {
        "contains a line break"
    } else if text.contains(char::is_whitespace) {
        "contains white space"
    } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
        "contains something other than visible ASCII"
    } else {
        return Ok(());
    };
    Err(Fault::new(wrong, accepted))
}

/// Whether the variable's name and `=` were pasted along.
pub(super) fn begins_with_name(text: &str, variable: &str) -> bool {
    text.get(..variable.len()).is_some_and(|head| {
        head.eq_ignore_ascii_case(variable) && text[variable.len()..].starts_with('=')
    })
}
