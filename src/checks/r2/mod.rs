//! `r2_configured`: can the configured token list the configured bucket of Cloudflare R2?
//!
//! R2 spreads "the configuration is wrong" over 400, 401, 403 and 404, so the error's XML code
//! decides, and a listing is asked for because an answer to `HEAD` has no code. What R2 answers in
//! which case is in part observed, not documented; every case is a row of the test table.

mod answer;
pub mod sign;
mod verdict;

use reqwest::Url;
use serde::Serialize;
use utoipa::ToSchema;

use super::client::{CfRay, CheckClient, Client};
use super::setup::ready;
use crate::check::{Check, Context, Finding, Outcome, Report};
use crate::config::secret::Current;
use crate::config::{R2, Setup};
use crate::detail::{Detail, Label};
use crate::reason::{BLOCKED_BY_WAF, MALFORMED_CONFIG, Reason, reasons};
use crate::sample::{Family, Kind, Sample};

reasons! {
    /// 401 `Unauthorized`, 403 `InvalidAccessKeyId`.
    INVALID_ACCESS_KEY = "invalid_access_key", Refuted,
        "R2 does not know this access key: it was deleted, has expired, or belongs to another account",
        "create an R2 API token in the dashboard and set R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY from it; a new token takes up to a minute to work";
    /// 400 `InvalidArgument`.
    ACCESS_KEY_MALFORMED = "access_key_malformed", Refuted,
        "R2 refuses the form of the access key id",
        "set R2_ACCESS_KEY_ID to the 32 characters that the dashboard shows as Access Key ID; 64 characters are the secret, about 40 the raw API token";
    /// 403 `SignatureDoesNotMatch`.
    SIGNATURE_MISMATCH = "signature_mismatch", Refuted,
        "R2 knows the access key, and the secret does not belong to it",
        "set R2_SECRET_ACCESS_KEY to the secret shown when this very token was made (64 hex digits: the SHA-256 of the token's value, not the value); if it is lost, roll the token";
    /// 403 `AccessDenied`.
    ACCESS_DENIED = "access_denied", Refuted,
        "R2 knows the token, and the token may not list this bucket",
        "check all three causes: the token lacks Object Read for this bucket; R2_BUCKET is misspelt (a token limited to some buckets gets this instead of not found); the bucket is in another jurisdiction (R2_JURISDICTION, or the host of R2_ENDPOINT_URL)";
    /// 404 `NoSuchBucket`.
    BUCKET_NOT_FOUND = "bucket_not_found", Refuted,
        "this account has no such bucket here",
        "check R2_BUCKET and R2_ACCOUNT_ID; a bucket made in a jurisdiction (eu, fedramp) is seen only through it: set R2_JURISDICTION";
    /// 400 `InvalidBucketName`.
    BUCKET_NAME_INVALID = "bucket_name_invalid", Refuted,
        "R2 refuses the bucket's name",
        "set R2_BUCKET to the bare name: 3 to 63 lower-case letters, digits and hyphens, without account, path or URL";
    /// 400 `InvalidRegionName`.
    REGION_INVALID = "region_invalid", Refuted,
        "the upstream refuses the region auto, which R2 always accepts",
        "check that R2_ENDPOINT_URL leads to R2 and not to another S3 service or a proxy in front of one";
    /// 403 `RequestTimeTooSkewed`.
    CLOCK_SKEW = "clock_skew", Refuted,
        "R2 refuses the signature because this machine's clock is wrong",
        "set the clock: check that NTP (chronyd, systemd-timesyncd) runs on the host; in a virtual machine look for a suspend";
    /// 403 `NotEntitled`.
    NOT_ENTITLED = "not_entitled", Refuted,
        "R2 is not enabled for this account, or its subscription has lapsed",
        "enable R2 in the Cloudflare dashboard and check the account's billing";
    /// The edge has no certificate for the account's host name.
    ACCOUNT_NOT_FOUND = "account_not_found", Refuted,
        "Cloudflare refuses TLS for this host: no account with R2 has this id",
        "check R2_ACCOUNT_ID and R2_JURISDICTION; an account that enabled R2 within the last 20 minutes has to wait";
    /// 400 or 403 `ExpiredRequest`, `ExpiredToken`.
    CREDENTIALS_EXPIRED = "credentials_expired", Refuted,
        "R2 says that the credentials or the signature have expired",
        "get new temporary credentials and set all three of R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY and R2_SESSION_TOKEN; if clock_drift is reported too, set the clock first";
    /// Any other code of a well-formed `<Error>`. R2 documents more codes than concern a listing and adds
    /// to them, so whether it is the configuration is not known. The code itself is not shown: no text of
    /// an upstream is.
    REQUEST_REFUSED = "request_refused", Transient,
        "R2 refused the request for a reason that this service does not know",
        "repeat the call with curl, as the runbook shows, and read R2's code; then report that code as one that infra-health should know";
    /// Still accepted, not for long.
    CLOCK_DRIFT = "clock_drift", Warn,
        "this machine's clock differs from R2's; beyond about 15 minutes every signature is refused",
        "check that NTP (chronyd, systemd-timesyncd) runs on the host";
}

/// The check.
#[derive(Debug)]
pub struct R2Check {
    settings: Current<Setup<R2>>,
    client: CheckClient,
}

impl R2Check {
    /// Reads `settings` anew in every run.
    pub fn new(settings: Current<Setup<R2>>, client: &Client) -> Self {
        let client = client.of(Self::NAME);
        R2Check { settings, client }
    }
}

/// What the check tells besides the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(examples(json!({
    "bucket": "videos",
    "host": "0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com",
    "clock_offset_seconds": 0,
    "cf_ray": "8f0c5e2b1a3d4c6e-FRA",
})))]
pub struct R2Data {
    /// The bucket that was asked for.
    pub bucket: Label,
    /// Host, and port if it is not the scheme's own; absent if it is no label (over 128 characters).
    #[schema(required)]
    pub host: Option<Label>,
    /// This machine's clock minus R2's, in seconds; absent without an answer that has a `Date`.
    #[schema(required)]
    pub clock_offset_seconds: Option<i64>,
    /// Cloudflare's id of the request, for its support.
    #[schema(required)]
    pub cf_ray: Option<CfRay>,
}

static CLOCK_OFFSET: Family = Family {
    name: "infra_health_r2_clock_offset_seconds",
    help: "This machine's clock minus R2's; beyond about 900 either way every signature is refused",
    kind: Kind::Gauge,
    labels: &[],
};

impl Report for R2Data {
    const FAMILIES: &'static [&'static Family] = &[&CLOCK_OFFSET];

    fn samples(&self, out: &mut Vec<Sample>) {
        let offset = self
            .clock_offset_seconds
            .and_then(|s| i32::try_from(s).ok());
        out.extend(offset.map(|seconds| CLOCK_OFFSET.sample([], f64::from(seconds))));
    }
}

impl Check for R2Check {
    const NAME: &'static str = "r2_configured";
    const REASONS: &'static [&'static Reason] = &[
        &INVALID_ACCESS_KEY,
        &ACCESS_KEY_MALFORMED,
        &SIGNATURE_MISMATCH,
        &ACCESS_DENIED,
        &BUCKET_NOT_FOUND,
        &BUCKET_NAME_INVALID,
        &REGION_INVALID,
        &CLOCK_SKEW,
        &NOT_ENTITLED,
        &ACCOUNT_NOT_FOUND,
        &CREDENTIALS_EXPIRED,
        &REQUEST_REFUSED,
        &BLOCKED_BY_WAF,
        &CLOCK_DRIFT,
    ];
    type Data = R2Data;

    async fn run(&mut self, cx: &Context) -> Outcome<R2Data> {
        let setup = self.settings.get();
        let r2 = match ready(&setup) {
            Ok(r2) => r2,
            Err(finding) => return Outcome::of(finding),
        };
        let data = R2Data {
            bucket: r2.bucket.clone(),
            host: host(&r2.endpoint),
            clock_offset_seconds: None,
            cf_ray: None,
        };
        let Ok((url, headers)) = sign::list_one(r2, cx.clock.now().wall) else {
            let detail = Detail::new().text(
                "R2_ACCESS_KEY_ID or R2_SESSION_TOKEN has characters that no header can carry",
            );
            return Outcome::of(Finding::new(&MALFORMED_CONFIG).detail(detail)).with_data(data);
        };
        let answer = self.client.get("list_objects_v2", url, headers, cx.timeout);
        match answer.await {
            Ok(answer) => verdict::judged(&answer, r2, cx.clock.now().wall, data),
            Err(failure) => Outcome::of(verdict::unreached(failure, &r2.endpoint)).with_data(data),
        }
    }
}

fn host(endpoint: &Url) -> Option<Label> {
    // A label has no brackets, so an IPv6 address is shown without them.
    let host = endpoint.host_str()?.trim_matches(['[', ']']);
    Label::new(match endpoint.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}
