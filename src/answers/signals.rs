//! `/signals`.

use http::StatusCode;
use time::OffsetDateTime;

use super::health::to_text;
use super::{Answer, Body};
use crate::jobs::signals::board::Board;
use crate::jobs::signals::told::Told;

/// What `board` says at `now`.
pub fn signals(board: &Board, now: OffsetDateTime) -> Answer {
    let text = to_text(&Told::of(board, now), "{}");
    Answer::json(StatusCode::OK, Body::Whole(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::examples::jobs::{EVALUATED, board, first_board};

    fn text(board: &Board) -> serde_json::Value {
        let bytes = signals(board, EVALUATED).body.with_id("");
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn every_reading_is_told_with_its_threshold_and_unit() {
        insta::assert_json_snapshot!(text(&board()), @r#"
        {
          "basis": "webhooks",
          "current": true,
          "evaluated_at": "2026-11-23T18:06:59.123Z",
          "signals": {
            "job_failure_rate": {
              "samples": 133,
              "since": "2026-11-23T17:32:10.123Z",
              "state": "ok",
              "threshold": 0.05,
              "unit": "ratio",
              "value": 0.031,
              "window": "15m"
            },
            "processing_latency_p95": {
              "models": {
                "hd": {
                  "samples": 41,
                  "since": "2026-11-23T17:32:10.123Z",
                  "state": "pending",
                  "threshold": 300.0,
                  "unit": "seconds",
                  "value": 312.0,
                  "window": "15m"
                },
                "preview": {
                  "samples": 88,
                  "since": "2026-11-23T17:32:10.123Z",
                  "state": "ok",
                  "threshold": 60.0,
                  "unit": "seconds",
                  "value": 41.25,
                  "window": "15m"
                }
              },
              "samples": 41,
              "since": "2026-11-23T17:32:10.123Z",
              "state": "pending",
              "threshold": 300.0,
              "unit": "seconds",
              "value": 312.0,
              "window": "15m"
            }
          }
        }
        "#);
    }

    #[test]
    fn before_the_first_evaluation_nothing_is_known_and_that_is_said() {
        insta::assert_json_snapshot!(text(&first_board()), @r#"
        {
          "basis": "runpod_counters",
          "current": false,
          "evaluated_at": null,
          "signals": {
            "job_failure_rate": {
              "samples": 0,
              "since": null,
              "state": "insufficient_data",
              "threshold": 0.05,
              "unit": "ratio",
              "value": null,
              "window": "15m"
            },
            "processing_latency_p95": {
              "models": {},
              "samples": 0,
              "since": null,
              "state": "insufficient_data",
              "threshold": 300.0,
              "unit": "seconds",
              "value": null,
              "window": "15m"
            }
          }
        }
        "#);
    }
}
