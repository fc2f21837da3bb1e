//! The checks of one process behind one type, in the order in which answers show them.
//!
//! This is the only place where a check's own type is erased; everything downstream sees [`Entry`]s.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, schema::Schema};

use crate::check::{Check, Context, Finding, Outcome, Report, Reported};
use crate::config::Policy;
use crate::reason::{COMMON, PANICKED, Reason, TIMEOUT};
use crate::sample::Family;

/// How much longer than its timeout a run may last before the monitor ends it: a check that shares its
/// timeout with each of its calls can still report them.
const BACKSTOP: Duration = Duration::from_millis(250);

/// What is known of a check before it ever ran.
#[derive(Debug, Clone, Copy)]
pub struct Info {
    /// Its name.
    pub name: &'static str,
    /// Whether it speaks for this very process.
    pub about_this_process: bool,
    /// Its own reasons, besides the common ones.
    pub reasons: &'static [&'static Reason],
    /// The reasons that take longer than one run to judge, and how long.
    pub timed: &'static [(&'static Reason, Duration)],
    /// The schema of its data.
    pub data: DataSchema,
    /// What its samples are of.
    pub families: &'static [&'static Family],
    /// Pace and thresholds.
    pub policy: Policy,
}

/// The schema of a check's data, for documents.
#[derive(Debug, Clone, Copy)]
pub struct DataSchema {
    name: fn() -> Cow<'static, str>,
    schema: fn() -> RefOr<Schema>,
    parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl DataSchema {
    /// That of `D`.
    pub fn of<D: ToSchema>() -> Self {
        DataSchema {
            name: D::name,
            schema: D::schema,
            parts: D::schemas,
        }
    }

    /// Its name.
    pub fn name(&self) -> Cow<'static, str> {
        (self.name)()
    }

    /// It and everything that it refers to, by name.
    pub fn all(&self) -> Vec<(String, RefOr<Schema>)> {
        let mut all = vec![(self.name().into_owned(), (self.schema)())];
        (self.parts)(&mut all);
        all
    }
}

impl Info {
    /// What is known of `C` under `policy`.
    pub fn of<C: Check>(policy: Policy) -> Self {
        Info {
            name: C::NAME,
            about_this_process: C::ABOUT_THIS_PROCESS,
            reasons: C::REASONS,
            timed: C::TIMED,
            data: DataSchema::of::<C::Data>(),
            families: C::Data::FAMILIES,
            policy,
        }
    }

    /// Every reason it can report.
    pub fn all_reasons(&self) -> impl Iterator<Item = &'static Reason> {
        COMMON.iter().chain(self.reasons).copied()
    }
}

/// One registered check.
pub struct Entry {
    /// What is known of it.
    pub info: Info,
    runner: Box<dyn Run>,
}

impl Entry {
    /// Runs the check once: bounded in time, panics captured (the check is then built anew).
    pub async fn run(&mut self, cx: &Context) -> Outcome<Reported> {
        // The call is inside, too: a check may panic before its first await.
        let run = AssertUnwindSafe(async { self.runner.run(cx).await }).catch_unwind();
        match tokio::time::timeout(cx.timeout + BACKSTOP, run).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_payload)) => {
                self.runner.rebuild();
                Outcome::of(Finding::new(&PANICKED))
            }
            Err(_elapsed) => Outcome::of(Finding::new(&TIMEOUT)),
        }
    }
}

/// The list of checks.
#[derive(Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

/// A check that cannot be registered.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// Two checks under one name.
    #[error("two checks are named {0}; accepted: every check under a name of its own")]
    Duplicate(&'static str),
    /// `POST /health/refresh` is no check's path.
    #[error("a check is named {0}; accepted: any name but that, which is an endpoint")]
    Reserved(&'static str),
    /// A set of checks is a 64-bit word.
    #[error("{0} is one check too many; accepted: at most {MAX_CHECKS}")]
    TooMany(&'static str),
}

/// The most checks that a registry takes.
pub const MAX_CHECKS: usize = 64;
const RESERVED: &str = "refresh";

impl Registry {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check; `make` builds it, now and again after a panic.
    ///
    /// # Errors
    /// When its name is taken or reserved, or there are too many.
    pub fn add<C: Check>(
        &mut self,
        policy: Policy,
        make: impl Fn() -> C + Send + 'static,
    ) -> Result<(), Refused> {
        if C::NAME == RESERVED {
            return Err(Refused::Reserved(C::NAME));
        }
        if self.entries.iter().any(|entry| entry.info.name == C::NAME) {
            return Err(Refused::Duplicate(C::NAME));
        }
        if self.entries.len() == MAX_CHECKS {
            return Err(Refused::TooMany(C::NAME));
        }
        let info = Info::of::<C>(policy);
        let runner = Box::new(Runner {
            check: make(),
            make,
        });
        self.entries.push(Entry { info, runner });
        Ok(())
    }

    /// The entries, to be run.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// What is known of each, in order.
    pub fn infos(&self) -> Vec<Info> {
        self.entries.iter().map(|entry| entry.info).collect()
    }
}

trait Run: Send {
    fn run<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Outcome<Reported>>;
    fn rebuild(&mut self);
}

struct Runner<C, M> {
    check: C,
    make: M,
}

impl<C: Check, M: Fn() -> C + Send + 'static> Run for Runner<C, M> {
    fn run<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Outcome<Reported>> {
        self.check
            .run(cx)
            .map(|outcome| Outcome {
                findings: outcome.findings,
                data: outcome.data.as_ref().and_then(Reported::of),
                retry_after: outcome.retry_after,
            })
            .boxed()
    }

    fn rebuild(&mut self) {
        self.check = (self.make)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[derive(serde::Serialize, ToSchema)]
    struct Seven(u32);
    impl Report for Seven {}

    struct Scripted(u32);
    impl Check for Scripted {
        const NAME: &'static str = "scripted";
        const REASONS: &'static [&'static Reason] = &[];
        type Data = Seven;
        async fn run(&mut self, _cx: &Context) -> Outcome<Seven> {
            self.0 += 1;
            match self.0 {
                1 => Outcome::pass().with_data(Seven(7)),
                2 => panic!("secret payload"),
                _ => std::future::pending().await,
            }
        }
    }

    fn registry() -> Registry {
        let mut registry = Registry::new();
        registry.add(Policy::default(), || Scripted(0)).unwrap();
        registry
    }

    struct Reserved;
    impl Check for Reserved {
        const NAME: &'static str = "refresh";
        const REASONS: &'static [&'static Reason] = &[];
        type Data = ();
        async fn run(&mut self, _cx: &Context) -> Outcome<()> {
            Outcome::pass()
        }
    }

    #[test]
    fn a_check_cannot_take_the_name_of_an_endpoint() {
        let refused = Registry::new().add(Policy::default(), || Reserved);
        assert_eq!(refused, Err(Refused::Reserved("refresh")));
    }

    #[test]
    fn a_second_check_of_one_name_is_refused() {
        let refused = registry()
            .add(Policy::default(), || Scripted(0))
            .map(|()| "added");
        assert_eq!(refused, Err(Refused::Duplicate("scripted")));
    }

    #[tokio::test(start_paused = true)]
    async fn panics_and_hangs_become_outcomes_and_a_panicked_check_is_built_anew() {
        let mut entries = registry().into_entries();
        let cx = Context {
            clock: Clock::default(),
            timeout: Duration::from_secs(1),
        };
        let entry = &mut entries[0];
        let seven = Reported::of(&Seven(7));
        assert_eq!(entry.run(&cx).await.data, seven);
        assert_eq!(entry.run(&cx).await.worst().unwrap().reason, &PANICKED);
        assert_eq!(entry.run(&cx).await.data, seven, "built anew");

        let mut hanging = Registry::new();
        hanging.add(Policy::default(), || Scripted(2)).unwrap();
        let outcome = hanging.into_entries()[0].run(&cx).await;
        assert_eq!(outcome.worst().unwrap().reason, &TIMEOUT);
    }
}
