//! R2's endpoint: what `R2_ENDPOINT_URL`, `R2_ACCOUNT_ID` and `R2_JURISDICTION` say together. Forms of
//! hosts: Cloudflare's R2 API documentation.

use reqwest::Url;

use super::checks::{Findings, plain};
use super::types::Problem;
use super::values::{Fault, Parsed};

const HOST: &str = ".r2.cloudflarestorage.com";
const ACCOUNT: &str = "the account id, 32 hex digits, from the R2 overview of the dashboard";
const ENDPOINT: &str = "https://<account id>.r2.cloudflarestorage.com";

/// Where a bucket's data must stay; each jurisdiction has a host of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jurisdiction {
    Eu,
    FedRamp,
}

impl Jurisdiction {
    fn label(self) -> &'static str {
        match self {
            Jurisdiction::Eu => "eu",
            Jurisdiction::FedRamp => "fedramp",
        }
    }
}

/// What `R2_ENDPOINT_URL` says.
pub(super) enum Endpoint {
    /// The account's own endpoint.
    Unset,
    /// A problem of its own; nothing is concluded from it.
    Malformed,
    Url(Url),
}

impl Endpoint {
    /// The endpoint that is set, or the account's own.
    pub(super) fn resolve(
        &self,
        account_id: Option<&String>,
        jurisdiction: Option<Jurisdiction>,
        findings: &mut Findings,
    ) -> Option<Url> {
        let account = match plain("R2_ACCOUNT_ID", account_id, account_form) {
            Ok(account) => account,
            Err(problem) => {
                findings.problems.push(problem);
                return None;
            }
        };
        if let Endpoint::Malformed = self {
            return None;
        }
        if let Endpoint::Url(endpoint) = self {
            return match agree(endpoint, account.as_deref(), jurisdiction) {
                Ok(()) => Some(endpoint.clone()),
                Err(problem) => {
                    findings.problems.push(problem);
                    None
                }
            };
        }
        let account = findings.required("R2_ACCOUNT_ID", Ok(account))?;
        let dot = if jurisdiction.is_some() { "." } else { "" };
        let jurisdiction = jurisdiction.map_or("", Jurisdiction::label);
        let url = Url::parse(&format!("https://{account}{dot}{jurisdiction}{HOST}"));
        // Hex digits and literals: this cannot fail.
        url.ok()
    }

    /// Whether keys must have R2's forms; other S3 servers have others.
    pub(super) fn is_cloudflare(&self) -> bool {
        match self {
            Endpoint::Unset => true,
            Endpoint::Malformed => false,
            Endpoint::Url(url) => is_cloudflare(url),
        }
    }
}

/// Whether the endpoint is R2's own, where keys and hosts have R2's forms.
pub(crate) fn is_cloudflare(endpoint: &Url) -> bool {
    endpoint.host_str().is_some_and(|host| host.ends_with(HOST))
}

/// Refuses an endpoint that contradicts itself or the other variables: the calls would go to another
/// account or jurisdiction than the operator believes.
fn agree(
    endpoint: &Url,
    account: Option<&str>,
    jurisdiction: Option<Jurisdiction>,
) -> Result<(), Problem> {
    let host = endpoint.host_str().unwrap_or_default();
    let Some(labels) = host.strip_suffix(HOST) else {
        if jurisdiction.is_some() {
            let fault = Fault::new(
                "is set next to an R2_ENDPOINT_URL that is not R2's",
                "one of the two",
            );
            return Err(fault.of("R2_JURISDICTION"));
        }
        return Ok(());
    };
    let (first, second) = labels.split_once('.').unwrap_or((labels, ""));
    if account_form(first).is_err() {
        let wrong = "has a host that does not begin with an account id of 32 hex digits";
        return Err(Fault::new(wrong, ENDPOINT).of("R2_ENDPOINT_URL"));
    }
    if account.is_some_and(|account| account != first) {
        let fault = Fault::new(
            "is not the account in R2_ENDPOINT_URL",
            "one of the two, or the same account",
        );
        return Err(fault.of("R2_ACCOUNT_ID"));
    }
    if jurisdiction.is_some_and(|jurisdiction| jurisdiction.label() != second) {
        let fault = Fault::new(
            "is not the jurisdiction in R2_ENDPOINT_URL",
            "one of the two, or the same jurisdiction",
        );
        return Err(fault.of("R2_JURISDICTION"));
    }
    Ok(())
}

fn account_form(text: &str) -> Parsed<String> {
    if text.len() != 32 {
        return Err(Fault::length(text.chars().count(), ACCOUNT));
    }
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Fault::new("is not hexadecimal", ACCOUNT));
    }
    Ok(text.to_ascii_lowercase())
}
