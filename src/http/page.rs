//! `/`: the status page for who asks for HTML, else the JSON of `/health`.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::code::Code;
use super::error::Reply;
use super::shared::{Caller, Shared};
use crate::answers::Options;
use crate::answers::page::{PageOptions, SCRIPT, STYLE, locked_page, page};
use crate::config::Details;

/// The page waits for the first round no longer than this, whatever `HEALTH_DEADLINE` says: it can say
/// `starting`, and asks again by itself. Its script waits for an answer for 10 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Nothing but the page's own style and script runs, and the script talks to nobody but this service.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = |text: &str| BASE64.encode(Sha256::digest(text));
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // Literals and base64 are a header's characters; should that ever change, the page is bare, not open.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// Those of the page alone.
pub(super) fn headers() -> Vec<(HeaderName, HeaderValue)> {
    vec![
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}

impl Shared {
    /// The status page. A browser sends no key by itself, so one is served to callers without a key even
    /// where a key is required; then nothing but the place to enter it is on it.
    pub(super) async fn page(&self, caller: Caller) -> Reply {
        let answer = if self.policy.require_api_key && !caller.authorized {
            locked_page()
        } else {
            let options = self.page_options(caller);
            let excluded = options.answer.excluded;
            let deadline = caller.at + self.policy.deadline.min(PATIENCE);
            let published = self
                .first_round(deadline, |snapshot| snapshot.is_starting(excluded))
                .await;
            page(&published.snapshot, &options, self.moment(Instant::now()))
        };
        Reply {
            headers: headers(),
            ..Reply::new(answer, Code::Degraded)
        }
    }

    fn page_options(&self, caller: Caller) -> PageOptions {
        let policy = self.policy.details;
        #[cfg(feature = "jobs")]
        let jobs = Some(self.jobs.section());
        #[cfg(not(feature = "jobs"))]
        let jobs = None;
        PageOptions {
            answer: Options {
                details: match policy {
                    Details::Always => true,
                    Details::Never => false,
                    Details::Authorized => caller.authorized,
                },
                version: caller.authorized,
                ..self.options.clone()
            },
            jobs,
            takes_key: self.policy.require_api_key || policy == Details::Authorized,
        }
    }
}
