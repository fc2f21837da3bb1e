//! Name resolution with a time limit and an error type of its own, so that its failures can be told
//! apart from those of a connection.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;

use super::phases::Timer;
use crate::calls::Phase;

/// The client counts name resolution as part of connecting, and the system's resolver waits 5 s for a
/// server: without a limit below [`super::CONNECT_TIMEOUT`] a silent resolver would look like a dead host.
pub(super) const DNS_TIMEOUT: Duration = Duration::from_millis(2_500);

/// A name did not resolve.
#[derive(Debug, thiserror::Error)]
pub(super) enum DnsError {
    #[error("name resolution failed")]
    Refused(#[source] io::Error),
    #[error("name resolution took too long")]
    Silent,
}

/// A resolver over `L`, which looks up one name.
pub(super) struct Resolver<L>(pub(super) L);

impl<L, F> Resolve for Resolver<L>
where
    L: Fn(Name) -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
{
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = timeout(DNS_TIMEOUT, (self.0)(name));
        let timer = Timer::start(Phase::Dns);
        Box::pin(async move {
            let found = lookup.await.map_err(|_late| DnsError::Silent)?;
            let addresses = found.map_err(DnsError::Refused)?;
            timer.stop();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Asks the system's resolver.
pub(super) async fn system(name: Name) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::super::{CONNECT_TIMEOUT, Client, Failure, builder};
    use super::*;
    use crate::calls::Calls;
    use crate::reason::DNS_ERROR;

    /// How a call of a host ends whose name is looked up by `lookup`.
    async fn call<F>(lookup: impl Fn(Name) -> F + Send + Sync + 'static) -> Failure
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        let client = builder(None)
            .dns_resolver(Resolver(lookup))
            .build()
            .unwrap();
        let url = "http://host.test/".parse().unwrap();
        let limit = CONNECT_TIMEOUT * 4;
        let client = Client {
            http: client,
            calls: Calls::default(),
        };
        client
            .of("test")
            .get("read", url, HeaderMap::new(), limit)
            .await
            .unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_resolver_is_a_failure_of_dns_and_not_of_the_connection() {
        let silent = call(|_| std::future::pending()).await;
        assert_eq!(silent, Failure::DnsTimeout);
        assert_eq!(silent.finding().reason, &DNS_ERROR);
        let message = silent.finding().message();
        assert!(
            message.contains("the resolver did not answer in time"),
            "{message}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_refuses_is_a_failure_of_dns() {
        let refused = call(async |_| Err(io::Error::other("no such host"))).await;
        assert_eq!(refused, Failure::Dns);
    }
}
