//! What requests pass before and after they are answered, the same for all listeners.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body_util::Full;
use tokio::time::Instant;
use tracing::Level;

use super::access::{Access, Entry};
use super::auth::{Authenticator, Credential, KeyId};
use super::client_addr::{Client, ClientAddr};
use super::code::Code;
use super::endpoints::{Counted, Credentials};
use super::error::{ApiError, Reply};
use super::headers::Common;
use super::rate_limit::{Bucket, Decision, RateLimiter};
use super::seen::Seen;
use super::shared::{Caller, Setup, Shared};

/// Who sent a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who {
    client: Client,
    credential: Credential,
}

impl Who {
    fn key(self) -> Option<KeyId> {
        match self.credential {
            Credential::Valid(key) => Some(key),
            Credential::Missing | Credential::Invalid => None,
        }
    }
}

/// Keys, limits, log lines.
#[derive(Debug)]
pub(super) struct Doors {
    pub(super) shared: Arc<Shared>,
    pub(super) access: Access,
    authenticator: Authenticator,
    limiter: Option<RateLimiter>,
    client_addr: ClientAddr,
    headers: Common,
}

impl Doors {
    pub(super) fn new(setup: Setup) -> Self {
        Doors {
            authenticator: Authenticator::new(setup.api_keys.clone()),
            limiter: RateLimiter::new(&setup.limits, Instant::now()),
            client_addr: ClientAddr::new(setup.limits.trusted_proxies.clone()),
            access: Access::default(),
            headers: Common::new(),
            shared: Arc::new(Shared::new(setup)),
        }
    }

    /// Reads who asks, as far as the endpoint wants to know.
    pub(super) fn identify(&self, peer: SocketAddr, headers: &HeaderMap, seen: &Seen) -> Who {
        Who {
            client: if seen.is_forwarded {
                self.client_addr.of(peer, headers)
            } else {
                Client::direct(peer)
            },
            credential: self.credential(seen, headers),
        }
    }

    /// What the request's key amounts to; where no key is configured, none is looked at.
    fn credential(&self, seen: &Seen, headers: &HeaderMap) -> Credential {
        if !seen.has_key {
            return Credential::Missing;
        }
        let credential = match seen.credentials {
            Credentials::Ignored | Credentials::Signature | Credentials::Token => {
                Credential::Missing
            }
            Credentials::Optional | Credentials::Key => self.authenticator.check(headers),
            Credentials::Scraper => self.authenticator.check_bearer(headers),
        };
        match credential {
            Credential::Invalid if !self.authenticator.configured() => Credential::Missing,
            credential => credential,
        }
    }

    /// The limit, then the credential: guessing keys is limited too.
    pub(super) fn admit(&self, seen: &Seen, who: &Who) -> Result<Caller, ApiError> {
        self.limit(seen, who)?;
        let is_scraper = seen.credentials == Credentials::Scraper;
        match who.credential {
            Credential::Invalid if is_scraper => return Err(ApiError::invalid_scraper_key()),
            Credential::Missing if is_scraper && self.authenticator.configured() => {
                return Err(ApiError::scraper_needs_a_key());
            }
            Credential::Invalid => return Err(ApiError::invalid_api_key()),
            Credential::Missing | Credential::Valid(_) => {}
        }
        let caller = Caller {
            authorized: who.key().is_some(),
            is_probe: seen.is_probe,
            accepts: seen.accepts,
            at: seen.at,
        };
        let needs_key = match seen.credentials {
            Credentials::Key => true,
            Credentials::Optional => self.shared.policy.require_api_key && !seen.wants_page(),
            Credentials::Scraper
            | Credentials::Ignored
            | Credentials::Signature
            | Credentials::Token => false,
        };
        if needs_key {
            Shared::authorize(caller)?;
        }
        Ok(caller)
    }

    fn limit(&self, seen: &Seen, who: &Who) -> Result<(), ApiError> {
        if !seen.limited {
            return Ok(());
        }
        let bucket = match who.credential {
            Credential::Valid(key) => Bucket::Key(key),
            Credential::Missing => Bucket::Client(who.client),
            Credential::Invalid => Bucket::FailedKey(who.client),
        };
        self.count(bucket, seen, who)
    }

    /// `reply`, unless it tells of a guess too many: of a signature or a token, where those alone are counted. What
    /// they are worth is known no sooner.
    pub(super) fn limit_guess(&self, seen: &Seen, who: &Who, reply: Reply) -> Reply {
        let counted = seen.endpoint.filter(|_| seen.matched).map(|e| e.counted);
        let is_guess = matches!(reply.code, Some(Code::InvalidSignature | Code::NotFound));
        if counted != Some(Counted::Guesses) || !is_guess {
            return reply;
        }
        match self.count(Bucket::FailedKey(who.client), seen, who) {
            Ok(()) => reply,
            Err(limited) => Reply {
                body_read: reply.body_read,
                ..limited.into()
            },
        }
    }

    fn count(&self, bucket: Bucket, seen: &Seen, who: &Who) -> Result<(), ApiError> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        if limiter.exempt(who.client) {
            return Ok(());
        }
        let decision = limiter.check(bucket, seen.at);
        match decision {
            Decision::Allowed { .. } => Ok(()),
            Decision::Limited { .. } => {
                self.shared.traffic.limited(bucket.into());
                let fields = limiter.fields(&decision);
                let retry_after = decision.retry_after_seconds().unwrap_or(1);
                Err(ApiError::rate_limited(
                    "too many requests",
                    retry_after,
                    fields.limit,
                    fields.policy,
                ))
            }
        }
    }

    /// The response: headers that all of them have, the id in an error body, no body for HEAD; and its
    /// line in the log.
    pub(super) fn finish(&self, seen: &Seen, who: &Who, reply: Reply) -> Response<Full<Bytes>> {
        let body = reply.answer.body.with_id(&seen.id);
        let length = body.len();
        let is_head = seen.method == Method::HEAD;
        let mut response = Response::new(if is_head {
            Full::default()
        } else {
            Full::new(body)
        });
        *response.status_mut() = reply.answer.status;
        let negotiated = seen.endpoint.is_some_and(|e| e.route.is_negotiated());
        let common = &self.headers;
        *response.headers_mut() = common.of(negotiated, reply.answer.media, seen.id.header());
        let headers = response.headers_mut();
        if is_head {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        headers.extend(reply.headers);
        if seen.has_body && !reply.body_read {
            // What is left of the body would be taken for the next request.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let took = seen.at.elapsed();
        let status = reply.answer.status;
        let traffic = &self.shared.traffic;
        traffic.answered(seen.endpoint, &seen.method, status, took);
        let entry = Entry {
            request_id: &seen.id,
            trace: seen.trace.as_ref(),
            method: &seen.method,
            route: seen.endpoint.map_or("unmatched", |endpoint| endpoint.path),
            status,
            took,
            client: who.client.address,
            key: who.key(),
            code: reply.code,
            cause: reply.cause.as_deref(),
        };
        let success = seen.endpoint.map_or(Level::INFO, |e| e.success_level);
        self.access.tell(success, entry);
        response
    }
}

#[cfg(test)]
mod tests;
