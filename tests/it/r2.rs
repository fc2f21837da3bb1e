//! `r2_configured`: every answer that R2 is known to give, on real sockets, and a real S3 server that
//! verifies the signature.

use std::time::{Duration, SystemTime};

use infra_health::check::{Check, Context, Outcome};
use infra_health::checks::client::Client;
use infra_health::checks::r2::{self, R2Check, R2Data};
use infra_health::clock::Clock;
use infra_health::config::secret::Current;
use infra_health::config::{Problem, R2, Setup};
use infra_health::detail::{Detail, Label};
use infra_health::reason::{
    BLOCKED_BY_WAF, Class, MALFORMED_CONFIG, MISSING_CONFIG, RATE_LIMITED, REDIRECTED, Reason,
    SERVER_ERROR, TIMEOUT, TLS_ERROR,
};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::fixture::{Fixture, Reply, Response};
use crate::support::s3::{Manner, S3Server, Token};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const BUCKET: &str = "videos";
const LISTING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult \
    xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>videos</Name><MaxKeys>1</MaxKeys>\
    <IsTruncated>false</IsTruncated></ListBucketResult>";

fn settings(endpoint: &str) -> R2 {
    R2 {
        endpoint: endpoint.parse().unwrap(),
        bucket: Label::new(BUCKET).unwrap(),
        access_key_id: SecretString::from(KEY),
        secret_access_key: SecretString::from(SECRET),
        session_token: None,
    }
}

async fn run_with(setup: Setup<R2>, client: Client, ahead: time::Duration) -> Outcome<R2Data> {
    let mut check = R2Check::new(Current::fixed(setup), &client);
    let clock = Clock::shifted(ahead);
    let outcome = check
        .run(&Context {
            clock,
            timeout: Duration::from_secs(10),
        })
        .await;
    for finding in &outcome.findings {
        let known = R2Check::REASONS.iter().chain(infra_health::reason::COMMON);
        assert!(
            known.into_iter().any(|reason| *reason == finding.reason),
            "{finding:?}"
        );
    }
    outcome
}

async fn run(r2: R2) -> Outcome<R2Data> {
    run_with(
        Setup::Ready(r2),
        Client::new(None).unwrap(),
        time::Duration::ZERO,
    )
    .await
}

async fn run_against(reply: impl Into<Reply>) -> Outcome<R2Data> {
    let fixture = Fixture::start(reply).await.unwrap();
    run(settings(&fixture.url())).await
}

fn reasons(outcome: &Outcome<R2Data>) -> Vec<&'static str> {
    outcome
        .findings
        .iter()
        .map(|finding| finding.reason.code)
        .collect()
}

fn message(outcome: &Outcome<R2Data>) -> String {
    outcome.worst().unwrap().message()
}

/// As R2 writes it: one line, no request id.
fn error(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code>\
         <Message>{message}</Message></Error>"
    );
    Response::new(status, body).header("content-type", "application/xml")
}

fn html(status: u16) -> Response {
    let page = "<!DOCTYPE html><html><body>Error</body></html>";
    Response::new(status, page).header("content-type", "text/html; charset=UTF-8")
}

fn date(ahead: i64) -> String {
    let now = i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let at = Duration::from_secs(u64::try_from(now + ahead).unwrap());
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + at)
}

/// One row an answer with a code: what R2 means, status, code, and our reason.
const CATALOGUE: &[(&str, u16, &str, &Reason)] = &[
    (
        "key of wrong length",
        400,
        "InvalidArgument",
        &r2::ACCESS_KEY_MALFORMED,
    ),
    (
        "unknown, deleted or expired key",
        401,
        "Unauthorized",
        &r2::INVALID_ACCESS_KEY,
    ),
    (
        "unknown key, the other report",
        403,
        "InvalidAccessKeyId",
        &r2::INVALID_ACCESS_KEY,
    ),
    (
        "wrong secret",
        403,
        "SignatureDoesNotMatch",
        &r2::SIGNATURE_MISMATCH,
    ),
    ("clock skew", 403, "RequestTimeTooSkewed", &r2::CLOCK_SKEW),
    (
        "expired, by the error codes",
        400,
        "ExpiredRequest",
        &r2::CREDENTIALS_EXPIRED,
    ),
    (
        "expired, by the pricing page",
        403,
        "ExpiredRequest",
        &r2::CREDENTIALS_EXPIRED,
    ),
    (
        "expired session token",
        400,
        "ExpiredToken",
        &r2::CREDENTIALS_EXPIRED,
    ),
    (
        "missing permission",
        403,
        "AccessDenied",
        &r2::ACCESS_DENIED,
    ),
    ("bucket missing", 404, "NoSuchBucket", &r2::BUCKET_NOT_FOUND),
    (
        "bad bucket name",
        400,
        "InvalidBucketName",
        &r2::BUCKET_NAME_INVALID,
    ),
    (
        "wrong region",
        400,
        "InvalidRegionName",
        &r2::REGION_INVALID,
    ),
    (
        "wrong region, other services",
        400,
        "AuthorizationHeaderMalformed",
        &r2::REGION_INVALID,
    ),
    ("R2 not enabled", 403, "NotEntitled", &r2::NOT_ENTITLED),
    (
        "no such key: senseless here",
        404,
        "NoSuchKey",
        &r2::REQUEST_REFUSED,
    ),
    (
        "bucket lock: senseless here",
        403,
        "ObjectLockedByBucketPolicy",
        &r2::REQUEST_REFUSED,
    ),
    (
        "rate limit, as documented",
        429,
        "TooManyRequests",
        &RATE_LIMITED,
    ),
    (
        "rate limit, as reported",
        429,
        "ServiceUnavailable",
        &RATE_LIMITED,
    ),
    ("internal", 500, "InternalError", &SERVER_ERROR),
    ("unavailable", 503, "ServiceUnavailable", &SERVER_ERROR),
    ("not implemented", 501, "NotImplemented", &SERVER_ERROR),
    ("request timeout", 408, "RequestTimeout", &SERVER_ERROR),
];

#[tokio::test]
async fn every_answer_of_the_catalogue() {
    let fixture = Fixture::start(Reply::Close).await.unwrap();
    for &(case, status, code, expected) in CATALOGUE {
        fixture.set(error(status, code, "What R2 says to people."));
        let outcome = run(settings(&fixture.url())).await;
        assert_eq!(reasons(&outcome), [expected.code], "{case}");
        assert!(outcome.data.is_some(), "{case}");
    }
}

#[tokio::test]
async fn answers_that_are_not_from_the_api() {
    for status in [500, 502, 520, 522, 530] {
        let outcome = run_against(html(status)).await;
        assert_eq!(reasons(&outcome), [SERVER_ERROR.code], "{status}");
        assert!(
            message(&outcome).contains("not from the API"),
            "{}",
            message(&outcome)
        );
    }
    let challenge = html(403).header("cf-mitigated", "challenge");
    assert_eq!(
        reasons(&run_against(challenge).await),
        [BLOCKED_BY_WAF.code]
    );
    let elsewhere = Fixture::start(Response::new(200, LISTING)).await.unwrap();
    let redirect = Response::new(307, "").header("location", elsewhere.url());
    assert_eq!(reasons(&run_against(redirect).await), [REDIRECTED.code]);
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_listing_passes_and_the_request_is_what_r2_wants() {
    let fixture = Fixture::start(
        Response::new(200, LISTING)
            .header("content-type", "application/xml")
            .header("date", date(-2))
            .header("cf-ray", "8f0c5e2b1a3d4c6e-FRA"),
    )
    .await
    .unwrap();
    let outcome = run(settings(&fixture.url())).await;
    assert_eq!(reasons(&outcome), [""; 0]);
    let data = serde_json::to_value(outcome.data.unwrap()).unwrap();
    assert_eq!(data["bucket"], BUCKET);
    assert_eq!(data["host"], fixture.address().to_string());
    assert_eq!(data["cf_ray"], "8f0c5e2b1a3d4c6e-FRA");
    let offset = data["clock_offset_seconds"].as_i64().unwrap();
    assert!((1..60).contains(&offset), "{offset}");

    let request = &fixture.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("GET", "/videos?list-type=2&max-keys=1")
    );
    assert_eq!(
        request.header("host"),
        Some(&*fixture.address().to_string())
    );
    assert!(
        request
            .header("x-amz-content-sha256")
            .unwrap()
            .starts_with("e3b0c442")
    );
    assert!(
        request
            .header("authorization")
            .unwrap()
            .contains("/auto/s3/aws4_request")
    );
    assert_eq!(
        request
            .header("expect")
            .or(request.header("x-amz-security-token")),
        None
    );
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test]
async fn a_200_that_is_no_listing() {
    let bomb = "<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]>\
        <ListBucketResult><Name>&b;</Name></ListBucketResult>";
    for (case, response) in [
        ("portal page", html(200)),
        ("page without a type", Response::new(200, "<html></html>")),
        ("empty", Response::new(200, "")),
        ("other XML", Response::new(200, "<ListAllMyBucketsResult/>")),
        ("error in a 200", error(200, "AccessDenied", "x")),
        (
            "not closed",
            Response::new(200, &LISTING[..LISTING.len() - 5]),
        ),
        (
            "JSON",
            Response::new(200, "{}").header("content-type", "application/json"),
        ),
        (
            "listing of a wrong type",
            Response::new(200, LISTING).header("content-type", "text/plain"),
        ),
        (
            "entity bomb",
            Response::new(200, bomb).header("content-type", "application/xml"),
        ),
        (
            "too large",
            Response::new(200, LISTING.to_owned() + &" ".repeat(70_000)),
        ),
        (
            "compressed",
            Response::new(200, LISTING).header("content-encoding", "gzip"),
        ),
        ("part of a listing", Response::new(206, LISTING)),
        (
            "another 2xx",
            Response::new(204, "").header("content-length", "0"),
        ),
        (
            "wrong length",
            Response::new(200, LISTING).header("content-length", "100"),
        ),
    ] {
        let outcome = run_against(response).await;
        assert_eq!(reasons(&outcome), ["invalid_response"], "{case}");
    }
    let cut = Reply::CutAfter(150, Response::new(200, LISTING));
    assert_eq!(reasons(&run_against(cut).await), ["invalid_response"]);
    assert_eq!(
        reasons(&run_against(Response::new(200, LISTING)).await),
        [""; 0]
    );
}

#[tokio::test]
async fn a_refusal_without_a_readable_code_is_transient_and_names_the_status() {
    for (case, response, hint) in [
        ("empty 401", Response::new(401, ""), "HTTP 401"),
        ("403 page", html(403), "HTTP 403 with an HTML page"),
        ("404 page", html(404), "HTTP 404 with an HTML page"),
        (
            "error without a code",
            Response::new(400, "<Error/>"),
            "HTTP 400",
        ),
        (
            "code with markup",
            error(403, "Access Denied", "x"),
            "HTTP 403",
        ),
        (
            "JSON",
            Response::new(403, "{\"error\":\"AccessDenied\"}"),
            "HTTP 403",
        ),
    ] {
        let outcome = run_against(response).await;
        assert_eq!(reasons(&outcome), ["invalid_response"], "{case}");
        assert_eq!(outcome.worst().unwrap().class(), Class::Transient);
        assert!(
            message(&outcome).contains(hint),
            "{case}: {}",
            message(&outcome)
        );
    }
}

#[tokio::test]
async fn a_refusal_with_an_unknown_code_is_r2s_own_and_names_the_status() {
    for (status, code) in [
        (400, "InvalidToken"),
        (400, "XAmzContentSHA256Mismatch"),
        (418, "Teapot"),
    ] {
        let outcome = run_against(error(status, code, "x")).await;
        assert_eq!(reasons(&outcome), ["request_refused"], "{code}");
        assert_eq!(outcome.worst().unwrap().class(), Class::Transient);
        let message = message(&outcome);
        assert!(message.ends_with(&format!("HTTP {status}")), "{message}");
        assert!(!message.contains(code), "{message}");
    }
}

#[tokio::test]
async fn retry_after_is_kept() {
    let limited = error(429, "ServiceUnavailable", "x").header("retry-after", "5");
    assert_eq!(
        run_against(limited).await.retry_after,
        Some(Duration::from_secs(5))
    );
}

#[tokio::test]
async fn hanging_and_dripping_are_timeouts() {
    for reply in [
        Reply::Hang,
        Reply::Drip(Response::new(200, "")),
        Reply::Drip(Response::new(403, "")),
    ] {
        let fixture = Fixture::start(reply).await.unwrap();
        let setup = Setup::Ready(settings(&fixture.url()));
        let mut check = R2Check::new(Current::fixed(setup), &Client::new(None).unwrap());
        let cx = Context {
            clock: Clock::default(),
            timeout: Duration::from_millis(200),
        };
        let outcome = check.run(&cx).await;
        assert_eq!(reasons(&outcome), [TIMEOUT.code]);
        assert_eq!(outcome.data.unwrap().bucket.as_str(), BUCKET);
    }
}

#[tokio::test]
async fn nothing_of_the_answer_or_the_secrets_is_shown() {
    // R2 echoes the canonical request, and with it the session token, to a wrong secret.
    let echo = "upstream-text x-amz-security-token:t0ken-canary";
    let response = error(403, "SignatureDoesNotMatch", echo).header("cf-ray", "t0ken-canary");
    let fixture = Fixture::start(response).await.unwrap();
    let mut r2 = settings(&fixture.url());
    r2.session_token = Some(SecretString::from("t0ken-canary"));
    let outcome = run(r2).await;
    let shown = format!("{outcome:?} {}", message(&outcome));
    for canary in [KEY, SECRET, "t0ken-canary", "upstream-text", "AWS4"] {
        assert!(!shown.contains(canary), "{shown}");
    }
    assert_eq!(
        fixture.requests()[0].header("x-amz-security-token"),
        Some("t0ken-canary")
    );
}

#[tokio::test]
async fn a_key_of_wrong_length_is_told_with_its_length() {
    let fixture = Fixture::start(error(400, "InvalidArgument", "x"))
        .await
        .unwrap();
    let mut r2 = settings(&fixture.url());
    r2.access_key_id = SecretString::from(SECRET);
    let outcome = run(r2).await;
    assert!(
        message(&outcome).contains("it has 64 characters"),
        "{}",
        message(&outcome)
    );
}

#[tokio::test]
async fn drift_is_read_from_every_answer() {
    for (ahead, drifts) in [
        (0, false),
        (-290, false),
        (290, false),
        (-310, true),
        (310, true),
    ] {
        let response = Response::new(200, LISTING).header("date", date(ahead));
        let outcome = run_against(response).await;
        let expected = if drifts { vec!["clock_drift"] } else { vec![] };
        assert_eq!(reasons(&outcome), expected, "{ahead}");
    }
    let outcome = run_against(error(404, "NoSuchBucket", "x").header("date", date(-600))).await;
    assert_eq!(reasons(&outcome), ["bucket_not_found", "clock_drift"]);
    assert!(outcome.findings[1].message().contains("s ahead of R2's"));

    // One matter, one finding; the refusal says by how much.
    let outcome =
        run_against(error(403, "RequestTimeTooSkewed", "x").header("date", date(1200))).await;
    assert_eq!(reasons(&outcome), ["clock_skew"]);
    assert!(
        message(&outcome).contains("s behind R2's"),
        "{}",
        message(&outcome)
    );
    assert_eq!(
        run_against(error(403, "RequestTimeTooSkewed", "x").header("date", "soon"))
            .await
            .data
            .unwrap()
            .clock_offset_seconds,
        None
    );
}

#[tokio::test]
async fn configuration_that_is_not_ready_makes_no_call() {
    let client = Client::new(None).unwrap();
    let missing = Setup::Missing(vec!["R2_BUCKET", "R2_ACCESS_KEY_ID"]);
    let outcome = run_with(missing, client.clone(), time::Duration::ZERO).await;
    assert_eq!(reasons(&outcome), [MISSING_CONFIG.code]);
    assert!(message(&outcome).ends_with("R2_BUCKET, R2_ACCESS_KEY_ID"));
    let wrong = Detail::new().text("has ").number(5).text(" characters");
    let problem = Problem {
        variable: "R2_ACCOUNT_ID",
        wrong,
        accepted: "32 hex digits",
    };
    let outcome = run_with(
        Setup::Malformed(vec![problem]),
        client,
        time::Duration::ZERO,
    )
    .await;
    assert_eq!(reasons(&outcome), [MALFORMED_CONFIG.code]);
    assert!(message(&outcome).ends_with("R2_ACCOUNT_ID has 5 characters; accepted: 32 hex digits"));
}

/// Alert 40 for a host of R2, through a proxy so that the name needs no resolution: the account does
/// not exist. For any other host it is a TLS error.
#[tokio::test]
async fn alert_40_means_no_such_account_on_r2s_own_hosts() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = proxy.accept().await {
            let mut seen = [0; 4096];
            let _ = socket.read(&mut seen).await?;
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            let _ = socket.read(&mut seen).await?;
            socket.write_all(&[0x15, 3, 3, 0, 2, 2, 40]).await?;
            socket.shutdown().await?;
        }
        std::io::Result::Ok(())
    });
    let client = Client::new(Some(url.parse().unwrap())).unwrap();
    for (host, expected) in [
        (
            "0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com",
            &r2::ACCOUNT_NOT_FOUND,
        ),
        (
            "0123456789abcdef0123456789abcdef.eu.r2.cloudflarestorage.com",
            &r2::ACCOUNT_NOT_FOUND,
        ),
        ("r2.cloudflarestorage.com.example.invalid", &TLS_ERROR),
        ("xr2.cloudflarestorage.com", &TLS_ERROR),
    ] {
        let setup = Setup::Ready(settings(&format!("https://{host}")));
        let outcome = run_with(setup, client.clone(), time::Duration::ZERO).await;
        assert_eq!(reasons(&outcome), [expected.code], "{host}");
        assert_eq!(outcome.data.unwrap().host.unwrap().as_str(), host);
    }
}

fn token(buckets: Option<&[&str]>) -> Token {
    let buckets = buckets.map(|names| names.iter().map(|&name| name.to_owned()).collect());
    Token {
        id: KEY.to_owned(),
        secret: SECRET.to_owned(),
        buckets,
    }
}

async fn s3(buckets: Option<&[&str]>) -> S3Server {
    let server = S3Server::start(vec![token(buckets)]).await.unwrap();
    server.create_bucket(BUCKET).unwrap();
    server
}

#[tokio::test]
async fn a_real_server_accepts_the_signature() {
    for buckets in [None, Some(&[BUCKET][..])] {
        let server = s3(buckets).await;
        assert_eq!(reasons(&run(settings(&server.url())).await), [""; 0]);
        let mut with_token = settings(&server.url());
        with_token.session_token = Some(SecretString::from("any+token/with=signs"));
        assert_eq!(reasons(&run(with_token).await), [""; 0]);
    }
}

#[tokio::test]
async fn a_real_server_refuses_wrong_credentials() {
    let server = s3(None).await;
    let mut r2 = settings(&server.url());
    r2.secret_access_key = SecretString::from("wrong");
    assert_eq!(reasons(&run(r2.clone()).await), ["signature_mismatch"]);
    r2.access_key_id = SecretString::from("f".repeat(32));
    assert_eq!(reasons(&run(r2.clone()).await), ["invalid_access_key"]);
    r2.access_key_id = SecretString::from("short");
    assert_eq!(reasons(&run(r2).await), ["access_key_malformed"]);
    // Revoked while the service runs, and back.
    server.set_tokens(Vec::new());
    assert_eq!(
        reasons(&run(settings(&server.url())).await),
        ["invalid_access_key"]
    );
    server.set_tokens(vec![token(None)]);
    assert_eq!(reasons(&run(settings(&server.url())).await), [""; 0]);
}

#[tokio::test]
async fn a_real_server_without_the_bucket() {
    let server = s3(None).await;
    server.delete_bucket(BUCKET).unwrap();
    assert_eq!(
        reasons(&run(settings(&server.url())).await),
        ["bucket_not_found"]
    );
    let limited = s3(Some(&["another"])).await;
    assert_eq!(
        reasons(&run(settings(&limited.url())).await),
        ["access_denied"]
    );
}

#[tokio::test]
async fn a_real_server_and_a_wrong_clock() {
    let server = s3(None).await;
    let client = Client::new(None).unwrap();
    for (minutes, expected, words) in [
        (20, "clock_skew", "s ahead of R2's"),
        (-20, "clock_skew", "s behind R2's"),
        (6, "clock_drift", "s ahead of R2's"),
        (-6, "clock_drift", "s behind R2's"),
    ] {
        let setup = Setup::Ready(settings(&server.url()));
        let outcome = run_with(setup, client.clone(), time::Duration::minutes(minutes)).await;
        assert_eq!(reasons(&outcome), [expected], "{minutes}");
        assert!(
            message(&outcome).contains(words),
            "{minutes}: {}",
            message(&outcome)
        );
        let offset = outcome.data.unwrap().clock_offset_seconds.unwrap();
        assert!((offset - minutes * 60).abs() < 60, "{minutes}: {offset}");
    }
}

#[tokio::test]
async fn a_real_server_with_a_wrong_clock_of_its_own() {
    let server = s3(None).await;
    server.set_manner(Manner {
        date_ahead: Duration::from_mins(10),
        ..Manner::default()
    });
    let outcome = run(settings(&server.url())).await;
    assert_eq!(reasons(&outcome), ["clock_drift"]);
    assert!(message(&outcome).contains("s behind R2's"));
}
