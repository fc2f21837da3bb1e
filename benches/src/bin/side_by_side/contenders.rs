//! Who is compared, and whether they do the same work.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use infra_health_benches::client::{Answer, Connection, get};
use infra_health_benches::cores::SERVER_CORE;
use infra_health_benches::numbers::Sample;
use infra_health_benches::optional;
use infra_health_benches::process::Process;
use infra_health_benches::servers::{bare, nginx, nginx_version, service, wait_until_healthy};
use infra_health_benches::upstreams::{KEY, Upstreams};

/// The yardstick.
pub(crate) const BARE: &str = "bare hyper";
/// The same once more: what differs between the two is noise.
pub(crate) const AGAIN: &str = "bare hyper, again";
/// Ours, asked without a key.
pub(crate) const SERVICE: &str = "service";
/// Ours, asked with a key.
pub(crate) const KEYED: &str = "service, with a key";
pub(crate) const NGINX: &str = "nginx";

/// What to start.
pub(crate) struct Plan {
    pub(crate) service: PathBuf,
    pub(crate) bare: PathBuf,
    pub(crate) also: Option<PathBuf>,
    pub(crate) with_node: bool,
    pub(crate) with_fastapi: bool,
    /// How often each is started; the first start, which may read from disk, does not count.
    pub(crate) starts: usize,
}

/// A running server and how it is asked.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) process: Rc<Process>,
    pub(crate) key: Option<&'static str>,
    /// In milliseconds, to the first answer of `/livez`.
    pub(crate) starts: Rc<Sample>,
    /// Whether it can be asked at the rate of the open loop.
    pub(crate) takes_any_rate: bool,
}

/// Starts all; bare hyper is the first, and each is told about.
pub(crate) fn contenders(plan: &Plan, upstreams: &Upstreams) -> io::Result<Vec<Contender>> {
    let start = || service(&plan.service, upstreams, &[SERVER_CORE], &[]);
    let ours = start_often(SERVICE, plan.starts, start)?;
    let answer = wait_until_healthy(&ours.process)?;
    tell_what_is_on(&ours.process)?;
    let body = std::str::from_utf8(&answer.body).map_err(io::Error::other)?;

    let yardstick = start_often(BARE, plan.starts, || bare(&plan.bare, body))?;
    same_bytes(&first_answer(&yardstick)?, &answer)?;
    let keyed = Contender {
        name: KEYED,
        key: Some(KEY),
        starts: Rc::clone(&ours.starts),
        process: Rc::clone(&ours.process),
        ..ours
    };
    let again = start_often(AGAIN, plan.starts, || bare(&plan.bare, body))?;
    let mut all = vec![yardstick, ours, keyed, again];
    if let Some(path) = &plan.also {
        let start = || service(path, upstreams, &[SERVER_CORE], &[]);
        let other = start_often("service, other build", plan.starts, start)?;
        wait_until_healthy(&other.process)?;
        all.push(other);
    }
    match nginx_version() {
        Some(version) => {
            println!("nginx: {version}");
            all.push(start_often(NGINX, plan.starts, || nginx(body))?);
        }
        None => println!("SKIPPED: nginx: there is no nginx on PATH"),
    }
    let further = [
        (plan.with_node, "node + terminus", start_node as fn() -> _),
        (plan.with_fastapi, "FastAPI + uvicorn", start_fastapi),
    ];
    for (asked, name, start) in further {
        match asked.then(start) {
            Some(Ok(contender)) => all.push(contender),
            Some(Err(error)) => println!("SKIPPED: {name}: {error}"),
            None => println!("without {name}: not asked for"),
        }
    }
    for contender in &all {
        let (theirs, ours) = (first_answer(contender)?.size(), answer.size());
        println!(
            "{}: {theirs} bytes an answer, the service {ours}",
            contender.name
        );
    }
    Ok(all)
}

fn start_node() -> io::Result<Contender> {
    let directory = optional::install_node()?;
    let node = start_often("node + terminus", 3, || optional::node(&directory))?;
    Ok(Contender {
        takes_any_rate: false,
        ..node
    })
}

fn start_fastapi() -> io::Result<Contender> {
    let directory = optional::install_fastapi()?;
    let fastapi = start_often("FastAPI + uvicorn", 3, || optional::fastapi(&directory))?;
    Ok(Contender {
        takes_any_rate: false,
        ..fastapi
    })
}

fn start_often(
    name: &'static str,
    starts: usize,
    start: impl Fn() -> io::Result<Process>,
) -> io::Result<Contender> {
    let mut process = start()?;
    let mut millis = Vec::new();
    for _ in 0..starts.max(1) {
        drop(process);
        process = start()?;
        millis.push(process.started_in.as_secs_f64() * 1e3);
    }
    Ok(Contender {
        name,
        process: process.into(),
        key: None,
        starts: Sample::new(millis).into(),
        takes_any_rate: true,
    })
}

fn first_answer(contender: &Contender) -> io::Result<Answer> {
    let mut connection = Connection::open(contender.process.address())?;
    connection.ask(&get("/health", contender.key))
}

/// What is compared must be the same work.
fn same_bytes(bare: &Answer, ours: &Answer) -> io::Result<()> {
    if (bare.size(), bare.body.len(), bare.fields())
        == (ours.size(), ours.body.len(), ours.fields())
    {
        return Ok(());
    }
    let both = format!("{}\n{}", bare.head, ours.head);
    Err(io::Error::other(format!(
        "bare hyper and the service differ in bytes or fields:\n{both}"
    )))
}

/// Nothing may be measured with something switched off: keys, ids and metrics show themselves; the limit and the form
/// of the log are as configured.
fn tell_what_is_on(service: &Process) -> io::Result<()> {
    let mut connection = Connection::open(service.address())?;
    let mut status = |path, key| {
        let answer = connection.ask(&get(path, key))?;
        let id = answer.head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("x-request-id")
                .then(|| value.to_owned())
        });
        io::Result::Ok((answer.status, id))
    };
    let (wrong_key, first) = status("/health", Some("a-key-that-nobody-has-ever-set"))?;
    let (right_key, second) = status("/health", Some(KEY))?;
    if (wrong_key, right_key) != (401, 200) || first == second {
        return Err(io::Error::other(format!(
            "a wrong key gets {wrong_key}, a right one {right_key}, ids {first:?} and {second:?}"
        )));
    }
    let metrics = match status("/metrics", Some(KEY))?.0 {
        200 => "metrics",
        _ => "no metrics in this build",
    };
    println!("service: keys, request ids, rate limit, JSON log, {metrics}");
    Ok(())
}
