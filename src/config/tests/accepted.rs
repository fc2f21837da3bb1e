//! Good input, defaults and where values come from.

use std::fs;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::{ACCOUNT, SECRET, good, good_but, problems, resolve};
use crate::config::{Details, Origin, Setup, VARIABLES};

#[test]
fn an_empty_environment_starts_and_tells_what_is_missing() {
    let loaded = resolve::<String>([]).unwrap();
    assert_eq!(loaded.check_problems, []);
    assert_eq!(loaded.config.server.port, 8080);
    assert_eq!(loaded.config.answers.details, Details::Authorized);
    assert_eq!(loaded.config.warnings, []);
    assert!(loaded.live.api_keys.get().digests.is_empty());
    let runpod = loaded.live.runpod.get();
    assert!(
        matches!(&*runpod, Setup::Missing(m) if *m == ["RUNPOD_API_KEY", "RUNPOD_ENDPOINT_ID"])
    );
    let r2 = loaded.live.r2.get();
    let missing = [
        "R2_ACCOUNT_ID",
        "R2_BUCKET",
        "R2_ACCESS_KEY_ID",
        "R2_SECRET_ACCESS_KEY",
    ];
    assert!(matches!(&*r2, Setup::Missing(m) if *m == missing), "{r2:?}");
}

#[test]
fn values_that_are_set_empty_are_not_set() {
    let pairs = VARIABLES.iter().map(|variable| (variable.name, ""));
    assert_eq!(problems(&resolve(pairs)), [""; 0]);
}

#[test]
fn a_malformed_check_tells_what_is_missing_too() {
    let loaded = resolve([("RUNPOD_API_KEY", "a b")]).unwrap();
    let Setup::Malformed(problems) = &*loaded.live.runpod.get() else {
        panic!("ready")
    };
    assert_eq!(
        problems[1].to_string(),
        "RUNPOD_ENDPOINT_ID is not set; accepted: a value"
    );
}

#[test]
fn the_r2_endpoint_follows_account_and_jurisdiction() {
    let endpoint = |changes: &[(&'static str, &'static str)]| {
        let loaded = resolve(good_but(changes)).unwrap();
        let Setup::Ready(r2) = &*loaded.live.r2.get() else {
            panic!("not ready")
        };
        r2.endpoint.to_string()
    };
    let own = format!("https://{ACCOUNT}.r2.cloudflarestorage.com/");
    let eu = format!("https://{ACCOUNT}.eu.r2.cloudflarestorage.com/");
    assert_eq!(endpoint(&[]), own);
    assert_eq!(
        endpoint(&[("R2_ACCOUNT_ID", "0123456789ABCDEF0123456789ABCDEF")]),
        own
    );
    assert_eq!(endpoint(&[("R2_JURISDICTION", "eu")]), eu);
    let url = (
        "R2_ENDPOINT_URL",
        "https://0123456789abcdef0123456789abcdef.eu.r2.cloudflarestorage.com",
    );
    assert_eq!(endpoint(&[url]), eu);
    assert_eq!(
        endpoint(&[url, ("R2_ACCOUNT_ID", ""), ("R2_JURISDICTION", "eu")]),
        eu
    );
    // Other servers have other forms of keys.
    let other = ("R2_ENDPOINT_URL", "http://127.0.0.1:9000");
    assert_eq!(
        endpoint(&[other, ("R2_ACCESS_KEY_ID", "minio"), ("R2_ACCOUNT_ID", "")]),
        "http://127.0.0.1:9000/"
    );
}

#[test]
fn endpoints_have_names_and_the_base_no_trailing_slash() {
    let loaded = resolve(good_but(&[
        ("RUNPOD_ENDPOINT_ID", "fast=abc, def"),
        ("RUNPOD_ENDPOINT_BASE_URL", "https://api.runpod.ai/v2/"),
    ]));
    let Setup::Ready(runpod) = &*loaded.unwrap().live.runpod.get() else {
        panic!("not ready")
    };
    let endpoints: Vec<_> = runpod
        .endpoints
        .iter()
        .map(|e| (e.name.as_str(), e.id.as_str()))
        .collect();
    assert_eq!(endpoints, [("fast", "abc"), ("def", "def")]);
    assert_eq!(runpod.base_url.as_str(), "https://api.runpod.ai/v2");
}

#[test]
fn r2_keeps_its_own_interval_unless_the_general_one_is_set() {
    let pace = |pairs: &[(&'static str, &'static str)]| {
        let config = resolve(pairs.to_vec()).unwrap().config;
        (config.policy, config.runpod_policy, config.r2_policy)
    };
    let (general, runpod, r2) = pace(&[]);
    assert_eq!((general, r2.interval), (runpod, Duration::from_mins(1)));
    let (_, runpod, r2) = pace(&[("CHECK_INTERVAL", "20ms")]);
    assert_eq!(runpod, r2);
    let short = Duration::from_millis(20);
    assert_eq!(
        (r2.interval, r2.timeout, r2.retry_interval),
        (short, short, short)
    );
    let (general, runpod, r2) =
        pace(&[("RUNPOD_CHECK_INTERVAL", "2m"), ("R2_CHECK_TIMEOUT", "7s")]);
    assert_eq!(runpod.interval, Duration::from_mins(2));
    assert_eq!(
        (general.timeout, r2.timeout),
        (Duration::from_secs(5), Duration::from_secs(7))
    );
}

#[test]
fn soft_lints_and_misspellings_are_warnings() {
    let loaded = resolve(good_but(&[
        ("RUNPOD_API_KEY", "legacykey"),
        ("R2_SECRET_ACCESS_KEY", "tokenvalue"),
        ("READY_REQUIRES", "api"),
        ("CHECK_RETRY_INTERVAL", "40s"),
        ("R2_BUKET", "videos"),
        ("HOME", "/"),
    ]))
    .unwrap();
    let said: Vec<_> = loaded
        .config
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        [
            "R2_BUKET is not a variable of infra-health; did you mean R2_BUCKET?",
            "RUNPOD_API_KEY does not begin with rpa_: it is no RunPod key, or one from before November 2024",
            "R2_SECRET_ACCESS_KEY is not 64 hex digits: an API token's value must be hashed with SHA-256 to be the secret",
            "CHECK_RETRY_INTERVAL is longer than the interval of a check; that check is asked at its interval",
            "READY_REQUIRES is set: one upstream can then take out every replica",
        ]
    );
    assert_eq!(resolve(good()).unwrap().config.warnings, []);
}

fn warnings(changes: &[(&'static str, &'static str)]) -> Vec<String> {
    let config = resolve(good_but(changes)).unwrap().config;
    config.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_pace_under_a_second_is_warned_of_unless_the_upstream_is_on_loopback() {
    let slip = ("CHECK_INTERVAL", "30ms");
    let runpod = "RunPod is not on loopback: is the unit right?";
    let r2 = "R2 is not on loopback: is the unit right?";
    assert_eq!(
        warnings(&[slip]),
        [
            format!("CHECK_INTERVAL is under 1s, and {runpod}"),
            format!("CHECK_INTERVAL is under 1s, and {r2}"),
        ]
    );
    assert_eq!(
        warnings(&[
            slip,
            ("RUNPOD_ENDPOINT_BASE_URL", "http://127.0.0.1:9000"),
            ("R2_CHECK_INTERVAL", "999ms"),
        ]),
        [format!("R2_CHECK_INTERVAL is under 1s, and {r2}")]
    );
    assert_eq!(
        warnings(&[
            ("CHECK_RETRY_INTERVAL", "5ms"),
            ("API_HEALTH_URL", "https://api.example.com/health"),
            ("R2_BUCKET", ""),
        ]),
        [
            "CHECK_RETRY_INTERVAL is under 1s, and the main API is not on loopback: is the unit right?".to_owned(),
            format!("CHECK_RETRY_INTERVAL is under 1s, and {runpod}"),
        ]
    );
    assert_eq!(warnings(&[("CHECK_INTERVAL", "1s")]), [""; 0]);
}

#[test]
fn a_proxy_may_need_a_password_and_knows_no_exceptions() {
    let proxy = ("HTTPS_PROXY", "me:pw@proxy.example.com:3128");
    let loaded = resolve(good_but(&[proxy])).unwrap();
    let used = loaded.config.https_proxy.unwrap();
    assert_eq!(
        used.expose().as_str(),
        "http://me:pw@proxy.example.com:3128/"
    );
    let row = loaded.effective.iter().find(|row| row.variable == proxy.0);
    assert_eq!(row.unwrap().value, "http://***@proxy.example.com:3128");
    let except = ("no_proxy", "10.0.0.0/8");
    assert_eq!(warnings(&[except]), [""; 0]);
    assert_eq!(
        warnings(&[proxy, except]),
        ["NO_PROXY is not looked at: every https upstream is asked through HTTPS_PROXY"]
    );
    assert_eq!(warnings(&[proxy, ("NO_PROXY", "")]), [""; 0]);
}

#[test]
fn each_value_says_where_it_came_from() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(
        path("env"),
        "PORT=9000\nHOST=0.0.0.0\nR2_BUKET=x\nexport LOG_LEVEL=\"debug\"\n",
    )
    .unwrap();
    fs::write(path("secret"), format!("{SECRET}\n")).unwrap();
    let loaded = resolve([
        ("ENV_FILE", path("env")),
        ("PORT", "9001".to_owned()),
        ("R2_SECRET_ACCESS_KEY_FILE", path("secret")),
        ("R2_BUCKET", "NOT-A-BUCKET".to_owned()),
        ("api_keys", "lower case is someone else's".to_owned()),
    ])
    .unwrap();
    let row = |name: &str| {
        let value = loaded
            .effective
            .iter()
            .find(|value| value.variable == name)
            .unwrap();
        (value.value.as_str(), value.source)
    };
    assert_eq!(row("PORT"), ("9001", Origin::Environment));
    assert_eq!(row("HOST"), ("0.0.0.0", Origin::EnvFile));
    assert_eq!(row("LOG_LEVEL"), ("debug", Origin::EnvFile));
    assert_eq!(
        row("R2_SECRET_ACCESS_KEY"),
        (
            "set, 64 characters",
            Origin::File("R2_SECRET_ACCESS_KEY_FILE")
        )
    );
    assert_eq!(row("R2_BUCKET"), ("malformed", Origin::Environment));
    assert_eq!(row("RUNPOD_CHECK_TIMEOUT"), ("5s", Origin::Default));
    assert_eq!(row("R2_CHECK_INTERVAL"), ("1m", Origin::Default));
    assert_eq!(row("API_KEYS"), ("not set", Origin::Default));
    assert_eq!(loaded.effective.len(), VARIABLES.len());
    assert_eq!(loaded.config.warnings.len(), 1);
}

#[test]
fn secrets_are_taken_literally_and_digests_accepted() {
    let digest = "sha256:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f";
    let keys = |value| {
        resolve([("API_KEYS", value)])
            .unwrap()
            .live
            .api_keys
            .get()
            .digests
            .clone()
    };
    assert_eq!(keys("0123456789abcdef"), keys(digest));
    assert_eq!(keys("0123456789abcdef, another-key-of-20ch").len(), 2);
    let loaded = resolve(good()).unwrap();
    let Setup::Ready(r2) = &*loaded.live.r2.get() else {
        panic!("not ready")
    };
    assert_eq!(r2.secret_access_key.expose_secret(), SECRET);
}
