//! `/health`, `/health/{check}` and `/health/refresh`.

use std::sync::Arc;

use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use super::code::Code;
use super::error::{ApiError, Reply};
use super::openapi;
use super::query::HealthQuery;
use super::shared::{Caller, Shared};
use crate::answers::{Answer, Body, Form, Options, Published, check, health};
use crate::config::Details;
use crate::peer::Gone;
use crate::snapshot::{CheckSet, Checked, Snapshot};

/// The form that the caller asks for; a refresh has but one.
fn form(caller: Caller) -> Form {
    if caller.accepts.health_json() {
        Form::HealthJson
    } else {
        Form::Json
    }
}

impl Shared {
    /// Plain `/health`, without waiting; `None` while the first round is under way.
    pub(super) fn health_at_once(&self, caller: Caller) -> Option<Reply> {
        let published = self.monitor.published.borrow();
        (!published.starting).then(|| self.health_of(&published, &self.plain(caller), caller.at))
    }

    /// `/health` with whatever the query asks for.
    pub(super) async fn health(
        &self,
        query: HealthQuery,
        caller: Caller,
        gone: &Gone,
    ) -> Result<Reply, ApiError> {
        let mut options = self.plain(caller);
        options.excluded = self.excluded(query.exclude)?;
        self.detailed(&mut options, query.verbose, caller)?;
        if let Some(patience) = query.wait {
            Self::authorize(caller)?;
            return self.wait_healthy(options, caller.at + patience, gone).await;
        }
        let published = self
            .first_round(self.deadline(caller), |snapshot| {
                snapshot.is_starting(options.excluded)
            })
            .await;
        Ok(self.health_of(&published, &options, Instant::now()))
    }

    /// `/health/{check}`.
    pub(super) async fn check(
        &self,
        name: &str,
        verbose: bool,
        caller: Caller,
    ) -> Result<Reply, ApiError> {
        let index = self
            .names
            .iter()
            .position(|&known| known == name)
            .ok_or_else(|| ApiError::check_not_found(&self.names))?;
        let mut options = Options {
            form: form(caller),
            ..self.options.clone()
        };
        self.detailed(&mut options, verbose, caller)?;
        let published = self
            .first_round(self.deadline(caller), |snapshot| {
                snapshot.checks.get(index).is_some_and(Checked::is_starting)
            })
            .await;
        let at = self.moment(Instant::now());
        let answer = match published.checks.get(index) {
            Some(rendered) if !verbose && options.form == Form::Json && published.is_good(at) => {
                rendered.clone()
            }
            _ => check(&published.snapshot, index, &options, at),
        };
        Ok(Reply::new(answer, Code::CheckFailed))
    }

    /// `/openapi.json`.
    pub(super) fn openapi(&self) -> Reply {
        let document = self
            .document
            .get_or_init(|| openapi::document(&self.infos).into());
        let body = Body::Whole(document.clone());
        Reply::new(Answer::json(StatusCode::OK, body), Code::InternalError)
    }

    /// `POST /health/refresh`; the key has been asked for. Once the client has gone nobody waits, and the
    /// answer says that nothing is fresh.
    pub(super) async fn refresh(&self, caller: Caller, gone: &Gone) -> Reply {
        let (published, fresh) = tokio::select! {
            biased;
            refreshed = self.monitor.refresh.run(self.refresh_patience) => refreshed,
            () = gone.wait() => (self.published(), Vec::new()),
        };
        let options = Options {
            details: self.policy.details != Details::Never,
            version: caller.authorized,
            fresh: Some(fresh),
            ..self.options.clone()
        };
        self.health_of(&published, &options, Instant::now())
    }

    /// The answer of `/health`: as published where that is what `options` ask for and still holds.
    pub(super) fn health_of(
        &self,
        published: &Published,
        options: &Options,
        now: Instant,
    ) -> Reply {
        let at = self.moment(now);
        let as_published = options.form == Form::Json
            && !options.details
            && !options.version
            && options.fresh.is_none()
            && options.excluded == self.options.excluded
            && options.degraded_is_503 == self.options.degraded_is_503;
        let answer: Answer = if as_published && published.is_good(at) {
            published.health.clone()
        } else {
            health(&published.snapshot, options, at)
        };
        Reply::new(answer, Code::Degraded)
    }

    /// Without options. Another instance's check is always answered 200, so that instances that watch
    /// each other, or themselves, cannot hold each other down.
    fn plain(&self, caller: Caller) -> Options {
        Options {
            form: form(caller),
            degraded_is_503: self.options.degraded_is_503 && !caller.is_probe,
            ..self.options.clone()
        }
    }

    fn excluded(&self, asked: CheckSet) -> Result<CheckSet, ApiError> {
        let excluded = self.options.excluded.union(asked);
        if !asked.is_empty() && excluded.len() >= self.names.len() {
            let names = self.names.join(", ");
            let message = format!("exclude leaves no check; there are {names}");
            return Err(ApiError::invalid(message));
        }
        Ok(excluded)
    }

    /// Adds details where they are asked for and allowed; with `HEALTH_DETAILS=never` they are left out
    /// and the answer is otherwise the same, so that a monitor that asks for them goes on working.
    fn detailed(&self, options: &mut Options, asked: bool, caller: Caller) -> Result<(), ApiError> {
        options.details = asked
            && match self.policy.details {
                Details::Always => true,
                Details::Never => false,
                Details::Authorized if caller.authorized => true,
                Details::Authorized => return Err(ApiError::details_need_a_key()),
            };
        options.version = asked && caller.authorized;
        Ok(())
    }

    /// For what needs a key.
    pub(super) fn authorize(caller: Caller) -> Result<(), ApiError> {
        if caller.authorized {
            Ok(())
        } else {
            Err(ApiError::needs_a_key())
        }
    }

    fn deadline(&self, caller: Caller) -> Instant {
        caller.at + self.policy.deadline
    }

    /// The newest publication, once what the request asks for is not `starting` any more, or at `deadline`.
    pub(super) async fn first_round(
        &self,
        deadline: Instant,
        starting: impl Fn(&Snapshot) -> bool,
    ) -> Arc<Published> {
        let mut published = self.monitor.published.clone();
        let ended = published.wait_for(|published| !starting(&published.snapshot));
        // Either way the newest publication is the answer.
        let _ = timeout_at(deadline, ended).await;
        self.published()
    }
}
