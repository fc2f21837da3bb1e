//! The sender of the day's deliveries: signs, sends again what may not have arrived, counts the answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, RequestBuilder, StatusCode};
use sha2::Sha256;

use super::deliveries::{Delivery, Event};

/// How often one delivery is sent at most.
const TRIES: u32 = 5;
/// Between two of them, unless `Retry-After` says more…
const PAUSE: Duration = Duration::from_millis(200);
/// …but never longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A day is given up after so many refusals.
pub(crate) const REFUSALS: u64 = 10;

pub(crate) struct Sender {
    client: Client,
    url: String,
    secret: &'static str,
    pub(crate) tally: Tally,
}

/// What was answered.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) failed: AtomicU64,
    /// Sent once more after a 503, a 429 or a broken connection.
    pub(crate) tried_again: AtomicU64,
    pub(crate) refused: AtomicU64,
    first_refusal: Mutex<Option<String>>,
}

impl Sender {
    pub(crate) fn new(client: Client, service: &str, secret: &'static str) -> Self {
        Sender {
            client,
            url: format!("{service}/webhooks/jobs"),
            secret,
            tally: Tally::default(),
        }
    }

    /// Sends until it is answered for good.
    pub(crate) async fn deliver(&self, delivery: &Delivery, timestamp: &str) {
        let mut answer = self.once(delivery, timestamp).await;
        for _ in 1..TRIES {
            let Answer::Later(pause, _) = answer else {
                break;
            };
            count(&self.tally.tried_again);
            tokio::time::sleep(pause).await;
            answer = self.once(delivery, timestamp).await;
        }
        self.tally.note(delivery.event, answer);
    }

    async fn once(&self, delivery: &Delivery, timestamp: &str) -> Answer {
        let response = match self.request(delivery, timestamp).send().await {
            Ok(response) => response,
            Err(error) => return Answer::Later(PAUSE, error.to_string()),
        };
        let status = response.status();
        let pause = response.headers().get("retry-after");
        let pause = pause.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        // Read to its end, so that the connection can be used again.
        let text = response.text().await.unwrap_or_default();
        match status {
            StatusCode::ACCEPTED => Answer::Accepted,
            StatusCode::OK => Answer::Duplicate,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                let pause = pause.map_or(PAUSE, Duration::from_secs);
                Answer::Later(pause.min(LONGEST_PAUSE), format!("{status} {text}"))
            }
            _ => Answer::Refused(format!("{status} {text}")),
        }
    }

    fn request(&self, delivery: &Delivery, timestamp: &str) -> RequestBuilder {
        self.client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("x-webhook-event", delivery.event.name())
            .header("x-webhook-delivery-id", &delivery.id)
            .header("x-webhook-timestamp", timestamp)
            .header(
                "x-webhook-signature",
                signature(self.secret, timestamp, &delivery.body),
            )
            .body(delivery.body.clone())
    }
}

enum Answer {
    Accepted,
    Duplicate,
    /// Not now: after how long, and why.
    Later(Duration, String),
    Refused(String),
}

impl Tally {
    fn note(&self, event: Event, answer: Answer) {
        match answer {
            Answer::Accepted => {
                count(&self.accepted);
                match event {
                    Event::Started => {}
                    Event::Completed => count(&self.completed),
                    Event::Failed => count(&self.failed),
                }
            }
            Answer::Duplicate => count(&self.duplicates),
            Answer::Later(_, why) | Answer::Refused(why) => {
                count(&self.refused);
                self.first_refusal
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(why);
            }
        }
    }

    pub(crate) fn gives_up(&self) -> bool {
        self.refused.load(Ordering::Relaxed) >= REFUSALS
    }

    /// How the first that was refused was answered.
    pub(crate) fn first_refusal(&self) -> Option<String> {
        let first = self.first_refusal.lock();
        first.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The value of `X-Webhook-Signature`: HMAC-SHA256 of the timestamp as sent, a full stop and the body.
pub(crate) fn signature(secret: &str, timestamp: &str, body: &str) -> String {
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    for part in [timestamp, ".", body] {
        hmac.update(part.as_bytes());
    }
    format!("sha256={}", hex::encode(hmac.finalize().into_bytes()))
}
