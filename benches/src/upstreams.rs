//! RunPod and R2, played on loopback, and the service's configuration that points to them.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use tokio::runtime::Runtime;

use crate::fixture::{Fixture, Reply, Response};

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
}

impl Upstreams {
    /// Starts both on `runtime`.
    pub fn start(
        runtime: &Runtime,
        runpod: impl Into<Reply>,
        r2: impl Into<Reply>,
    ) -> io::Result<Self> {
        runtime.block_on(async {
            Ok(Upstreams {
                runpod: Fixture::start(runpod).await?,
                r2: Fixture::start(r2).await?,
            })
        })
    }

    /// How many requests both have had.
    pub fn calls(&self) -> usize {
        self.runpod.calls() + self.r2.calls()
    }

    /// How many connections both have had.
    pub fn connections(&self) -> usize {
        self.runpod.connections() + self.r2.connections()
    }

    /// Gives `command` an environment with these upstreams, one key, and a limit that no benchmark reaches;
    /// everything else stays at its default.
    pub fn configure(&self, command: &mut Command, listen: SocketAddr) {
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs([
            ("HOST", listen.ip().to_string()),
            ("PORT", listen.port().to_string()),
            ("RUNPOD_API_KEY", "rpa_BENCHMARK0123456789".to_owned()),
            ("RUNPOD_ENDPOINT_ID", "bench0endpoint".to_owned()),
            (
                "RUNPOD_ENDPOINT_BASE_URL",
                format!("{}/v2", self.runpod.url()),
            ),
            ("R2_ENDPOINT_URL", self.r2.url()),
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
