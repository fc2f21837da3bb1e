//! `infra-health config`: the effective configuration, and what it means for cost and speed.

use std::fmt::{self, Write};
use std::time::Duration;

use super::{cost, signals};
use crate::config::{
    EffectiveValue, Loaded, Origin, Policy, Problem, Problems, Setup, is_cloudflare,
};
use crate::detail::Detail;

/// The report on a configuration with which the service can start. It holds no secret.
pub fn render(loaded: &Loaded) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_report(&mut out, loaded);
    out
}

/// The report on a configuration with which it cannot.
pub fn render_problems(problems: &Problems) -> String {
    let mut out = String::new();
    let _ = write_table(&mut out, &problems.effective)
        .and_then(|()| write_warnings(&mut out, &problems.warnings))
        .and_then(|()| write_problems(&mut out, &problems.problems));
    out
}

fn write_report(out: &mut String, loaded: &Loaded) -> fmt::Result {
    write_table(out, &loaded.effective)?;
    write_checks(out, loaded)?;
    if cfg!(feature = "jobs") {
        signals::write(out, loaded)?;
    }
    write_warnings(out, &loaded.config.warnings)?;
    write_problems(out, &loaded.check_problems)
}

fn write_table(out: &mut String, values: &[EffectiveValue]) -> fmt::Result {
    let width = |length: fn(&EffectiveValue) -> usize| values.iter().map(length).max().unwrap_or(0);
    let names = width(|value| value.variable.len());
    // One long value must not push every source off the screen.
    let shown = width(|value| value.value.chars().count()).min(40);
    writeln!(out, "{:names$}  {:shown$}  SOURCE", "VARIABLE", "VALUE")?;
    for EffectiveValue {
        variable,
        value,
        source,
    } in values
    {
        let source = match source {
            Origin::Default if value == "not set" => String::new(),
            source => source.to_string(),
        };
        writeln!(
            out,
            "{}",
            format!("{variable:names$}  {value:shown$}  {source}").trim_end()
        )?;
    }
    Ok(())
}

fn write_checks(out: &mut String, loaded: &Loaded) -> fmt::Result {
    let config = &loaded.config;
    writeln!(out, "\nCHECKS (for each replica; a month has 30 days)")?;
    let url = usize::from(config.api_health_url.is_some());
    write_check(out, "api", &config.policy, url, "API_HEALTH_URL is not set")?;

    let runpod = loaded.live.runpod.get();
    let endpoints = ready(&runpod).map_or(0, |runpod| runpod.endpoints.len());
    let idle = "its configuration is missing or malformed";
    write_check(
        out,
        "runpod_configured",
        &config.runpod_policy,
        endpoints,
        idle,
    )?;
    if endpoints > 0 {
        writeln!(out, "  cost: none, RunPod does not charge for health calls")?;
    }

    let r2 = loaded.live.r2.get();
    let r2 = ready(&r2);
    write_check(
        out,
        "r2_configured",
        &config.r2_policy,
        usize::from(r2.is_some()),
        idle,
    )?;
    if r2.is_some_and(|r2| is_cloudflare(&r2.endpoint)) {
        let price = cost::class_a(cost::calls(&config.r2_policy, 1));
        writeln!(
            out,
            "  cost: class A, {:.1} % of the 1,000,000 that are free per account and month; ${:.2} a month alone, ${:.2} where others use up the free ones",
            price.free_percent, price.dollars_alone, price.dollars_past_free
        )?;
    }
    Ok(())
}

fn ready<T>(setup: &Setup<T>) -> Option<&T> {
    match setup {
        Setup::Ready(value) => Some(value),
        Setup::Missing(_) | Setup::Malformed(_) => None,
    }
}

fn write_check(
    out: &mut String,
    name: &str,
    policy: &Policy,
    parties: usize,
    idle: &str,
) -> fmt::Result {
    writeln!(out, "{name}")?;
    writeln!(
        out,
        "  pace: every {}, timeout {}, retry {}; false after {} failures, true after {} passes",
        span(policy.interval),
        span(policy.timeout),
        span(policy.retry_interval),
        policy.failure_threshold,
        policy.success_threshold,
    )?;
    if parties == 0 {
        writeln!(out, "  calls: none, {idle}")?;
    } else {
        let calls = cost::calls(policy, parties);
        writeln!(
            out,
            "  calls: {:.0} an hour, {:.0} a month",
            calls.hour, calls.month
        )?;
    }
    writeln!(
        out,
        "  a fault is noticed within {}",
        span(cost::time_to_notice(policy))
    )
}

/// Milliseconds are as exact as a configuration gets.
pub(super) fn span(duration: Duration) -> impl fmt::Display {
    let whole = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_millis(whole))
}

fn write_warnings(out: &mut String, warnings: &[Detail]) -> fmt::Result {
    write_list(out, "WARNINGS", warnings)
}

fn write_problems(out: &mut String, problems: &[Problem]) -> fmt::Result {
    write_list(out, "PROBLEMS", problems)
}

fn write_list(out: &mut String, title: &str, lines: &[impl fmt::Display]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
}
