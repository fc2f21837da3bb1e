//! From R2's answer, or the lack of one, to findings.

use std::time::Duration;

use http::HeaderValue;
use reqwest::Url;
use secrecy::ExposeSecret;
use time::OffsetDateTime;

use super::answer::{self, Document};
use super::{
    ACCESS_DENIED, ACCESS_KEY_MALFORMED, ACCOUNT_NOT_FOUND, BUCKET_NAME_INVALID, BUCKET_NOT_FOUND,
    CLOCK_DRIFT, CLOCK_SKEW, CREDENTIALS_EXPIRED, INVALID_ACCESS_KEY, NOT_ENTITLED, R2Data,
    REGION_INVALID, REQUEST_REFUSED, SIGNATURE_MISMATCH,
};
use crate::check::{Finding, Outcome};
use crate::checks::client::{Answer, Failure, TlsFailure, cf_ray};
use crate::config::R2;
use crate::detail::Detail;
use crate::reason::{BLOCKED_BY_WAF, INVALID_RESPONSE};

/// R2's S3 hosts: `<account>[.eu|.fedramp].r2.cloudflarestorage.com`.
const R2_HOSTS: &str = ".r2.cloudflarestorage.com";
/// R2 checks the length of an access key id.
const ACCESS_KEY_LENGTH: usize = 32;
/// S3 refuses a signature 15 minutes off (R2 does not document its limit): warn well before.
const DRIFT_LIMIT_SECONDS: u64 = 5 * 60;

/// Cloudflare has a certificate for a host of R2 only if the account exists and has R2.
pub(super) fn unreached(failure: Failure, endpoint: &Url) -> Finding {
    let of_r2 = endpoint
        .host_str()
        .is_some_and(|host| host.ends_with(R2_HOSTS));
    match failure {
        Failure::Tls(TlsFailure::HandshakeFailure) if of_r2 => Finding::new(&ACCOUNT_NOT_FOUND),
        failure => failure.finding(),
    }
}

/// Everything that an answer says.
pub(super) fn judged(
    answer: &Answer,
    r2: &R2,
    now: OffsetDateTime,
    data: R2Data,
) -> Outcome<R2Data> {
    // On every answer, not only on a refusal: the drift shows long before the signature fails.
    let offset = answer.date().map(|date| (now - date).whole_seconds());
    let (verdict, retry_after) = verdict(answer, r2, offset, now);
    let skewed = verdict
        .as_ref()
        .is_some_and(|finding| finding.reason == &CLOCK_SKEW);
    let drift = offset.filter(|offset| offset.unsigned_abs() >= DRIFT_LIMIT_SECONDS && !skewed);
    let drift = drift.map(|offset| Finding::new(&CLOCK_DRIFT).detail(off_by(offset)));
    Outcome {
        findings: verdict.into_iter().chain(drift).collect(),
        data: Some(R2Data {
            clock_offset_seconds: offset,
            cf_ray: cf_ray(&answer.headers),
            ..data
        }),
        retry_after,
    }
}

/// What an answer says, apart from the clock; `None` is a pass.
fn verdict(
    answer: &Answer,
    r2: &R2,
    offset: Option<i64>,
    now: OffsetDateTime,
) -> (Option<Finding>, Option<Duration>) {
    if let Some((finding, retry_after)) = answer.common(now) {
        return (Some(finding), retry_after);
    }
    let finding = if answer.status.is_success() {
        listing(answer)
    } else if answer.status == 403 && answer.headers.contains_key("cf-mitigated") {
        Some(Finding::new(&BLOCKED_BY_WAF))
    } else {
        Some(refusal(answer, r2, offset))
    };
    (finding, None)
}

/// 200 passes only with what R2 sends: a portal's page is a 200, too.
fn listing(answer: &Answer) -> Option<Finding> {
    let body = match &answer.body {
        Ok(body) => body,
        Err(failure) => return Some(failure.finding()),
    };
    let typed = answer
        .headers
        .get(http::header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    let is_xml = typed.is_none_or(|value| value.windows(3).any(|w| w.eq_ignore_ascii_case(b"xml")));
    let passes = answer.status == 200
        && is_xml
        && !answer.is_html()
        && answer::read(body) == Some(Document::Listing);
    if passes {
        return None;
    }
    let finding = answer.http(&INVALID_RESPONSE);
    let detail = finding.detail.clone();
    Some(if answer.is_html() {
        finding
    } else {
        finding.detail(detail.text(", not the XML of a bucket listing"))
    })
}

/// A 4xx by its code. Statuses differ between reports and documents (`ExpiredRequest` is 400 or 403);
/// the code is what R2 means.
fn refusal(answer: &Answer, r2: &R2, offset: Option<i64>) -> Finding {
    let body = match &answer.body {
        Ok(body) => body,
        Err(failure) => return failure.finding(),
    };
    let finding = match answer::read(body) {
        Some(Document::Error(Some(code))) => refused(code.as_str(), answer, r2, offset),
        _ => answer.http(&INVALID_RESPONSE),
    };
    // Never R2's own text, not even its code: SignatureDoesNotMatch echoes the signed headers.
    tracing::debug!(
        status = answer.status.as_u16(),
        reason = finding.reason.code,
        "r2 refused the request"
    );
    finding
}

fn refused(code: &str, answer: &Answer, r2: &R2, offset: Option<i64>) -> Finding {
    let reason = match code {
        "Unauthorized" | "InvalidAccessKeyId" => &INVALID_ACCESS_KEY,
        "InvalidArgument" => {
            return Finding::new(&ACCESS_KEY_MALFORMED).detail(key_length(r2));
        }
        "SignatureDoesNotMatch" => &SIGNATURE_MISMATCH,
        "AccessDenied" => &ACCESS_DENIED,
        "NoSuchBucket" => &BUCKET_NOT_FOUND,
        "InvalidBucketName" => &BUCKET_NAME_INVALID,
        // The second is what other S3 services say of a region that is not theirs.
        "InvalidRegionName" | "AuthorizationHeaderMalformed" => &REGION_INVALID,
        "RequestTimeTooSkewed" => {
            let detail = offset.map(off_by).unwrap_or_default();
            return Finding::new(&CLOCK_SKEW).detail(detail);
        }
        "NotEntitled" => &NOT_ENTITLED,
        "ExpiredRequest" | "ExpiredToken" => &CREDENTIALS_EXPIRED,
        _ => {
            let status = Detail::new().text("HTTP ").number(answer.status.as_u16());
            return Finding::new(&REQUEST_REFUSED).detail(status);
        }
    };
    Finding::new(reason)
}

/// The one thing that R2 checks of its form, read from our side.
fn key_length(r2: &R2) -> Detail {
    match r2.access_key_id.expose_secret().len() {
        ACCESS_KEY_LENGTH => Detail::new()
            .text("the access key id has 32 characters as it should; look at R2_SESSION_TOKEN"),
        length => Detail::new()
            .text("it has ")
            .number(length)
            .text(" characters, R2's have 32"),
    }
}

fn off_by(seconds: i64) -> Detail {
    let ours = Detail::new()
        .text("this machine's clock is ")
        .number(seconds.unsigned_abs());
    ours.text(if seconds > 0 {
        " s ahead of R2's"
    } else {
        " s behind R2's"
    })
}
