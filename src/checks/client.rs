//! The one outgoing client: a bounded `GET` that never follows, retries, decompresses or leaks.
//!
//! Every way in which an upstream can misbehave ends in an [`Answer`] or a [`Failure`] before the
//! deadline, and holds at most [`BODY_LIMIT`] bytes. Error texts of the libraries below go, cut and
//! without the URL, to the debug log; bodies go nowhere.

mod answer;
mod dns;
mod failure;
mod phases;

use std::future::Future;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use reqwest::{ClientBuilder, Proxy, Response, Url, redirect, retry, tls};
use tokio::time::{Instant, sleep};

use crate::calls::{Calls, Phase};
use crate::config::ProxyUrl;

pub use answer::{Answer, CfRay, cf_ray};
use dns::Resolver;
pub use failure::{Failure, TlsFailure};
use phases::TimeConnect;

/// No answer that a check understands is larger: 64 KiB.
pub const BODY_LIMIT: usize = 64 * 1024;

/// From name resolution, which has a shorter limit of its own, to the end of the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longer than the longest usual interval, so that a check keeps its connection.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_mins(3);
const USER_AGENT: &str = concat!(
    "infra-health/",
    env!("CARGO_PKG_VERSION"),
    " (+health probe)"
);

/// The client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be built")]
pub struct ClientError(#[from] reqwest::Error);

/// The outgoing HTTP client; clones share its connections. One a process.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    calls: Calls,
}

/// The client in the hands of one check.
#[derive(Debug, Clone)]
pub struct CheckClient {
    client: Client,
    check: &'static str,
}

impl Client {
    /// Loads the CA bundle (5 to 10 ms). Only `https` upstreams go through `https_proxy`; the
    /// environment's proxy variables are never read. Without any CA bundle every `https` call ends
    /// in [`TlsFailure::UnknownIssuer`], so that the checks, and not a crash, tell what is missing.
    pub fn new(https_proxy: Option<ProxyUrl>) -> Result<Client, ClientError> {
        let proxy = https_proxy
            .map(|proxy| Proxy::https(proxy.expose().clone()))
            .transpose()
            // The URL may hold a password.
            .map_err(reqwest::Error::without_url)?;
        let built = builder(proxy.clone()).build();
        let client = match built {
            Err(error) if failure::is_of_tls(&error) => {
                let error = failure::cleaned(&error);
                tracing::warn!(%error, "no usable CA certificates: https upstreams will be refused");
                builder(proxy).tls_certs_only([]).build()?
            }
            built => built?,
        };
        Ok(Client {
            http: client,
            calls: Calls::default(),
        })
    }

    /// The same, its calls counted in `calls`.
    #[must_use]
    pub fn counted_in(self, calls: Calls) -> Self {
        Client { calls, ..self }
    }

    /// For the check of this name: its calls are counted under it.
    pub fn of(&self, check: &'static str) -> CheckClient {
        CheckClient {
            client: self.clone(),
            check,
        }
    }
}

impl CheckClient {
    /// Asks once. `timeout` covers everything from name resolution to the body's last byte; when the
    /// head arrived in time and the body did not, the answer's `body` says so. All of `headers` are
    /// treated as sensitive. The call is counted as `operation`.
    pub async fn get(
        &self,
        operation: &'static str,
        url: Url,
        mut headers: HeaderMap,
        timeout: Duration,
    ) -> Result<Answer, Failure> {
        headers
            .values_mut()
            .for_each(|value| value.set_sensitive(true));
        let mut deadline = std::pin::pin!(sleep(timeout));
        let calls = &self.client.calls;
        calls.asked(self.check, operation);
        let began = Instant::now();
        let request = self.client.http.get(url).headers(headers).send();
        let (response, opening) = within(deadline.as_mut(), phases::timed(request))
            .await
            .ok_or(Failure::Timeout)?;
        for (phase, took) in opening.phases() {
            calls.took(self.check, phase, took);
        }
        let response = response.map_err(|error| told(Failure::of_head(&error), error))?;
        let head = Instant::now();
        calls.took(
            self.check,
            Phase::Wait,
            (head - began).saturating_sub(opening.lasted()),
        );
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match within(deadline, capped(response)).await {
            Some(body) => body,
            None => Err(Failure::Timeout),
        };
        if body.is_ok() {
            calls.took(self.check, Phase::Body, head.elapsed());
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

fn builder(proxy: Option<Proxy>) -> ClientBuilder {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .http1_only()
        .tls_version_min(tls::Version::TLS_1_2)
        .dns_resolver(Resolver(dns::system))
        .connector_layer(TimeConnect)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT);
    match proxy {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    }
}

async fn within<T>(deadline: impl Future<Output = ()>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = deadline => None,
    }
}

/// The body, if it is short, complete and not compressed.
async fn capped(mut response: Response) -> Result<Bytes, Failure> {
    // No encoding was offered, so a compressed body is not what the upstream sends to a probe.
    let encoding = response.headers().get(http::header::CONTENT_ENCODING);
    if encoding.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Failure::Compressed);
    }
    if response
        .content_length()
        .is_some_and(|length| length > BODY_LIMIT as u64)
    {
        return Err(Failure::TooLarge);
    }
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_LIMIT => {
                return Err(Failure::TooLarge);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => return Err(told(Failure::of_body(&error), error)),
        }
    }
}

/// Sends the libraries' own words to the debug log; they are not shown anywhere else.
fn told(failure: Failure, error: reqwest::Error) -> Failure {
    let error = error.without_url();
    tracing::debug!(error = %failure::cleaned(&error), "upstream call failed");
    failure
}
