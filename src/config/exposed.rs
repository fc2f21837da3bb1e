//! Secrets in variables that are shown: keys pasted into the wrong place.

use std::borrow::Cow;

use secrecy::ExposeSecret;

use super::environment::Environment;
use super::postgres_url;
use super::proxy;
use super::secret_source::Source;
use super::types::Problem;
use super::variables::{VARIABLES, Variable};
use crate::detail::Detail;

/// A shorter secret is only looked for as a whole value: it may also be a common word in a URL.
const SHORTEST_PART: usize = 16;

/// Secrets of which there may be several.
const LISTS: &[&str] = &["API_KEYS", "JOB_WEBHOOK_SECRET", "RUNPOD_WEBHOOK_TOKEN"];

/// One problem for each variable that is shown and holds the value of a secret, at start.
///
/// Ids, buckets, names and hosts reach answers, logs and reports. No form tells all keys from all names,
/// but no name is also the value of a secret. Blocks on the files that hold secrets.
pub(super) fn problems(environment: &Environment) -> Vec<Problem> {
    let secrets: Vec<_> = VARIABLES
        .iter()
        .filter(|variable| variable.secret())
        .filter_map(|variable| {
            let value = environment.get(variable.name).map(Into::into);
            let path = variable.file.and_then(|file| environment.get(file));
            let source = Source::new(
                variable.name,
                value.as_ref(),
                path.map(str::to_owned).as_ref(),
            );
            Some((variable.name, source.read().text.ok()??))
        })
        .collect();
    let problem = |variable: &Variable| {
        let value = shown(variable.name, environment.get(variable.name)?);
        let (secret, _) = secrets.iter().find(|(name, text)| {
            let text = text.expose_secret();
            let items = LISTS.contains(name).then(|| text.split(','));
            let password = (*name == "JOBS_DATABASE_URL").then(|| postgres_url::password(text));
            // A short one may also be a common word.
            let password = password.flatten().filter(|p| p.len() >= SHORTEST_PART);
            std::iter::once(text)
                .chain(items.into_iter().flatten())
                .chain(password.as_deref())
                .any(|secret| holds(&value, secret.trim()))
        })?;
        Some(Problem {
            variable: variable.name,
            wrong: Detail::new().text("holds the value of ").text(secret),
            accepted: "a value that is no secret",
        })
    };
    let displayed = VARIABLES.iter().filter(|variable| !variable.secret());
    displayed.filter_map(problem).collect()
}

/// A well-formed value of a variable that is no secret, as it is shown.
pub(super) fn shown<'a>(variable: &str, value: &'a str) -> Cow<'a, str> {
    match proxy::parse(value) {
        Ok(proxy) if variable == "HTTPS_PROXY" => proxy.to_string().into(),
        _ => value.into(),
    }
}

/// Case does not tell two apart: a host name is shown in lower case.
fn holds(value: &str, secret: &str) -> bool {
    let same = |part: &str| part.trim().eq_ignore_ascii_case(secret);
    let part_of_url = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-');
    !secret.is_empty()
        && (same(value)
            || value.split([',', '=']).any(same)
            || (secret.len() >= SHORTEST_PART && value.split(part_of_url).any(same)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_as_an_item_and_a_long_one_in_a_url() {
        let long = "rpa_0123456789AB";
        for value in [
            long,
            "rpa_0123456789ab",
            "x=rpa_0123456789AB, y",
            "https://rpa_0123456789AB.example.com/",
            "https://example.com/rpa_0123456789AB/health",
        ] {
            assert!(holds(value, long), "{value}");
        }
        assert!(holds("fast=minio,x", "minio"));
        assert!(!holds("http://minio:9000", "minio"));
        assert!(!holds("videos", ""));
        assert!(!holds("rpa_0123456789ABC", long));
    }
}
