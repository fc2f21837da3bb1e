//! Yardstick: hyper on one thread, answering every request with the bytes of a healthy `GET /health`.
//!
//! No routes, no limits, no log. What the service needs beyond this is the price of everything else.
//! `cargo run --release --manifest-path benches/bare_hyper/Cargo.toml -- 127.0.0.1:9090 [BODY]`

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, VARY, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response, header::HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const BODY: &str = r#"{"status":"healthy","checks":{"api":true,"runpod_configured":true,"r2_configured":true},"checked_at":"2026-11-23T18:06:59.123Z"}"#;

const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_TYPE, "application/json"),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        HeaderName::from_static("x-request-id"),
        "req_01KAS3V8Q4XJ6Z0T5N7M9B2C1D",
    ),
    (VARY, "accept"),
];

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:9090".to_owned());
    // A constant for as long as the process runs.
    let body = arguments.next().map_or(BODY, |body| body.leak());
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(run(&address, body))
}

async fn run(address: &str, body: &'static str) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(|_| async { Ok::<_, Infallible>(answer(body)) });
            let mut builder = http1::Builder::new();
            builder.header_read_timeout(None);
            // A client that goes away is no matter here.
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.headers_mut() = HEADERS
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .into_iter()
        .collect::<HeaderMap>();
    response
}
