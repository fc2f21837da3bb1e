//! The switches by HTTP: `GET` shows, `POST` switches on, `DELETE` switches off. `POST /day` plays a day of jobs.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::day::Player;
use crate::faults::{self, Fault};
use crate::listener::{response, serve};
use crate::printout;
use crate::upstreams::Upstreams;

/// Answers on `listener` for ever; `introduction` is what `GET /` says.
pub(crate) async fn run(
    listener: TcpListener,
    upstreams: Arc<Upstreams>,
    player: Player,
    introduction: String,
) {
    let introduction = Bytes::from(introduction);
    serve(listener, move |request| {
        let (upstreams, introduction) = (Arc::clone(&upstreams), introduction.clone());
        let player = player.clone();
        async move { answer(&request, &upstreams, &player, introduction) }
    })
    .await;
}

fn answer(
    request: &Request<Incoming>,
    upstreams: &Upstreams,
    player: &Player,
    introduction: Bytes,
) -> Response<Full<Bytes>> {
    let (method, path) = (request.method(), request.uri().path());
    match path {
        "/" if method == Method::GET => response(StatusCode::OK, introduction),
        "/" => refuse("GET"),
        "/faults" if method == Method::GET => response(StatusCode::OK, printout::states(upstreams)),
        "/faults" if method == Method::DELETE => {
            told(printout::all_healthy(), upstreams.switch_all_off())
        }
        "/faults" => refuse("GET, DELETE"),
        "/day" => day(method, player),
        path => match path.strip_prefix("/faults/").and_then(faults::named) {
            Some(fault) => one(method, fault, upstreams),
            None => response(
                StatusCode::NOT_FOUND,
                format!(
                    "no such path; there are /, /day, /faults and these:\n{}",
                    printout::states(upstreams)
                ),
            ),
        },
    }
}

fn one(method: &Method, fault: &Fault, upstreams: &Upstreams) -> Response<Full<Bytes>> {
    match *method {
        Method::GET => response(StatusCode::OK, printout::state(fault, upstreams.has(fault))),
        Method::POST => told(printout::switched_on(fault), upstreams.switch_on(fault)),
        Method::DELETE => told(printout::switched_off(fault), upstreams.switch_off(fault)),
        _ => refuse("GET, POST, DELETE"),
    }
}

fn day(method: &Method, player: &Player) -> Response<Full<Bytes>> {
    match *method {
        Method::GET => response(StatusCode::OK, printout::day(player.is_playing())),
        Method::POST => match player.start() {
            Ok(line) => told(line, Ok(())),
            Err(why) => response(StatusCode::CONFLICT, why),
        },
        _ => refuse("GET, POST"),
    }
}

/// Tells the caller and whoever watches the sandbox what was switched.
fn told(line: String, switched: io::Result<()>) -> Response<Full<Bytes>> {
    match switched {
        Ok(()) => {
            printout::say(&line);
            response(StatusCode::OK, line)
        }
        Err(error) => response(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("not switched: {error}\n"),
        ),
    }
}

fn refuse(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut refusal = response(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("this path takes {allowed}\n"),
    );
    refusal
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    refusal
}
