use super::places::NO_JOB;
use super::words::NO_EVENT;
use super::*;
use crate::jobs::event::Status;

fn said(body: &str, header: Option<&str>) -> Result<Said, &'static str> {
    read(&parse(body.as_bytes())?, header)
}

fn told(body: &str, header: Option<&str>) -> Told {
    said(body, header).unwrap().told
}

#[test]
fn the_job_is_named_in_many_places() {
    for body in [
        r#"{"job_id":"j1"}"#,
        r#"{"id":"j1"}"#,
        r#"{"id":"evt_1","data":{"id":"j1"}}"#,
        r#"{"id":"evt_1","data":{"id":"x","job":{"id":"j1"}}}"#,
        r#"{"id":"evt_1","job":{"job_id":"j1"}}"#,
        r#"{"metadata":{"job_id":"j1"}}"#,
        // What a customer wrote is no name where there is another.
        r#"{"id":"j1","metadata":{"id":"x","job_id":"y"}}"#,
        r#"{"id":"evt_1","data":{"id":"j1","metadata":{"job_id":"x"}}}"#,
    ] {
        assert_eq!(
            said(body, Some("job.started")).unwrap().job_id,
            "j1",
            "{body}"
        );
    }
    assert_eq!(
        said(r#"{"job_id":17}"#, Some("job.started"))
            .unwrap()
            .job_id,
        "17"
    );
    assert_eq!(
        said(r#"{"event":"job.started"}"#, None).unwrap_err(),
        NO_JOB
    );
    assert_eq!(
        said(r#"{"job_id":"a b"}"#, Some("job.started")).unwrap_err(),
        BAD_JOB
    );
}

#[test]
fn what_is_no_object_is_refused() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let deep_object = format!(r#"{{"job_id":"j","x":{deep}}}"#);
    for body in [
        "",
        "[]",
        "1",
        "{",
        "job_id=j1",
        "{}x",
        "\u{feff}{}",
        deep_object.as_str(),
    ] {
        assert_eq!(said(body, None).unwrap_err(), NOT_AN_OBJECT, "{body}");
    }
}

#[test]
fn the_body_names_the_event_and_the_header_only_where_it_does_not() {
    use Status::{Completed, Created, Failed, Processing};
    for (spelled, status) in [
        ("job.created", Created),
        ("IN_QUEUE", Created),
        ("job.started", Processing),
        ("in-progress", Processing),
        ("job.completed", Completed),
        ("success", Completed),
        ("job.failed", Failed),
        ("TIMED_OUT", Failed),
        ("cancelled", Failed),
    ] {
        for member in ["event", "type", "status"] {
            let body = format!(r#"{{"job_id":"j","{member}":"{spelled}"}}"#);
            assert_eq!(told(&body, None), Told::Reached(status), "{body}");
            let inner = format!(r#"{{"data":{body}}}"#);
            assert_eq!(told(&inner, None), Told::Reached(status), "{inner}");
        }
        assert_eq!(
            told(r#"{"job_id":"j","type":"video"}"#, Some(spelled)),
            Told::Reached(status)
        );
    }
    assert_eq!(said(r#"{"job_id":"j"}"#, None).unwrap_err(), NO_EVENT);
}

#[test]
fn names_at_odds_are_a_disagreement() {
    for (body, header) in [
        (
            r#"{"job_id":"j","event":"job.completed"}"#,
            Some("job.failed"),
        ),
        (
            r#"{"job_id":"j","event":"job.completed"}"#,
            Some("job.progress"),
        ),
        (
            r#"{"job_id":"j","event":"job.progress"}"#,
            Some("job.completed"),
        ),
        (
            r#"{"job_id":"j","event":"job.completed","status":"failed"}"#,
            None,
        ),
        (
            r#"{"event":"job.completed","data":{"job_id":"j","status":"failed"}}"#,
            None,
        ),
    ] {
        assert_eq!(told(body, header), Told::Disagreement, "{body}");
    }
    for (body, header) in [
        (
            r#"{"job_id":"j","event":"job.completed","status":"done","type":"video"}"#,
            Some("completed"),
        ),
        (
            r#"{"job_id":"j","event":"job.updated","status":"done"}"#,
            Some("job.updated"),
        ),
    ] {
        assert_eq!(
            told(body, header),
            Told::Reached(Status::Completed),
            "{body}"
        );
    }
    assert_eq!(
        told(
            r#"{"job_id":"j","event":"job.progress"}"#,
            Some("job.progress")
        ),
        Told::Unknown
    );
    assert_eq!(
        told(r#"{"job_id":"j"}"#, Some("job.progress")),
        Told::Unknown
    );
}

#[test]
fn facts_are_found_and_cleaned() {
    let body = r#"{"event":"job.failed","data":{"job_id":"j","model":"m1","output_format":"webm","credits":2.5,
        "metadata":{"user_id":7,"request_id":"req_1"},"error":{"code":"bad input","message":"no\nhttps://h/p?sig=S"}}}"#;
    let facts = said(body, None).unwrap().facts;
    assert_eq!(facts.model.as_deref(), Some("m1"));
    assert_eq!(facts.output_format.as_deref(), Some("webm"));
    assert_eq!(facts.credits.as_deref(), Some("2.5"));
    assert_eq!(facts.user_id.as_deref(), Some("7"));
    assert_eq!(facts.request_id.as_deref(), Some("req_1"));
    assert_eq!(facts.error_code.as_deref(), Some("bad_input"));
    assert_eq!(facts.error_message.as_deref(), Some("no https://h/p"));

    let error = |body: &str| {
        let facts = said(body, None).unwrap().facts;
        (facts.error_code, facts.error_message)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        error(r#"{"id":"j","status":"failed","error":"boom"}"#),
        (None, some("boom"))
    );
    let flat =
        r#"{"id":"j","status":"failed","error":null,"error_code":"E1","error_message":"boom"}"#;
    assert_eq!(error(flat), (some("E1"), some("boom")));
    assert_eq!(
        error(r#"{"id":"j","status":"cancelled"}"#),
        (some("cancelled"), None)
    );
}

#[test]
fn of_runpods_body_five_members_are_kept() {
    let body = r#"{"id":"r-1","status":"COMPLETED","delayTime":5,"executionTime":61000.4,
        "input":{"secret":1},"output":"x","webhook":"https://us/webhooks/runpod/TOKEN"}"#;
    let (said, kept) = read_runpod(&parse(body.as_bytes()).unwrap()).unwrap();
    assert_eq!(
        (said.job_id.as_str(), said.told),
        ("r-1", Told::Reached(Status::Completed))
    );
    assert_eq!(said.facts.execution_ms, Some(61_000));
    assert_eq!(
        kept.keys().collect::<Vec<_>>(),
        ["delayTime", "executionTime", "id", "status"]
    );

    let of = |body: &str| read_runpod(&parse(body.as_bytes()).unwrap()).map(|(said, _)| said);
    let cancelled = of(r#"{"id":"r","status":"CANCELLED","executionTime":-1}"#).unwrap();
    assert!(cancelled.facts.cancelled);
    assert_eq!(cancelled.facts.execution_ms, None);
    let timed_out = of(r#"{"id":"r","status":"TIMED_OUT","error":"job timed out"}"#).unwrap();
    assert_eq!(timed_out.facts.error_code.as_deref(), Some("timed_out"));
    assert!(!timed_out.facts.cancelled);
    assert_eq!(
        of(r#"{"id":"r","status":"NEW"}"#).unwrap().told,
        Told::Unknown
    );
    assert!(of(r#"{"status":"FAILED"}"#).is_err() && of(r#"{"id":"r"}"#).is_err());
}

#[test]
fn a_failure_is_seen_whatever_else_is_wrong() {
    let failure = |body: &str, header| {
        let body = parse(body.as_bytes()).unwrap();
        Failure::told(&body, header).map(|failure| (failure.job_id, failure.facts.error_code))
    };
    let some = |text: &str| Some(text.to_owned());
    let no_id = r#"{"event":"job.failed","error":{"code":"E1"}}"#;
    assert_eq!(failure(no_id, None), Some((None, some("E1"))));
    let at_odds = r#"{"job_id":"j","status":"failed","event":"job.completed","error_code":"E2"}"#;
    assert_eq!(failure(at_odds, None), Some((some("j"), some("E2"))));
    assert_eq!(
        failure(r#"{"job_id":"j"}"#, Some("job.failed")),
        Some((some("j"), None))
    );
    assert_eq!(
        failure(r#"{"job_id":"j","status":"done"}"#, Some("job.done")),
        None
    );
}
