//! `infra-health doctor`: runs every check once, or for a while, and says what is wrong and what to do.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::answers::{self, Options};
use crate::checks::{self, Parts, client::Client};
use crate::clock::Clock;
use crate::config::{Loaded, Problem};
use crate::http::options;
use crate::monitor::{BuildError, step};
use crate::registry::{Entry, Info};
use crate::snapshot::{CheckSet, Checked, Moment, Snapshot, Status};
use crate::vitals::Vitals;

use super::exit;

/// How to run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Print JSON instead of a table.
    pub json: bool,
    /// Go on for this long, so that what needs time can be judged; zero is one run.
    pub lasting: Duration,
}

/// What was found.
pub struct Diagnosis {
    snapshot: Snapshot,
    excluded: CheckSet,
    /// Over what time each check was sampled.
    sampled: Vec<Duration>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
    at: Moment,
}

/// A reason that takes longer than this run did.
#[derive(Debug, Serialize)]
struct NotJudged {
    check: &'static str,
    reason: &'static str,
    needs_seconds: u64,
}

/// Examines and prints.
pub fn run(loaded: &Loaded, plan: Plan) -> ExitCode {
    let examined = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(BuildError::from)
        .and_then(|runtime| {
            let examined = runtime.block_on(examine(loaded, plan));
            // A resolver stuck in libc would delay an ordinary drop by seconds.
            runtime.shutdown_background();
            examined
        });
    // A closed output changes nothing about the exit code.
    match examined {
        Ok(diagnosis) => {
            let report = if plan.json {
                diagnosis.json()
            } else {
                diagnosis.table()
            };
            let _ = io::stdout().write_all(report.as_bytes());
            ExitCode::from(diagnosis.exit_code())
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "the checks cannot be built: {error}");
            ExitCode::from(exit::FAILURE)
        }
    }
}

/// Runs the checks of this configuration.
///
/// # Errors
/// When the checks or their client cannot be built.
pub async fn examine(loaded: &Loaded, plan: Plan) -> Result<Diagnosis, BuildError> {
    let client = Client::new(loaded.config.https_proxy.clone())?;
    // No runtime is sampled here: `api` covers `API_HEALTH_URL` only.
    let parts = Parts {
        live: loaded.live.clone(),
        vitals: Arc::new(Vitals::new()),
        client,
        // Nobody judges them here.
        #[cfg(feature = "jobs")]
        signals: None,
    };
    let registry = checks::registry(&loaded.config, &parts)?;
    let runs = registry
        .into_entries()
        .into_iter()
        .map(|entry| examine_one(entry, plan.lasting));
    let examined = futures_util::future::join_all(runs).await;
    let (checks, sampled) = examined
        .into_iter()
        .map(|one| (one.check, one.sampled))
        .unzip();
    let snapshot = Snapshot { checks };
    let infos = checks::infos(&loaded.config);
    let excluded = options(&loaded.config.answers, &infos).excluded;
    Ok(Diagnosis {
        snapshot,
        excluded,
        sampled,
        problems: loaded.check_problems.clone(),
        warnings: loaded
            .config
            .warnings
            .iter()
            .map(ToString::to_string)
            .collect(),
        at: Moment {
            now: Clock::default().now().mono,
            stalled: false,
        },
    })
}

/// A check and over what time it was sampled.
struct Examined {
    check: Checked,
    sampled: Duration,
}

/// Runs one check at the pace of an undecided check, or as its upstream asks, until its samples span
/// `lasting`.
async fn examine_one(mut entry: Entry, lasting: Duration) -> Examined {
    let info = entry.info;
    let clock = Clock::default();
    let mut check = Checked::starting(info);
    let mut first = None;
    loop {
        check.state = Arc::new(step(&mut entry, clock, &check.state).await);
        check.notice(clock.now());
        let state = &check.state;
        let finished = state
            .last
            .as_ref()
            .map_or_else(|| clock.now(), |run| run.at)
            .mono;
        let first = *first.get_or_insert(finished);
        let (sampled, end) = (finished - first, first + lasting);
        let kept_away_until = state.back_off_until.map(|until| until.mono);
        if sampled >= lasting || kept_away_until > Some(end) {
            return Examined { check, sampled };
        }
        let next = kept_away_until.max(Some(finished + info.policy.retry_interval));
        tokio::time::sleep_until(next.map_or(end, |next| next.min(end))).await;
    }
}

impl Diagnosis {
    /// 0 nothing failed, 1 degraded, 2 bad configuration.
    pub fn exit_code(&self) -> u8 {
        if !self.problems.is_empty() {
            exit::BAD_CONFIGURATION
        } else if self.snapshot.fold(self.excluded, self.at).healthy {
            exit::OK
        } else {
            exit::FAILURE
        }
    }

    /// For machines: the body of `/health?verbose` and what only this command knows.
    pub fn json(&self) -> String {
        let options = Options {
            excluded: self.excluded,
            details: true,
            version: true,
            ..Options::default()
        };
        let body = answers::health(&self.snapshot, &options, self.at)
            .body
            .with_id("");
        let mut report: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Value::Object(members) = &mut report {
            let problems: Vec<_> = self.problems.iter().map(ToString::to_string).collect();
            members.insert("problems".to_owned(), problems.into());
            members.insert("warnings".to_owned(), self.warnings.clone().into());
            let not_judged = serde_json::to_value(self.not_judged()).unwrap_or_default();
            members.insert("not_judged".to_owned(), not_judged);
        }
        format!("{report:#}\n")
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let rows: Vec<_> = self
            .snapshot
            .checks
            .iter()
            .map(|check| row(check, self.at))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let (name, state, reason, latency) = (width(0), width(1), width(2), width(3));
        for (check, row) in self.snapshot.checks.iter().zip(&rows) {
            let _ = writeln!(
                out,
                "{:name$}  {:state$}  {:reason$}  {:>latency$}",
                row[0], row[1], row[2], row[3]
            );
            self.explain(check, &mut out);
        }
        self.write_remarks(&mut out);
        let healthy = self.snapshot.fold(self.excluded, self.at).healthy;
        let _ = writeln!(out, "\n{}", if healthy { "healthy" } else { "degraded" });
        out
    }

    fn explain(&self, check: &Checked, out: &mut String) {
        for finding in check.view(self.at).findings {
            let _ = writeln!(out, "    {}: {}", finding.reason.code, finding.message());
            let _ = writeln!(
                out,
                "    remedy: {} ({})",
                finding.reason.remedy,
                finding.reason.doc()
            );
        }
        for timed in self
            .not_judged()
            .iter()
            .filter(|timed| timed.check == check.info.name)
        {
            let _ = writeln!(
                out,
                "    {}: not judged (needs {} s)",
                timed.reason, timed.needs_seconds
            );
        }
        if check.info.about_this_process {
            let _ = writeln!(
                out,
                "    covers API_HEALTH_URL only; the service's own process is judged by the service"
            );
        }
    }

    fn write_remarks(&self, out: &mut String) {
        let sections = [
            (
                "configuration problems",
                self.problems
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>(),
            ),
            ("warnings", self.warnings.clone()),
        ];
        for (title, lines) in sections.into_iter().filter(|(_, lines)| !lines.is_empty()) {
            let _ = writeln!(out, "\n{title}:");
            for line in lines {
                let _ = writeln!(out, "    {line}");
            }
        }
    }

    fn not_judged(&self) -> Vec<NotJudged> {
        let asked = self.snapshot.checks.iter().zip(&self.sampled);
        let asked = asked.filter(|(check, _)| was_asked(check));
        asked
            .flat_map(|(check, sampled)| too_long(check.info, *sampled))
            .collect()
    }
}

/// The reasons of a check that need more time than it was sampled for.
fn too_long(info: Info, sampled: Duration) -> impl Iterator<Item = NotJudged> {
    let timed = info.timed.iter().filter(move |(_, needs)| *needs > sampled);
    timed.map(move |&(reason, needs)| NotJudged {
        check: info.name,
        reason: reason.code,
        needs_seconds: needs.as_secs(),
    })
}

/// Whether the check got as far as asking anybody: without configuration there is nothing to judge.
fn was_asked(check: &Checked) -> bool {
    check
        .state
        .last
        .as_ref()
        .is_some_and(|run| run.data.is_some())
}

fn row(check: &Checked, at: Moment) -> [String; 4] {
    let view = check.view(at);
    let state = match view.status {
        Status::Pass => "pass",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    };
    let latency = check
        .state
        .last
        .as_ref()
        .map_or(0.0, |run| run.latency.as_secs_f64() * 1e3);
    [
        check.info.name.to_owned(),
        state.to_owned(),
        view.deciding().reason.code.to_owned(),
        format!("{latency:.0} ms"),
    ]
}

#[cfg(test)]
mod tests;
