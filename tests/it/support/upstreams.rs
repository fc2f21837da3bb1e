//! Both upstreams of a healthy service: a RunPod-shaped API and a real S3 server.

use super::fixture::{Fixture, Reply, Response};
use super::s3::{S3Server, Token};

pub(crate) const RUNPOD_KEY: &str = "rpa_0123456789";
pub(crate) const BUCKET: &str = "videos";
/// 32 characters, as R2's.
pub(crate) const ACCESS_KEY: &str = "0123456789abcdef0123456789abcdef";
/// 64 hex digits, as R2's.
pub(crate) const SECRET_KEY: &str =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Names and values of environment variables.
pub(crate) type Pairs = Vec<(&'static str, String)>;

/// What RunPod answers of an endpoint with one idle worker.
pub(crate) fn fit_endpoint() -> Response {
    let body = r#"{"jobs":{"completed":31,"failed":0,"inProgress":0,"inQueue":0,"retried":0},"workers":{"idle":1,"initializing":0,"ready":1,"running":0,"throttled":0,"unhealthy":0}}"#;
    Response::new(200, body).header("content-type", "application/json")
}

/// What R2 answers of a bucket that it may list.
pub(crate) fn listing() -> Response {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult \
        xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>videos</Name></ListBucketResult>";
    Response::new(200, body).header("content-type", "application/xml")
}

/// The variables that lead to these two.
pub(crate) fn pairs(runpod: &str, r2: &str) -> Pairs {
    vec![
        ("RUNPOD_API_KEY", RUNPOD_KEY.to_owned()),
        ("RUNPOD_ENDPOINT_ID", "main=abc".to_owned()),
        ("RUNPOD_ENDPOINT_BASE_URL", format!("{runpod}/v2")),
        ("R2_ENDPOINT_URL", r2.to_owned()),
        ("R2_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("R2_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("R2_BUCKET", BUCKET.to_owned()),
    ]
}

/// Both, healthy.
pub(crate) struct Upstreams {
    pub(crate) runpod: Fixture,
    pub(crate) s3: S3Server,
}

impl Upstreams {
    pub(crate) async fn start() -> Upstreams {
        let s3 = S3Server::start(vec![Self::token(ACCESS_KEY)])
            .await
            .unwrap();
        s3.create_bucket(BUCKET).unwrap();
        Upstreams {
            runpod: Fixture::start(fit_endpoint()).await.unwrap(),
            s3,
        }
    }

    /// A token with [`SECRET_KEY`] for all buckets.
    pub(crate) fn token(id: &str) -> Token {
        Token {
            id: id.to_owned(),
            secret: SECRET_KEY.to_owned(),
            buckets: None,
        }
    }

    pub(crate) fn pairs(&self) -> Pairs {
        pairs(&self.runpod.url(), &self.s3.url())
    }
}

/// Both scripted by hand, answering alike.
pub(crate) struct Scripted {
    pub(crate) runpod: Fixture,
    pub(crate) r2: Fixture,
}

impl Scripted {
    pub(crate) async fn start(runpod: impl Into<Reply>, r2: impl Into<Reply>) -> Scripted {
        Scripted {
            runpod: Fixture::start(runpod).await.unwrap(),
            r2: Fixture::start(r2).await.unwrap(),
        }
    }

    pub(crate) fn pairs(&self) -> Pairs {
        pairs(&self.runpod.url(), &self.r2.url())
    }
}
