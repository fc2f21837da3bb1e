//! RunPod and R2, played on loopback, and the service's configuration that points to them.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::Command;

use tempfile::NamedTempFile;
use tokio::runtime::Runtime;

use crate::fixture::{Fixture, Reply, Response};
use crate::terminator::Terminator;

/// Where Debian, and the service's image, have the authorities that everybody trusts.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// An operator key of the service.
pub const KEY: &str = "an-operator-key-for-benchmarks";

const COUNTS: &str = r#"{"jobs":{"completed":31,"failed":0,"inProgress":0,"inQueue":0,"retried":0},"workers":{"idle":1,"initializing":0,"ready":1,"running":0,"throttled":0,"unhealthy":0}}"#;
const LISTING: &str = r#"<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>videos</Name><MaxKeys>1</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"#;

/// What RunPod answers for a fit endpoint.
pub fn fit_endpoint() -> Response {
    Response::new(200, COUNTS).header("content-type", "application/json")
}

/// What R2 answers for a bucket that is there.
pub fn listing() -> Response {
    Response::new(200, LISTING).header("content-type", "application/xml")
}

/// The two upstreams.
#[derive(Debug)]
pub struct Upstreams {
    runpod: Fixture,
    r2: Fixture,
    tls: Option<Tls>,
}

/// What stands in front of both, and the file of the authorities to trust: everybody's, and these two's.
#[derive(Debug)]
struct Tls {
    runpod: Terminator,
    r2: Terminator,
    authorities: NamedTempFile,
}

impl Tls {
    async fn start(runpod: &Fixture, r2: &Fixture) -> io::Result<Self> {
        let runpod = Terminator::start(runpod.address()).await?;
        let r2 = Terminator::start(r2.address()).await?;
        let mut authorities = NamedTempFile::new()?;
        // As many as in production, where there are any: they take memory.
        let all = fs::read_to_string(AUTHORITIES).unwrap_or_default();
        for some in [&all, runpod.authority(), r2.authority()] {
            writeln!(authorities, "{some}")?;
        }
        Ok(Tls {
            runpod,
            r2,
            authorities,
        })
    }
}

impl Upstreams {
    /// Starts both on `runtime`; they speak plain HTTP.
    pub fn start(
        runtime: &Runtime,
        runpod: impl Into<Reply>,
        r2: impl Into<Reply>,
    ) -> io::Result<Self> {
        runtime.block_on(async {
            Ok(Upstreams {
                runpod: Fixture::start(runpod).await?,
                r2: Fixture::start(r2).await?,
                tls: None,
            })
        })
    }

    /// Starts both, healthy and behind TLS, as in production.
    pub fn start_with_tls(runtime: &Runtime) -> io::Result<Self> {
        let plain = Upstreams::start(runtime, fit_endpoint(), listing())?;
        let tls = runtime.block_on(Tls::start(&plain.runpod, &plain.r2))?;
        Ok(Upstreams {
            tls: Some(tls),
            ..plain
        })
    }

    /// How many requests both have had.
    pub fn calls(&self) -> usize {
        self.runpod.calls() + self.r2.calls()
    }

    /// How many connections RunPod and R2 have had; behind TLS, those whose handshake ended well.
    pub fn connections(&self) -> [usize; 2] {
        match &self.tls {
            None => [self.runpod.connections(), self.r2.connections()],
            Some(tls) => [tls.runpod.handshakes(), tls.r2.handshakes()],
        }
    }

    /// Gives `command` an environment with these upstreams, one key, and a limit that no benchmark reaches;
    /// everything else stays at its default.
    pub fn configure(&self, command: &mut Command, listen: SocketAddr) {
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let (runpod, r2) = match &self.tls {
            None => (self.runpod.url(), self.r2.url()),
            Some(tls) => {
                command.env("SSL_CERT_FILE", tls.authorities.path());
                (tls.runpod.url(), tls.r2.url())
            }
        };
        command.envs([
            ("HOST", listen.ip().to_string()),
            ("PORT", listen.port().to_string()),
            ("RUNPOD_API_KEY", "rpa_BENCHMARK0123456789".to_owned()),
            ("RUNPOD_ENDPOINT_ID", "bench0endpoint".to_owned()),
            ("RUNPOD_ENDPOINT_BASE_URL", format!("{runpod}/v2")),
            ("R2_ENDPOINT_URL", r2),
            ("R2_ACCESS_KEY_ID", "0123456789abcdef".repeat(2)),
            ("R2_SECRET_ACCESS_KEY", "0123456789abcdef".repeat(4)),
            ("R2_BUCKET", "videos".to_owned()),
            ("API_KEYS", KEY.to_owned()),
            ("RATE_LIMIT_PER_SECOND", "1000000".to_owned()),
            ("RATE_LIMIT_BURST", "1000000".to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
        ]);
    }
}
