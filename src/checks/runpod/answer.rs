//! The B rows of the decision table: what one answer of the health URL means. The first match wins.
//!
//! RunPod looks for the endpoint before it looks at the key, so 404 blames the id and 401 the key. The
//! table's "2 or 3 in a row" is the monitor's threshold; here every answer is told at once.

use std::time::Duration;

use http::StatusCode;
use time::OffsetDateTime;

use super::payload::{self, Payload};
use super::reasons::{ENDPOINT_NOT_FOUND, FORBIDDEN, UNAUTHORIZED};
use crate::check::Finding;
use crate::checks::client::Answer;
use crate::reason::{BLOCKED_BY_WAF, INVALID_RESPONSE};

/// Why there are no counts to judge.
#[derive(Debug)]
pub struct Unread {
    /// What the answer, or its absence, says.
    pub finding: Finding,
    /// How long RunPod asks us to stay away.
    pub retry_after: Option<Duration>,
}

impl From<Finding> for Unread {
    fn from(finding: Finding) -> Self {
        Unread {
            finding,
            retry_after: None,
        }
    }
}

/// Reads an answer that arrived at `now`.
///
/// # Errors
/// The finding of the B row that the answer meets.
pub fn read(answer: &Answer, now: OffsetDateTime) -> Result<Payload, Unread> {
    if let Some((finding, retry_after)) = answer.common(now) {
        return Err(Unread {
            finding,
            retry_after,
        });
    }
    let finding = match answer.status {
        StatusCode::OK => match &answer.body {
            Ok(body) => match payload::parse(body) {
                Ok(payload) => return Ok(payload),
                // Its content type is not documented, so a good body passes under any.
                Err(_) if answer.is_html() => answer.http(&INVALID_RESPONSE),
                Err(wrong) => Finding::new(&INVALID_RESPONSE).detail(wrong),
            },
            Err(failure) => failure.finding(),
        },
        StatusCode::NOT_FOUND => answer.http(&ENDPOINT_NOT_FOUND),
        StatusCode::UNAUTHORIZED => answer.http(&UNAUTHORIZED),
        StatusCode::FORBIDDEN if is_from_edge(answer) => answer.http(&BLOCKED_BY_WAF),
        StatusCode::FORBIDDEN => answer.http(&FORBIDDEN),
        _ => answer.http(&INVALID_RESPONSE),
    };
    Err(Unread::from(finding))
}

/// Whether a 403 comes from Cloudflare in front of RunPod: a page, or its code 1010.
fn is_from_edge(answer: &Answer) -> bool {
    answer.is_html()
        || answer
            .body
            .as_ref()
            .is_ok_and(|body| has_word(body, b"1010"))
}

/// Whether `word` stands in `text` on its own, not inside a longer word or number.
fn has_word(text: &[u8], word: &[u8]) -> bool {
    text.split(|byte| !byte.is_ascii_alphanumeric())
        .any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_word_of_its_own() {
        for (text, expected) in [
            ("error code: 1010", true),
            (r#"{"code":1010}"#, true),
            (r#"{"request_id":"a1010f"}"#, false),
            ("10100", false),
            ("", false),
        ] {
            assert_eq!(has_word(text.as_bytes(), b"1010"), expected, "{text}");
        }
    }
}
