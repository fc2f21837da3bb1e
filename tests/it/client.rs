//! The outgoing client against every way in which an upstream can misbehave, on real sockets.

use std::process::Command;
use std::time::Duration;

use http::HeaderMap;
use infra_health::checks::client::{Answer, BODY_LIMIT, Client, Failure, TlsFailure};
use infra_health::reason::{
    CONNECT_ERROR, DNS_ERROR, INVALID_RESPONSE, RATE_LIMITED, REDIRECTED, SERVER_ERROR, TIMEOUT,
    TLS_ERROR,
};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::fixture::{Fixture, Reply, Response};
use crate::support::tls::{authority, tls_server};

/// Long enough for a busy machine; only what must time out gets less.
const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);

async fn get(url: &str, timeout: Duration) -> Result<Answer, Failure> {
    let client = Client::new(None).unwrap();
    client
        .of("test")
        .get("read", url.parse().unwrap(), HeaderMap::new(), timeout)
        .await
}

async fn answer_to(reply: impl Into<Reply>) -> Result<Answer, Failure> {
    let fixture = Fixture::start(reply).await.unwrap();
    get(&fixture.url(), PATIENCE).await
}

async fn body_of(reply: impl Into<Reply>) -> Result<String, Failure> {
    let body = answer_to(reply).await.unwrap().body;
    body.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

async fn failure_of(reply: impl Into<Reply>, scheme: &str) -> Failure {
    let fixture = Fixture::start(reply).await.unwrap();
    let url = format!("{scheme}://{}", fixture.address());
    get(&url, PATIENCE).await.unwrap_err()
}

#[tokio::test]
async fn a_good_answer_comes_whole_and_the_connection_is_kept() {
    let response = Response::new(200, "hello").header("date", "Mon, 23 Nov 2026 18:00:00 GMT");
    let fixture = Fixture::start(response).await.unwrap();
    let client = Client::new(None).unwrap().of("test");
    for _ in 0..3 {
        let mut headers = HeaderMap::new();
        headers.insert("x-test", "yes".parse().unwrap());
        let url = format!("{}/a/b?c=d", fixture.url()).parse().unwrap();
        let answer = client.get("read", url, headers, PATIENCE);
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.as_deref(), Ok(&b"hello"[..]));
        assert_eq!(answer.date().unwrap().unix_timestamp(), 1_795_456_800);
        assert!(answer.common(OffsetDateTime::UNIX_EPOCH).is_none());
    }
    assert_eq!((fixture.calls(), fixture.connections()), (3, 1));
    let request = &fixture.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("GET", "/a/b?c=d")
    );
    assert_eq!(request.header("x-test"), Some("yes"));
    assert!(
        request
            .header("user-agent")
            .unwrap()
            .starts_with("infra-health/")
    );
    assert_eq!(request.header("accept-encoding"), None);
}

#[tokio::test]
async fn the_fixture_is_scripted_by_path_and_at_run_time() {
    let fixture = Fixture::start(Response::new(200, "")).await.unwrap();
    fixture.set_path("/one", Response::new(201, ""));
    let status = async |path| {
        let url = format!("{}{path}", fixture.url());
        get(&url, PATIENCE).await.unwrap().status.as_u16()
    };
    assert_eq!((status("/one?x").await, status("/two").await), (201, 200));
    fixture.set(Response::new(202, ""));
    assert_eq!((status("/one").await, status("/two").await), (201, 202));
    assert_eq!(fixture.requests()[0].path(), "/one");
}

#[tokio::test]
async fn unresolvable() {
    let failure = get("http://no-such-host.invalid/", PATIENCE)
        .await
        .unwrap_err();
    assert_eq!(failure, Failure::Dns);
    assert_eq!(failure.finding().reason, &DNS_ERROR);
}

#[tokio::test]
async fn refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let failure = get(&url, PATIENCE).await.unwrap_err();
    assert_eq!(failure, Failure::Connect);
    assert_eq!(failure.finding().reason, &CONNECT_ERROR);
}

#[tokio::test]
async fn hanging() {
    let fixture = Fixture::start(Reply::Hang).await.unwrap();
    let failure = get(&fixture.url(), SHORT).await.unwrap_err();
    assert_eq!(failure, Failure::Timeout);
    assert_eq!(failure.finding().reason, &TIMEOUT);
}

#[tokio::test]
async fn hanging_in_the_tls_handshake() {
    let fixture = Fixture::start(Reply::Hang).await.unwrap();
    let url = format!("https://{}", fixture.address());
    assert_eq!(get(&url, SHORT).await.unwrap_err(), Failure::Timeout);
    // With time left it is the connection that failed, so that the remedy speaks of the network.
    let failure = get(&url, PATIENCE).await.unwrap_err();
    assert_eq!(failure, Failure::ConnectTimeout);
    assert_eq!(failure.finding().reason, &CONNECT_ERROR);
}

#[tokio::test]
async fn closed_before_the_head() {
    let cut = Reply::CutAfter(12, Response::new(200, ""));
    for reply in [Reply::Close, Reply::Reset, cut] {
        let failure = failure_of(reply, "http").await;
        assert_eq!(failure, Failure::Closed);
        assert_eq!(failure.finding().reason, &CONNECT_ERROR);
    }
}

#[tokio::test]
async fn not_http() {
    for bytes in ["SSH-2.0-OpenSSH_9.2\r\n", "\x15\x03\x03\0\x02\x02\x28"] {
        let failure = failure_of(Reply::Raw(bytes.into()), "http").await;
        assert_eq!(failure, Failure::NotHttp, "{bytes:?}");
        assert_eq!(failure.finding().reason, &INVALID_RESPONSE);
    }
    let endless_head = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    assert_eq!(
        failure_of(Reply::Raw(endless_head), "http").await,
        Failure::NotHttp
    );
}

#[tokio::test]
async fn dripping() {
    let fixture = Fixture::start(Reply::Drip(Response::new(200, "")))
        .await
        .unwrap();
    let answer = get(&fixture.url(), SHORT).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.unwrap_err(), Failure::Timeout);
}

#[tokio::test]
async fn too_large_with_and_without_a_length() {
    let fits = body_of(Response::new(200, vec![b'a'; BODY_LIMIT])).await;
    assert_eq!(fits.unwrap().len(), BODY_LIMIT);
    let announced = Response::new(200, "x").header("content-length", "9999999999");
    let unannounced = [
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        vec![b'a'; BODY_LIMIT + 1],
    ]
    .concat();
    for reply in [
        Reply::Raw(unannounced),
        Reply::Endless(Response::new(200, "")),
        Response::new(200, vec![b'a'; BODY_LIMIT + 1]).into(),
        announced.into(),
    ] {
        let failure = body_of(reply).await.unwrap_err();
        assert_eq!(failure, Failure::TooLarge);
        let finding = failure.finding();
        assert_eq!(finding.reason, &INVALID_RESPONSE);
        assert_eq!(finding.detail.to_string(), "larger than 64 KiB");
    }
}

#[tokio::test]
async fn cut_or_of_the_wrong_length() {
    let short = Response::new(200, "abc").header("content-length", "5");
    let whole = "HTTP/1.1 200 Scripted\r\ncontent-length: 5\r\n\r\nabc".len();
    let chunked = Response::new(200, "5\r\nabc").header("transfer-encoding", "chunked");
    for reply in [
        Reply::CutAfter(whole, short),
        Reply::CutAfter(usize::MAX, chunked),
    ] {
        let failure = body_of(reply).await.unwrap_err();
        assert_eq!(failure, Failure::Cut);
        assert_eq!(failure.finding().reason, &INVALID_RESPONSE);
    }
    let longer_than_told = Response::new(200, "abcdef").header("content-length", "3");
    assert_eq!(body_of(longer_than_told).await.unwrap(), "abc");
}

#[tokio::test]
async fn compressed_is_never_inflated() {
    // The start of a gzip stream: what matters is that nobody reads on.
    let bomb = Response::new(200, vec![0x1f, 0x8b, 8, 0]).header("content-encoding", "gzip");
    let failure = body_of(bomb).await.unwrap_err();
    assert_eq!(failure, Failure::Compressed);
    assert_eq!(failure.finding().reason, &INVALID_RESPONSE);
    let plain = Response::new(200, "plain").header("content-encoding", "identity");
    assert_eq!(body_of(plain).await.unwrap(), "plain");
}

#[tokio::test]
async fn redirects_are_named_and_never_followed() {
    let elsewhere = Fixture::start(Response::new(200, "stolen")).await.unwrap();
    for status in [301, 302, 303, 307, 308] {
        let response = Response::new(status, "").header("location", elsewhere.url());
        let answer = answer_to(response).await.unwrap();
        let (finding, _) = answer.common(OffsetDateTime::UNIX_EPOCH).unwrap();
        assert_eq!(finding.reason, &REDIRECTED);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn edge_pages_and_rate_limits() {
    let page = Response::new(502, "<html>Bad gateway</html>").header("content-type", "text/html");
    let answer = answer_to(page).await.unwrap();
    let (finding, _) = answer.common(OffsetDateTime::UNIX_EPOCH).unwrap();
    assert_eq!(finding.reason, &SERVER_ERROR);
    assert!(
        finding.message().contains("HTML page"),
        "{}",
        finding.message()
    );

    let answer = answer_to(Response::new(429, "").header("retry-after", "7"))
        .await
        .unwrap();
    let (finding, wait) = answer.common(OffsetDateTime::UNIX_EPOCH).unwrap();
    assert_eq!(
        (finding.reason, wait),
        (&RATE_LIMITED, Some(Duration::from_secs(7)))
    );
}

#[tokio::test]
async fn tls_alert_40() {
    let alert = vec![0x15, 3, 3, 0, 2, 2, 40];
    let failure = failure_of(Reply::Raw(alert), "https").await;
    assert_eq!(failure, Failure::Tls(TlsFailure::HandshakeFailure));
    assert_eq!(failure.finding().reason, &TLS_ERROR);
}

#[tokio::test]
async fn tls_against_a_port_that_does_not_speak_it() {
    let failure = failure_of(
        Reply::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".into()),
        "https",
    )
    .await;
    assert_eq!(failure, Failure::Tls(TlsFailure::NotTls));
    let failure = failure_of(Reply::Raw(Vec::new()), "https").await;
    assert_eq!(failure, Failure::Tls(TlsFailure::Closed));
}

#[tokio::test]
async fn tls_with_an_unknown_issuer() {
    let url = tls_server(&authority(), |_| {}).await;
    assert_eq!(
        get(&url, PATIENCE).await.unwrap_err(),
        Failure::Tls(TlsFailure::UnknownIssuer)
    );
}

/// A child process whose whole CA bundle is ours: the real way in which trust is set up.
#[tokio::test]
async fn tls_with_a_trusted_issuer() {
    let authority = authority();
    let bundle = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(bundle.path(), authority.pem()).unwrap();
    let day = time::Duration::days(1);
    let now = OffsetDateTime::now_utc();
    let good = tls_server(&authority, |_| {}).await;
    let expired = tls_server(&authority, |c| {
        (c.not_before, c.not_after) = (now - 2 * day, now - day);
    })
    .await;
    let early = tls_server(&authority, |c| {
        (c.not_before, c.not_after) = (now + day, now + 2 * day);
    })
    .await;
    let other = tls_server(&authority, |c| c.subject_alt_names.clear()).await;
    for (url, expected) in [
        (&good, "200"),
        (&expired, "Tls(Expired)"),
        (&early, "Tls(NotYetValid)"),
        (&other, "Tls(WrongName)"),
    ] {
        let said = child(url, bundle.path().to_str().unwrap()).await;
        assert!(
            said.contains(&format!("<{expected}>")),
            "{expected}: {said}"
        );
    }
}

/// An image without `ca-certificates` must say so, not crash.
#[tokio::test]
async fn tls_without_any_ca_bundle() {
    if let Ok(url) = std::env::var(CHILD_URL) {
        return say(&url).await;
    }
    let url = tls_server(&authority(), |_| {}).await;
    let said = child(&url, "/nonexistent/bundle.pem").await;
    assert!(said.contains("<Tls(UnknownIssuer)>"), "{said}");
}

/// Set in a child only: what it asks.
const CHILD_URL: &str = "CLIENT_TEST_URL";

/// Runs [`say`] in a process of its own with this CA bundle, as the environment is read once a process;
/// returns what it printed.
async fn child(url: &str, bundle: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "client::tls_without_any_ca_bundle",
            "--nocapture",
        ])
        .env("SSL_CERT_FILE", bundle)
        .env("SSL_CERT_DIR", "/nonexistent")
        // Nothing listens there: a client that obeyed the environment would fail.
        .envs(["ALL_PROXY", "HTTPS_PROXY", "https_proxy"].map(|name| (name, "http://127.0.0.1:9")))
        .env(CHILD_URL, url);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn say(url: &str) {
    match get(url, PATIENCE).await {
        Ok(answer) => println!("<{}>", answer.status.as_u16()),
        Err(failure) => println!("<{failure:?}>"),
    }
}

/// A proxy with a password gets it, decoded; a refusal is told without it.
#[tokio::test]
async fn a_proxy_gets_its_user_info_and_nobody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            seen.push(socket.read_u8().await.unwrap());
        }
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
        socket.write_all(refusal).await.unwrap();
        String::from_utf8(seen).unwrap()
    });
    let proxy = format!("c4n4ry:p%40w@{address}").parse().unwrap();
    let client = Client::new(Some(proxy)).unwrap();
    assert!(!format!("{client:?}").contains("c4n4ry"));
    let url = "https://upstream.invalid/".parse().unwrap();
    let failure = client
        .of("test")
        .get("read", url, HeaderMap::new(), PATIENCE)
        .await
        .unwrap_err();
    assert!(!format!("{failure:?}").contains("c4n4ry"));
    let asked = asked.await.unwrap().to_ascii_lowercase();
    // "c4n4ry:p@w".
    let expected = "proxy-authorization: basic yzrunhj5onbadw==";
    assert!(asked.contains(expected), "{asked}");
}
