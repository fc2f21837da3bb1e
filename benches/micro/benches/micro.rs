//! What the service's own functions take, one by one.
//!
//! ```sh
//! cargo bench --locked --manifest-path benches/Cargo.toml --package infra-health-micro
//! cargo bench --locked --manifest-path benches/Cargo.toml --package infra-health-micro -- --test
//! ```
//!
//! `front` is everything between a parsed request and its response: `health` and `livez` are answered before axum,
//! `check` and `verbose` through its router. `checks` are whole runs over kept loopback connections; `r2/sign` is a part
//! of `checks/r2_configured`.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use http::{HeaderMap, HeaderValue};
use infra_health::answers::{Options, health, publish};
use infra_health::checks::r2::sign::list_one;
use infra_health::clock::Clock;
use infra_health::config::{Loaded, Setup};
use infra_health::http::auth::{Authenticator, Credential, X_API_KEY};
use infra_health::http::client_addr::Client;
use infra_health::http::rate_limit::{Bucket, RateLimiter};
use infra_health::http::request_id::RequestId;
use infra_health::snapshot::CheckSet;
use infra_health::state::next;
use infra_health_micro::answering::{Answering, get, must_be};
use infra_health_micro::asking::{Checks, configured};
use infra_health_micro::{Error, KEY, upstream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

fn main() -> Result<(), Error> {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let _guard = runtime.enter();
    let addresses = (upstream::runpod()?, upstream::r2()?);
    let loaded = || configured(addresses.0, addresses.1);
    let mut checks = Checks::new(&loaded()?)?;
    runtime.block_on(checks.run_all());
    checks.must_pass()?;

    answers(&mut criterion, &checks);
    states(&mut criterion, &checks)?;
    doors(&mut criterion, &loaded()?)?;
    signing(&mut criterion, &loaded()?)?;
    front(&mut criterion, &Answering::start(loaded()?)?)?;
    runs(&mut criterion, &runtime, &mut checks);
    checks.must_pass()?;
    criterion.final_summary();
    Ok(())
}

/// From a snapshot to bytes.
fn answers(criterion: &mut Criterion, checks: &Checks) {
    let (snapshot, at) = (checks.snapshot(), checks.moment());
    let plain = Options::default();
    let details = Options {
        details: true,
        ..Options::default()
    };
    let mut group = criterion.benchmark_group("answers");
    group.bench_function("fold", |b| {
        b.iter(|| black_box(&snapshot).fold(CheckSet::EMPTY, at));
    });
    group.bench_function("health", |b| {
        b.iter(|| health(black_box(&snapshot), &plain, at));
    });
    group.bench_function("details", |b| {
        b.iter(|| health(black_box(&snapshot), &details, at));
    });
    group.bench_function("publish", |b| {
        b.iter_batched(
            || snapshot.clone(),
            |snapshot| publish(snapshot, &plain, at),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// From a finished run to a damped state.
fn states(criterion: &mut Criterion, checks: &Checks) -> Result<(), Error> {
    let (entry, state) = checks.each.last().ok_or("there is no check")?;
    let run = state.last.clone().ok_or("the check has not run")?;
    criterion.bench_function("state/next", |b| {
        b.iter_batched(
            || run.clone(),
            |run| next(black_box(state), run, &entry.info.policy),
            BatchSize::SmallInput,
        );
    });
    Ok(())
}

/// What stands before every answer.
fn doors(criterion: &mut Criterion, loaded: &Loaded) -> Result<(), Error> {
    let authenticator = Authenticator::new(loaded.live.api_keys.clone());
    let header = |key: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(X_API_KEY, HeaderValue::from_static(key));
        headers
    };
    let (right, wrong) = (header(KEY), header("a-key-that-nobody-has-ever-set"));
    let Credential::Valid(key) = authenticator.check(&right) else {
        return Err("the key is not valid".into());
    };
    criterion.bench_function("key/valid", |b| {
        b.iter(|| authenticator.check(black_box(&right)));
    });
    criterion.bench_function("key/invalid", |b| {
        b.iter(|| authenticator.check(black_box(&wrong)));
    });

    let clock = Clock::default();
    let limiter = RateLimiter::new(&loaded.config.limits, clock.now().mono);
    let limiter = limiter.ok_or("the limiter is off")?;
    let client = Client {
        address: Ipv4Addr::new(192, 0, 2, 1).into(),
        forwarded: false,
        relayed: false,
    };
    // The front reads the clock once for everything. Here it goes on by itself, so that nothing is refused.
    let mut now = clock.now().mono;
    for (name, bucket) in [
        ("rate_limit/client", Bucket::Client(client)),
        ("rate_limit/key", Bucket::Key(key)),
    ] {
        criterion.bench_function(name, |b| {
            b.iter(|| {
                now += Duration::from_micros(1);
                limiter.check(black_box(bucket), now)
            });
        });
    }

    let callers = HeaderValue::from_static("0af7651916cd43dd8448eb211c80319c");
    let at = Instant::now();
    criterion.bench_function("request_id/made", |b| {
        b.iter(|| RequestId::of(black_box(None), at));
    });
    criterion.bench_function("request_id/callers", |b| {
        b.iter(|| RequestId::of(Some(black_box(&callers)), at));
    });
    Ok(())
}

/// What stands before every call to R2: four rounds of HMAC for the key, one for the request.
fn signing(criterion: &mut Criterion, loaded: &Loaded) -> Result<(), Error> {
    let settings = loaded.live.r2.get();
    let Setup::Ready(r2) = &*settings else {
        return Err("R2 is not configured".into());
    };
    let now = Clock::default().now().wall;
    let (_, headers) = list_one(r2, now).map_err(|_| "R2's request cannot be signed")?;
    if !headers.contains_key("authorization") {
        return Err("R2's request is not signed".into());
    }
    criterion.bench_function("r2/sign", |b| b.iter(|| list_one(black_box(r2), now)));
    Ok(())
}

/// From a parsed request to its response.
fn front(criterion: &mut Criterion, answering: &Answering) -> Result<(), Error> {
    let mut group = criterion.benchmark_group("front");
    for (name, path, key, status) in [
        ("livez", "/livez", None, 200),
        ("health", "/health", None, 200),
        ("health_with_key", "/health", Some(KEY), 200),
        ("check", "/health/api", None, 200),
        ("verbose", "/health?verbose", Some(KEY), 200),
        ("not_found", "/nowhere", None, 404),
    ] {
        let request = get(path, key)?;
        must_be(&answering.answer(request.clone())?, status)?;
        group.bench_function(name, |b| {
            b.iter_batched(
                || request.clone(),
                |request| answering.answer(request),
                BatchSize::SmallInput,
            );
        });
        // Nor has the limiter stepped in meanwhile.
        must_be(&answering.answer(request)?, status)?;
    }
    group.finish();
    Ok(())
}

/// Whole runs of the checks, upstreams on loopback, connections kept.
fn runs(criterion: &mut Criterion, runtime: &Runtime, checks: &mut Checks) {
    let mut group = criterion.benchmark_group("checks");
    for index in 0..checks.each.len() {
        let name = checks.each[index].0.info.name;
        group.bench_function(name, |b| {
            b.iter(|| runtime.block_on(checks.run(index)));
        });
    }
    group.finish();
}
