//! Webhooks, `/jobs` and `/signals`: what stands between HTTP and the job room.

mod body;
mod query;
mod refusal;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::routing::{MethodRouter, get, post};
use http::{HeaderMap, StatusCode, Uri};
use maud::Markup;
use tokio::sync::Semaphore;

use self::body::{ROOM_KIB, take};
use self::query::JobsQuery;
use super::code::Code;
use super::endpoints::{Route, Scope, Webhooks};
use super::error::{ApiError, Reply};
use super::request_id::RequestId;
use super::shared::{Caller, Shared};
use crate::answers::{jobs as shown, page, signals};
use crate::jobs::event::Source;
use crate::jobs::{Incoming, Receipt, Refusal, Room};

/// The way to the room.
#[derive(Debug)]
pub(super) struct Door {
    room: Room,
    webhooks: Webhooks,
    /// KiB of bodies that may be in memory at a time: of the API, whose senders are known by their bodies alone, and
    /// of RunPod, so that a flood of the one does not keep out the other.
    space: Arc<Semaphore>,
    runpods_space: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(room: Room, webhooks: Webhooks) -> Self {
        Door {
            room,
            webhooks,
            space: Arc::new(Semaphore::new(ROOM_KIB)),
            runpods_space: Arc::new(Semaphore::new(ROOM_KIB)),
        }
    }

    /// The section of the status page.
    pub(super) fn section(&self) -> Markup {
        let board = self.room.board();
        page::jobs::markup(&board, self.room.now())
    }

    /// Reads the body of a delivery; what is wrong with it is counted as an answer of the room.
    async fn take(
        &self,
        source: Source,
        headers: HeaderMap,
        body: Body,
        id: &RequestId,
    ) -> Result<Incoming, ApiError> {
        let space = match source {
            Source::Webhook => &self.space,
            Source::RunPod => &self.runpods_space,
        };
        let taken = take(space, &headers, body).await;
        let (body, memory) = taken.inspect_err(|error| {
            self.room.turned_away(source, error.is_fault());
        })?;
        Ok(Incoming {
            headers,
            body,
            request_id: id.as_str().to_owned(),
            memory,
        })
    }

    fn refused(&self, refusal: Refusal) -> ApiError {
        ApiError::refused(refusal, Scope::Everything(self.webhooks))
    }

    /// What the sender of a delivery is answered, whose body has been read to its end.
    fn received(&self, outcome: Result<Receipt, Refusal>, fresh: StatusCode) -> Reply {
        match outcome {
            Ok(receipt) => {
                let answer = shown::received(&receipt, fresh);
                Reply::new(answer, Code::InternalError).with_body_read()
            }
            Err(refusal) => Reply::from(self.refused(refusal)).with_body_read(),
        }
    }
}

type App = State<Arc<Shared>>;

/// The handler of an endpoint of the job room; none for any other.
pub(super) fn handler(route: Route) -> MethodRouter<Arc<Shared>> {
    match route {
        Route::JobWebhook => post(job_webhook),
        Route::RunPodWebhook => post(runpod_webhook),
        Route::Job => get(job),
        Route::Jobs => get(jobs),
        Route::Signals => get(signals_now),
        Route::Health
        | Route::Livez
        | Route::Readyz
        | Route::Refresh
        | Route::Check
        | Route::OpenApi
        | Route::Metrics
        | Route::Page => MethodRouter::new(),
    }
}

async fn job_webhook(
    State(shared): App,
    id: RequestId,
    headers: HeaderMap,
    body: Body,
) -> Result<Reply, ApiError> {
    let door = &shared.jobs;
    let incoming = door.take(Source::Webhook, headers, body, &id).await?;
    let outcome = door.room.webhook(incoming).await;
    Ok(door.received(outcome, StatusCode::ACCEPTED))
}

async fn runpod_webhook(
    State(shared): App,
    id: RequestId,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Reply, ApiError> {
    let door = &shared.jobs;
    // A token needs no escapes: one that has some is none of ours.
    let token = uri.path().rsplit('/').next().unwrap_or_default();
    if !door.room.is_runpods(token) {
        // As an unknown path is answered, to the last header, whatever else was sent.
        return Err(door.refused(Refusal::WrongToken));
    }
    let incoming = door.take(Source::RunPod, headers, body, &id).await?;
    let outcome = door.room.runpod(incoming).await;
    Ok(door.received(outcome, StatusCode::OK))
}

async fn job(
    State(shared): App,
    caller: Caller,
    job_id: Result<Path<String>, PathRejection>,
) -> Result<Reply, ApiError> {
    Shared::authorize(caller)?;
    let door = &shared.jobs;
    // What is no id at all is not looked up.
    let Path(id) = job_id
        .ok()
        .filter(|Path(id)| query::is_job_id(id))
        .ok_or_else(ApiError::job_not_found)?;
    let found = door.room.job(&id).await;
    let found = found.map_err(|refusal| door.refused(refusal))?;
    let trail = found.ok_or_else(ApiError::job_not_found)?;
    Ok(Reply::new(shown::trail(&id, &trail), Code::InternalError))
}

async fn jobs(State(shared): App, caller: Caller, uri: Uri) -> Result<Reply, ApiError> {
    Shared::authorize(caller)?;
    let door = &shared.jobs;
    let query = JobsQuery::parse(uri.query(), door.room.now())?;
    let found = door.room.list(query.wanted()).await;
    let found = found.map_err(|refusal| door.refused(refusal))?;
    let (page, next) = query.page(found);
    let answer = shown::list(&page, next.as_deref());
    Ok(Reply::new(answer, Code::InternalError))
}

async fn signals_now(State(shared): App, caller: Caller) -> Result<Reply, ApiError> {
    Shared::authorize(caller)?;
    let room = &shared.jobs.room;
    let answer = signals::signals(&room.board(), room.now());
    Ok(Reply::new(answer, Code::InternalError))
}

#[cfg(test)]
pub(super) mod tests;
