//! The configuration as a whole, from pairs.

mod accepted;
mod bad_input;
mod canary;
#[cfg(feature = "jobs")]
mod jobs;
#[cfg(feature = "jobs")]
mod jobs_bad_input;
mod reloading;

use super::{JOB_SIGNALS, Loaded, Problems, load};

const CHECKS: &[&str] = &["api", "runpod_configured", "r2_configured", JOB_SIGNALS];

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
const ACCESS_KEY: &str = "00112233445566778899aabbccddeeff";
const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A configuration in which everything is right.
fn good() -> Vec<(&'static str, &'static str)> {
    vec![
        ("RUNPOD_API_KEY", "rpa_0123456789"),
        ("RUNPOD_ENDPOINT_ID", "jpnw0v75y3qoql"),
        ("R2_ACCOUNT_ID", ACCOUNT),
        ("R2_ACCESS_KEY_ID", ACCESS_KEY),
        ("R2_SECRET_ACCESS_KEY", SECRET),
        ("R2_BUCKET", "videos"),
        ("API_KEYS", "0123456789abcdef"),
    ]
}

/// The good configuration with some values replaced or added.
fn good_but(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let replaced = |name: &str| changes.iter().any(|(other, _)| *other == name);
    let mut pairs: Vec<_> = good()
        .into_iter()
        .filter(|(name, _)| !replaced(name))
        .collect();
    pairs.extend_from_slice(changes);
    pairs
}

fn resolve<V: Into<String>>(
    pairs: impl IntoIterator<Item = (&'static str, V)>,
) -> Result<Loaded, Problems> {
    load(
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into())),
        CHECKS,
    )
}

/// Everything that is wrong, whether it stops the service or not.
fn problems(loaded: &Result<Loaded, Problems>) -> Vec<String> {
    let problems = match loaded {
        Ok(loaded) => &loaded.check_problems,
        Err(problems) => &problems.problems,
    };
    problems.iter().map(ToString::to_string).collect()
}
