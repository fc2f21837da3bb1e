//! A word that stands in every secret, upstreams that echo it, and the search for it.

use sha2::{Digest, Sha256};

use super::fixture::{Reply, Response};

/// Part of every secret; compared without regard to case.
const CANARY: &str = "c4n4ry";
/// An operator key.
pub(crate) const PLAIN_KEY: &str = "c4n4ry-operator-key-plain";

/// Other forms in which the keys could be told, in lower case.
const DERIVED: [&str; 4] = [
    // PLAIN_KEY in base64, and its SHA-256.
    "yzrunhj5lw9wzxjhdg9ylwtles1wbgfpbg",
    "uzpzlhff6ripp5micgp7gedxvpzaxbprah23r9httfu",
    // A key that is configured by its digest, of which the first 8 hex digits are its name.
    "01a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
    // What R2 is sent, and echoes.
    "aws4-hmac-sha256",
];
/// Another one, as configured.
pub(crate) const DIGEST_KEY: &str =
    "sha256:a1a1a101a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";

/// Nothing of what was said holds a canary or another form of a secret.
pub(crate) fn assert_silent(what: &str, said: &str) {
    let said = said.to_lowercase();
    let digest = hex::encode(Sha256::digest(PLAIN_KEY));
    for needle in DERIVED.into_iter().chain([CANARY, &digest[8..]]) {
        let at = said.find(needle);
        let around = at.map(|at| said.get(at.saturating_sub(200)..).unwrap_or(&said));
        assert_eq!(around, None, "{what} tells {needle}");
    }
}

/// Answers that echo what they were sent, in every part of them.
pub(crate) fn echoes() -> Vec<Reply> {
    let echo =
        "AWS4-HMAC-SHA256 Credential=c4n4ry, Signature=c4n4ry; Authorization: Bearer rpa_c4n4ry";
    let xml = format!(
        "<Error><Code>SignatureDoesNotMatch</Code><Message>{echo}</Message>\
         <AWSAccessKeyId>c4n4ry</AWSAccessKeyId><StringToSign>{echo}</StringToSign></Error>"
    );
    let xml = |status| Response::new(status, xml.clone()).header("content-type", "application/xml");
    let json = |body: &str| Response::new(200, body).header("content-type", "application/json");
    let mut echoes: Vec<Reply> = [400, 401, 403, 404, 429, 500, 503]
        .into_iter()
        .map(|status| {
            let mut response = xml(status);
            for name in [
                "www-authenticate",
                "cf-ray",
                "retry-after",
                "date",
                "server",
                "x-c4n4ry",
            ] {
                response = response.header(name, echo);
            }
            response.into()
        })
        .collect();
    echoes.extend([
        Response::new(307, echo)
            .header("location", "http://c4n4ry:c4n4ry@c4n4ry.invalid/?c4n4ry")
            .into(),
        Response::new(200, echo).header("content-type", echo).into(),
        Response::new(403, format!("<html>{echo}"))
            .header("content-type", "text/html")
            .into(),
        json(r#"{"workers":{"idle":"c4n4ry","c4n4ry":1},"c4n4ry":"c4n4ry"}"#).into(),
        json(r#"{"workers":{"idle":1,"c4n4ry":1},"jobs":{"c4n4ry":"c4n4ry"},"c4n4ry":{}}"#).into(),
        Response::new(
            200,
            "<ListBucketResult><Name>c4n4ry</Name></ListBucketResult>",
        )
        .into(),
        Response::new(403, "<Error><Code>c4n4ry</Code></Error>").into(),
        Reply::CutAfter(90, xml(403)),
        Reply::Raw(b"HTTP/1.1 403 c4n4ry\r\nc4n4ry\r\n\r\nc4n4ry".to_vec()),
        Reply::Raw(b"c4n4ry c4n4ry c4n4ry\r\n\r\n".to_vec()),
        Reply::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nc4n4ry\r\n".to_vec()),
        Reply::Hang,
    ]);
    echoes
}
