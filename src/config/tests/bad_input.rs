//! A table of bad input: one named case each, with the exact sentence.

use std::fs;
use std::path::Path;

use super::{good_but, problems, resolve};

struct Case {
    name: &'static str,
    set: &'static [(&'static str, &'static str)],
    said: &'static str,
}

const fn case(
    name: &'static str,
    set: &'static [(&'static str, &'static str)],
    said: &'static str,
) -> Case {
    Case { name, set, said }
}

const KEY: &str = "the key alone, as RunPod's console shows it once";

/// Values of the service: it does not start.
const SERVICE: &[Case] = &[
    case(
        "port out of range",
        &[("PORT", "65536")],
        "PORT is out of range; accepted: a port from 0 to 65535",
    ),
    case(
        "port with a sign",
        &[("PORT", "+80")],
        "PORT is not a whole number; accepted: a port from 0 to 65535",
    ),
    case(
        "quoted port",
        &[("PORT", "\"80\"")],
        "PORT is not a whole number; accepted: a port from 0 to 65535",
    ),
    case(
        "host name",
        &[("HOST", "localhost")],
        "HOST is not an IP address; accepted: an IP address, such as 127.0.0.1, 0.0.0.0 or ::",
    ),
    case(
        "not UTF-8",
        &[("HOST", "\u{fffd}")],
        "HOST is not valid UTF-8; accepted: plain text",
    ),
    case(
        "probe address without port",
        &[("PROBE_ADDR", "0.0.0.0")],
        "PROBE_ADDR is not an address with a port; accepted: IP address and port, such as 0.0.0.0:8081",
    ),
    case(
        "probe address is the main one",
        &[("PROBE_ADDR", "127.0.0.1:8080")],
        "PROBE_ADDR is the address that HOST and PORT name; accepted: another address or port",
    ),
    case(
        "metrics address without port",
        &[("METRICS_ADDR", "9090")],
        "METRICS_ADDR is not an address with a port; accepted: IP address and port, such as 0.0.0.0:8082",
    ),
    case(
        "metrics address is the main one",
        &[("METRICS_ADDR", "127.0.0.1:8080")],
        "METRICS_ADDR is the address that HOST and PORT name; accepted: another address or port",
    ),
    case(
        "metrics address is the probes'",
        &[
            ("PROBE_ADDR", "127.0.0.1:9001"),
            ("METRICS_ADDR", "127.0.0.1:9001"),
        ],
        "METRICS_ADDR is the address that PROBE_ADDR names; accepted: another address or port",
    ),
    case(
        "duration without a unit",
        &[("CHECK_INTERVAL", "30")],
        "CHECK_INTERVAL has no unit; accepted: a number with a unit from 1ms to 24h, such as 30s or 500ms",
    ),
    case(
        "zero without a unit",
        &[("SHUTDOWN_DELAY", "0")],
        "SHUTDOWN_DELAY has no unit; accepted: a number with a unit from 0s to 10m, such as 7s",
    ),
    case(
        "zero interval",
        &[("R2_CHECK_INTERVAL", "0s")],
        "R2_CHECK_INTERVAL is zero; accepted: a number with a unit from 1ms to 24h, such as 30s or 500ms",
    ),
    case(
        "tiny interval",
        &[("CHECK_RETRY_INTERVAL", "10us")],
        "CHECK_RETRY_INTERVAL is too short; accepted: a number with a unit from 1ms to 24h, such as 30s or 500ms",
    ),
    case(
        "endless timeout",
        &[("IDLE_TIMEOUT", "1year")],
        "IDLE_TIMEOUT is too long; accepted: a number with a unit from 1ms to 10m, such as 5s",
    ),
    case(
        "no duration",
        &[("HEADER_TIMEOUT", "soon")],
        "HEADER_TIMEOUT is not a duration; accepted: a number with a unit from 1ms to 10m, such as 5s",
    ),
    case(
        "deadline past its bound",
        &[("HEALTH_DEADLINE", "61s")],
        "HEALTH_DEADLINE is too long; accepted: a number with a unit from 1ms to 60s, such as 800ms",
    ),
    case(
        "timeout over interval",
        &[("CHECK_TIMEOUT", "31s")],
        "CHECK_TIMEOUT is longer than CHECK_INTERVAL; accepted: a timeout of at most the interval",
    ),
    case(
        "own timeout over own interval",
        &[
            ("RUNPOD_CHECK_INTERVAL", "1s"),
            ("RUNPOD_CHECK_TIMEOUT", "2s"),
        ],
        "RUNPOD_CHECK_TIMEOUT is longer than RUNPOD_CHECK_INTERVAL; accepted: a timeout of at most the interval",
    ),
    case(
        "general timeout over own interval",
        &[("R2_CHECK_INTERVAL", "1s"), ("CHECK_TIMEOUT", "2s")],
        "CHECK_TIMEOUT is longer than R2_CHECK_INTERVAL; accepted: a timeout of at most the interval",
    ),
    case(
        "zero threshold",
        &[("FAILURE_THRESHOLD", "0")],
        "FAILURE_THRESHOLD is out of range; accepted: a whole number from 1 to 100",
    ),
    case(
        "zero burst",
        &[("RATE_LIMIT_BURST", "0")],
        "RATE_LIMIT_BURST is out of range; accepted: a whole number from 1 to 1000000",
    ),
    case(
        "negative rate",
        &[("RATE_LIMIT_PER_SECOND", "-1")],
        "RATE_LIMIT_PER_SECOND is not a whole number; accepted: a whole number from 0 to 1000000",
    ),
    case(
        "invalid CIDR",
        &[("TRUSTED_PROXIES", "10.0.0.0/8, 10.0.0.0/33")],
        "TRUSTED_PROXIES item 2 is not a network; accepted: comma-separated networks in CIDR form, such as 10.0.0.0/8, fd00::/8",
    ),
    case(
        "empty item",
        &[("RATE_LIMIT_EXEMPT", "10.0.0.0/8,,::1")],
        "RATE_LIMIT_EXEMPT item 2 is empty; accepted: comma-separated networks in CIDR form, such as 10.0.0.0/8, fd00::/8",
    ),
    case(
        "unknown details",
        &[("HEALTH_DETAILS", "sometimes")],
        "HEALTH_DETAILS is not an accepted word; accepted: authorized, always or never",
    ),
    case(
        "unknown status",
        &[("HEALTH_DEGRADED_STATUS", "500")],
        "HEALTH_DEGRADED_STATUS is not an accepted word; accepted: 200 or 503",
    ),
    case(
        "unknown boolean",
        &[("HEALTH_REQUIRE_API_KEY", "yes")],
        "HEALTH_REQUIRE_API_KEY is not an accepted word; accepted: true or false",
    ),
    case(
        "unknown level",
        &[("LOG_LEVEL", "loud")],
        "LOG_LEVEL is not an accepted word; accepted: error, warn, info, debug or trace",
    ),
    case(
        "unknown log format",
        &[("LOG_FORMAT", "xml")],
        "LOG_FORMAT is not an accepted word; accepted: auto, json or text",
    ),
    case(
        "unknown jurisdiction",
        &[("R2_JURISDICTION", "us")],
        "R2_JURISDICTION is not an accepted word; accepted: eu or fedramp, or not set",
    ),
    case(
        "unknown check",
        &[("READY_REQUIRES", "r2")],
        "READY_REQUIRES is not a check; the checks are api, runpod_configured, r2_configured; accepted: a comma-separated list of different checks",
    ),
    case(
        "duplicate check",
        &[("HEALTH_EXCLUDE", "api,api")],
        "HEALTH_EXCLUDE item 2 names a check a second time; accepted: a comma-separated list of different checks",
    ),
    case(
        "all checks excluded",
        &[("HEALTH_EXCLUDE", "api,runpod_configured,r2_configured")],
        "HEALTH_EXCLUDE leaves no check that counts; accepted: all checks but one at most",
    ),
    case(
        "no URL",
        &[("API_HEALTH_URL", "/health")],
        "API_HEALTH_URL is not a URL; accepted: an https:// URL without user info, query and fragment",
    ),
    case(
        "URL of another scheme",
        &[("API_HEALTH_URL", "ftp://example.com")],
        "API_HEALTH_URL is not an http:// or https:// URL; accepted: an https:// URL without user info, query and fragment",
    ),
    case(
        "URL with user info",
        &[("API_HEALTH_URL", "https://me:pw@example.com/")],
        "API_HEALTH_URL has user info before its host; accepted: an https:// URL without user info, query and fragment",
    ),
    case(
        "URL with a query",
        &[("API_HEALTH_URL", "https://example.com/?a=b")],
        "API_HEALTH_URL has a query; accepted: an https:// URL without user info, query and fragment",
    ),
    case(
        "URL with a fragment",
        &[("API_HEALTH_URL", "https://example.com/#a")],
        "API_HEALTH_URL has a fragment; accepted: an https:// URL without user info, query and fragment",
    ),
    case(
        "upstream in clear",
        &[("RUNPOD_ENDPOINT_BASE_URL", "http://runpod.example.com/v2")],
        "RUNPOD_ENDPOINT_BASE_URL is http:// outside loopback, where all that it carries is in clear; accepted: an https:// URL, or ALLOW_INSECURE_UPSTREAMS=true",
    ),
    case(
        "bucket in the endpoint's path",
        &[(
            "R2_ENDPOINT_URL",
            "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com/videos",
        )],
        "R2_ENDPOINT_URL has a path; accepted: https://<account id>.r2.cloudflarestorage.com alone: the bucket belongs in R2_BUCKET",
    ),
    case(
        "proxy of one word",
        &[("HTTPS_PROXY", "rpa_0123456789AB")],
        "HTTPS_PROXY has neither http:// nor a port; accepted: host and port, such as http://proxy.example.com:3128, optionally with user:password@",
    ),
    case(
        "proxy of another kind",
        &[("HTTPS_PROXY", "socks5://proxy.example.com:1080")],
        "HTTPS_PROXY is not an http:// or https:// URL; accepted: host and port, such as http://proxy.example.com:3128, optionally with user:password@",
    ),
    case(
        "proxy with a slash in its password",
        &[("HTTPS_PROXY", "http://me:p/w@proxy.example.com:3128")],
        "HTTPS_PROXY is not a URL; accepted: host and port, such as http://proxy.example.com:3128, optionally with user:password@",
    ),
    case(
        "secret in a URL",
        &[(
            "API_HEALTH_URL",
            "https://example.com/0123456789abcdef/health",
        )],
        "API_HEALTH_URL holds the value of API_KEYS; accepted: a value that is no secret",
    ),
    case(
        "short key",
        &[("API_KEYS", "0123456789abcdef,short")],
        "API_KEYS item 2 has 5 characters; accepted: comma-separated keys of at least 16 visible ASCII characters, or sha256:<64 hex digits>",
    ),
    case(
        "key with white space",
        &[("API_KEYS", "0123456789 abcdef")],
        "API_KEYS contains something other than visible ASCII; accepted: comma-separated keys of at least 16 visible ASCII characters, or sha256:<64 hex digits>",
    ),
    case(
        "key in quotes",
        &[("API_KEYS", "\"0123456789abcdef\"")],
        "API_KEYS has quotes around it; accepted: comma-separated keys of at least 16 visible ASCII characters, or sha256:<64 hex digits>",
    ),
    case(
        "bad digest",
        &[("API_KEYS", "sha256:abc")],
        "API_KEYS is not 64 hex digits after sha256:; accepted: comma-separated keys of at least 16 visible ASCII characters, or sha256:<64 hex digits>",
    ),
    case(
        "trailing comma",
        &[("API_KEYS", "0123456789abcdef,")],
        "API_KEYS item 2 is empty; accepted: comma-separated keys of at least 16 visible ASCII characters, or sha256:<64 hex digits>",
    ),
    case(
        "key twice, once as digest",
        &[(
            "API_KEYS",
            "0123456789abcdef,sha256:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f",
        )],
        "API_KEYS item 2 is the same key as another item; accepted: comma-separated keys of at least 16 visible ASCII characters, or sha256:<64 hex digits>",
    ),
    case(
        "keys required and none set",
        &[("API_KEYS", ""), ("HEALTH_REQUIRE_API_KEY", "true")],
        "HEALTH_REQUIRE_API_KEY is true while API_KEYS is not set; accepted: true together with API_KEYS",
    ),
    case(
        "keys in variable and file",
        &[("API_KEYS_FILE", "/dev/null")],
        "API_KEYS and its form with _FILE at the end are both set; accepted: one of the two",
    ),
    case(
        "env file that does not exist",
        &[("ENV_FILE", "/nonexistent/env")],
        "ENV_FILE names a file that does not exist; accepted: the path of a readable file of NAME=value lines",
    ),
];

/// Values of a check: the service starts, that check is false.
const CHECK: &[Case] = &[
    case(
        "key pasted with its name",
        &[("RUNPOD_API_KEY", "RUNPOD_API_KEY=rpa_1")],
        "RUNPOD_API_KEY begins with its own name and =; accepted: the key alone, as RunPod's console shows it once",
    ),
    case(
        "key pasted with Bearer",
        &[("RUNPOD_API_KEY", "Bearer rpa_1")],
        "RUNPOD_API_KEY begins with Bearer; accepted: the key alone, as RunPod's console shows it once",
    ),
    case(
        "key with quotes",
        &[("RUNPOD_API_KEY", "\"rpa_1\"")],
        "RUNPOD_API_KEY contains quotes; accepted: the key alone, as RunPod's console shows it once",
    ),
    case(
        "key with a line break",
        &[("RUNPOD_API_KEY", "rpa_1\n")],
        "RUNPOD_API_KEY contains a line break; accepted: the key alone, as RunPod's console shows it once",
    ),
    case(
        "key with a space",
        &[("RUNPOD_API_KEY", "rpa_1 2")],
        "RUNPOD_API_KEY contains white space; accepted: the key alone, as RunPod's console shows it once",
    ),
    case(
        "key with a control character",
        &[("RUNPOD_API_KEY", "rpa_\u{7}")],
        "RUNPOD_API_KEY contains something other than visible ASCII; accepted: the key alone, as RunPod's console shows it once",
    ),
    case(
        "key with =",
        &[("RUNPOD_API_KEY", "key=rpa_1")],
        "RUNPOD_API_KEY contains =; accepted: the key alone, as RunPod's console shows it once",
    ),
    case(
        "endpoint as a URL",
        &[("RUNPOD_ENDPOINT_ID", "https://api.runpod.ai/v2/abc/run")],
        "RUNPOD_ENDPOINT_ID is a URL; accepted: the id alone",
    ),
    case(
        "endpoint in quotes",
        &[("RUNPOD_ENDPOINT_ID", "a, 'b'")],
        "RUNPOD_ENDPOINT_ID item 2 contains quotes; accepted: the id alone, or a comma-separated list of ids or name=id",
    ),
    case(
        "endpoint with a space",
        &[("RUNPOD_ENDPOINT_ID", "my endpoint")],
        "RUNPOD_ENDPOINT_ID has an id that is not 1 to 39 characters of A-Z a-z 0-9 _ -; accepted: the id alone, or a comma-separated list of ids or name=id",
    ),
    case(
        "endpoint without a name",
        &[("RUNPOD_ENDPOINT_ID", "=abc")],
        "RUNPOD_ENDPOINT_ID has a name that is not 1 to 39 characters of A-Z a-z 0-9 _ -; accepted: the id alone, or a comma-separated list of ids or name=id",
    ),
    case(
        "endpoint twice",
        &[("RUNPOD_ENDPOINT_ID", "a=x,b=x")],
        "RUNPOD_ENDPOINT_ID item 2 has an id that another item has; accepted: the id alone, or a comma-separated list of ids or name=id",
    ),
    case(
        "endpoint name twice",
        &[("RUNPOD_ENDPOINT_ID", "a=x,a=y")],
        "RUNPOD_ENDPOINT_ID item 2 has a name that another item has; accepted: the id alone, or a comma-separated list of ids or name=id",
    ),
    case(
        "empty endpoint",
        &[("RUNPOD_ENDPOINT_ID", "a,")],
        "RUNPOD_ENDPOINT_ID item 2 is empty; accepted: the id alone, or a comma-separated list of ids or name=id",
    ),
    case(
        "zero backlog",
        &[("RUNPOD_BACKLOG_LIMIT", "0")],
        "RUNPOD_BACKLOG_LIMIT is out of range; accepted: a whole number from 1 to 1000000000",
    ),
    case(
        "short account id",
        &[("R2_ACCOUNT_ID", "abc")],
        "R2_ACCOUNT_ID has 3 characters; accepted: the account id, 32 hex digits, from the R2 overview of the dashboard",
    ),
    case(
        "account id not hex",
        &[("R2_ACCOUNT_ID", "0123456789abcdef0123456789abcdeg")],
        "R2_ACCOUNT_ID is not hexadecimal; accepted: the account id, 32 hex digits, from the R2 overview of the dashboard",
    ),
    case(
        "secret as access key",
        &[("R2_ACCESS_KEY_ID", super::SECRET)],
        "R2_ACCESS_KEY_ID has 64 characters and looks like the secret access key; accepted: the access key id, 32 characters",
    ),
    case(
        "short access key",
        &[("R2_ACCESS_KEY_ID", "AKIA")],
        "R2_ACCESS_KEY_ID has 4 characters; accepted: the access key id, 32 characters",
    ),
    case(
        "secret with quotes",
        &[("R2_SECRET_ACCESS_KEY", "'abc'")],
        "R2_SECRET_ACCESS_KEY contains quotes; accepted: the secret access key alone, 64 hex digits",
    ),
    case(
        "token with a line break",
        &[("R2_SESSION_TOKEN", "a\nb")],
        "R2_SESSION_TOKEN contains a line break; accepted: the session token alone",
    ),
    case(
        "bucket in capitals",
        &[("R2_BUCKET", "Videos")],
        "R2_BUCKET is not a bucket's name; accepted: the bucket's name: 3 to 63 of a-z 0-9 . -, a letter or digit at both ends",
    ),
    case(
        "bucket with a path",
        &[("R2_BUCKET", "videos/in")],
        "R2_BUCKET has a slash; accepted: the bucket's name: 3 to 63 of a-z 0-9 . -, a letter or digit at both ends",
    ),
    case(
        "short bucket",
        &[("R2_BUCKET", "a")],
        "R2_BUCKET has 1 character; accepted: the bucket's name: 3 to 63 of a-z 0-9 . -, a letter or digit at both ends",
    ),
    case(
        "two buckets",
        &[("R2_BUCKET_NAME", "other")],
        "R2_BUCKET and R2_BUCKET_NAME are both set and differ; accepted: one of the two",
    ),
    case(
        "endpoint of another account",
        &[(
            "R2_ENDPOINT_URL",
            "https://ffffffffffffffffffffffffffffffff.r2.cloudflarestorage.com",
        )],
        "R2_ACCOUNT_ID is not the account in R2_ENDPOINT_URL; accepted: one of the two, or the same account",
    ),
    case(
        "endpoint of another jurisdiction",
        &[
            (
                "R2_ENDPOINT_URL",
                "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com",
            ),
            ("R2_JURISDICTION", "eu"),
        ],
        "R2_JURISDICTION is not the jurisdiction in R2_ENDPOINT_URL; accepted: one of the two, or the same jurisdiction",
    ),
    case(
        "jurisdiction of another server",
        &[
            ("R2_ENDPOINT_URL", "https://s3.example.com"),
            ("R2_JURISDICTION", "eu"),
        ],
        "R2_JURISDICTION is set next to an R2_ENDPOINT_URL that is not R2's; accepted: one of the two",
    ),
    case(
        "bucket in the endpoint's host",
        &[(
            "R2_ENDPOINT_URL",
            "https://videos.0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com",
        )],
        "R2_ENDPOINT_URL has a host that does not begin with an account id of 32 hex digits; accepted: https://<account id>.r2.cloudflarestorage.com",
    ),
    case(
        "keys and ids swapped",
        &[
            ("RUNPOD_API_KEY", "jpnw0v75y3qoql"),
            ("RUNPOD_ENDPOINT_ID", "rpa_0123456789"),
        ],
        "RUNPOD_ENDPOINT_ID looks like an API key; accepted: the id alone",
    ),
    case(
        "key in upper case as a name",
        &[("RUNPOD_ENDPOINT_ID", "abc,RPA_1=def")],
        "RUNPOD_ENDPOINT_ID item 2 looks like an API key; accepted: the id alone",
    ),
    case(
        "key without a prefix as an id",
        &[(
            "RUNPOD_ENDPOINT_ID",
            "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ012345",
        )],
        "RUNPOD_ENDPOINT_ID looks like an API key; accepted: the id alone",
    ),
    case(
        "access key id as an id",
        &[(
            "RUNPOD_ENDPOINT_ID",
            "fast=ffeeddccbbaa99887766554433221100",
        )],
        "RUNPOD_ENDPOINT_ID looks like an API key; accepted: the id alone",
    ),
    case(
        "secret of another check as a bucket",
        &[("R2_BUCKET", "same"), ("RUNPOD_API_KEY", "same")],
        "R2_BUCKET holds the value of RUNPOD_API_KEY; accepted: a value that is no secret",
    ),
    case(
        "secret as an account",
        &[("R2_ACCOUNT_ID", "00112233445566778899AABBCCDDEEFF")],
        "R2_ACCOUNT_ID holds the value of R2_ACCESS_KEY_ID; accepted: a value that is no secret",
    ),
    case(
        "secret in variable and file",
        &[("R2_SECRET_ACCESS_KEY_FILE", "/dev/null")],
        "R2_SECRET_ACCESS_KEY and its form with _FILE at the end are both set; accepted: one of the two",
    ),
];

/// A port that is wrong says nothing about an S3 server with other forms of keys.
#[test]
fn one_problem_makes_no_others() {
    let other = ("R2_ENDPOINT_URL", "http://127.0.0.1:9000");
    let loaded = resolve(good_but(&[
        other,
        ("R2_ACCESS_KEY_ID", "minio"),
        ("PORT", "x"),
    ]));
    assert_eq!(problems(&loaded).len(), 1);
    let other = ("R2_ENDPOINT_URL", "nowhere");
    let loaded = resolve(good_but(&[
        other,
        ("R2_ACCESS_KEY_ID", "minio"),
        ("R2_ACCOUNT_ID", ""),
    ]));
    assert_eq!(problems(&loaded).len(), 1);
}

#[test]
fn each_bad_value_has_its_sentence() {
    for (cases, starts) in [(SERVICE, false), (CHECK, true)] {
        for Case { name, set, said } in cases {
            let loaded = resolve(good_but(set));
            assert_eq!(problems(&loaded), [*said], "{name}");
            assert_eq!(loaded.is_ok(), starts, "{name}");
        }
    }
}

#[test]
fn all_problems_are_told_at_once_the_checks_included() {
    let failed = resolve([
        ("PORT", "http"),
        ("FAILURE_THRESHOLD", "many"),
        ("CHECK_TIMEOUT", "1h"),
        ("API_HEALTH_URL", "here"),
        ("API_KEYS", "short"),
        ("RUNPOD_API_KEY", "Bearer x"),
        ("R2_BUCKET", "B"),
    ])
    .unwrap_err();
    insta::assert_snapshot!(failed, @r"
    the configuration has 12 problems:
      API_KEYS has 5 characters; accepted: comma-separated keys of at least 16 visible ASCII characters, or sha256:<64 hex digits>
      PORT is not a whole number; accepted: a port from 0 to 65535
      FAILURE_THRESHOLD is not a whole number; accepted: a whole number from 1 to 100
      CHECK_TIMEOUT is longer than CHECK_INTERVAL; accepted: a timeout of at most the interval
      CHECK_TIMEOUT is longer than R2_CHECK_INTERVAL; accepted: a timeout of at most the interval
      API_HEALTH_URL is not a URL; accepted: an https:// URL without user info, query and fragment
      RUNPOD_API_KEY begins with Bearer; accepted: the key alone, as RunPod's console shows it once
      RUNPOD_ENDPOINT_ID is not set; accepted: a value
      R2_BUCKET has 1 character; accepted: the bucket's name: 3 to 63 of a-z 0-9 . -, a letter or digit at both ends
      R2_ACCOUNT_ID is not set; accepted: a value
      R2_ACCESS_KEY_ID is not set; accepted: a value
      R2_SECRET_ACCESS_KEY is not set; accepted: a value
    ");
}

/// Makes a file, or does not.
type Prepare = Box<dyn Fn(&Path)>;

/// A secret file, and what is said about its content.
fn said_of_file(variable: &'static str, prepare: impl FnOnce(&Path)) -> (Vec<String>, bool) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    prepare(&path);
    let secret = variable.strip_suffix("_FILE").unwrap();
    let mut pairs: Vec<_> = good_but(&[(secret, "")])
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    pairs.push((variable, path.to_str().unwrap().to_owned()));
    let loaded = resolve(pairs);
    (problems(&loaded), loaded.is_ok())
}

#[test]
fn unusable_secret_files_are_told_by_what_is_wrong_with_them() {
    let rest = "accepted: the path of a readable file that holds the secret alone";
    let write = |content: &'static [u8]| move |path: &Path| fs::write(path, content).unwrap();
    let cases: [(&str, Prepare); 6] = [
        ("names a file that does not exist", Box::new(|_| ())),
        (
            "names something that is not a regular file",
            Box::new(|path| fs::create_dir(path).unwrap()),
        ),
        ("names an empty file", Box::new(write(b""))),
        ("names an empty file", Box::new(write(b"\r\n"))),
        (
            "names a file that is not UTF-8 text",
            Box::new(write(b"\xff\xfe")),
        ),
        (
            "names a file of more than 64 KiB",
            Box::new(|path| fs::write(path, "a".repeat(70_000)).unwrap()),
        ),
    ];
    for (wrong, prepare) in cases {
        for (variable, starts) in [
            ("RUNPOD_API_KEY_FILE", true),
            ("R2_SESSION_TOKEN_FILE", true),
            ("API_KEYS_FILE", false),
        ] {
            let said = said_of_file(variable, &prepare);
            assert_eq!(
                said,
                (vec![format!("{variable} {wrong}; {rest}")], starts),
                "{wrong}"
            );
        }
    }
}

#[test]
fn malformed_content_blames_the_variable_of_the_file() {
    let said = said_of_file("RUNPOD_API_KEY_FILE", |path| {
        fs::write(path, "RUNPOD_API_KEY=rpa_1\n").unwrap();
    });
    assert_eq!(
        said.0,
        [format!(
            "RUNPOD_API_KEY_FILE begins with its own name and =; accepted: {KEY}"
        )]
    );
}

#[test]
fn a_line_of_an_env_file_that_cannot_be_read_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("env");
    fs::write(&path, "PORT=1\nsome canary line\n").unwrap();
    let loaded = resolve([("ENV_FILE", path.to_str().unwrap())]);
    assert_eq!(
        problems(&loaded),
        [
            "ENV_FILE names a file with a line that is not NAME=value, after 1 good ones; accepted: the path of a readable file of NAME=value lines"
        ]
    );
}

#[test]
fn nothing_is_put_in_place_of_a_dollar() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("env");
    let resolve = |text: &str| {
        fs::write(&path, text).unwrap();
        resolve([("ENV_FILE", path.to_str().unwrap())])
    };
    for line in [
        "R2_SECRET_ACCESS_KEY=$PATH",
        "R2_SECRET_ACCESS_KEY=\"pa$PATH\"",
    ] {
        assert_eq!(
            problems(&resolve(&format!("# $\nPORT=1\n{line}\n"))),
            [
                "ENV_FILE names a file with a $ that stands for another variable in line 3; accepted: plain values; one that holds a $ in single quotes"
            ]
        );
    }
    let loaded = resolve("R2_SECRET_ACCESS_KEY='pa$PATH'\n").unwrap();
    let shown = |name| {
        let row = loaded.effective.iter().find(|row| row.variable == name);
        row.unwrap().value.clone()
    };
    assert_eq!(shown("R2_SECRET_ACCESS_KEY"), "set, 7 characters");
}

#[test]
fn insecure_upstreams_are_allowed_on_loopback_and_by_the_switch_alone() {
    for url in [
        "http://127.0.0.1:9000",
        "http://[::1]:9000",
        "http://localhost:9000/v2",
    ] {
        assert!(
            resolve(good_but(&[("RUNPOD_ENDPOINT_BASE_URL", url)])).is_ok(),
            "{url}"
        );
    }
    let clear = ("API_HEALTH_URL", "http://api.example.com/health");
    assert!(resolve([clear]).is_err());
    assert!(resolve([clear, ("ALLOW_INSECURE_UPSTREAMS", "true")]).is_ok());
    assert_eq!(
        problems(&resolve([clear, ("ALLOW_INSECURE_UPSTREAMS", "1")])),
        ["ALLOW_INSECURE_UPSTREAMS is not an accepted word; accepted: true or false"]
    );
}
