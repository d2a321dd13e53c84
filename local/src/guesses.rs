//! Many wrong codes at one moment, as a guesser sends them. Each is a request of its own through the
//! pipeline of `verify`.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, State, rejection::JsonRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::{StreamExt, stream};
use mfa::{
    domain::Policy,
    http::{Endpoint, Incoming, Served},
    random,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    LocalRoute,
    router::{Log, request_id},
    workbench::refused,
};

/// The most guesses of one request.
const MOST: u32 = 1000;

#[derive(Clone)]
struct Guesser {
    verify: LocalRoute,
    code_length: u8,
    log: Log,
}

#[derive(Deserialize)]
struct Wanted {
    method: String,
    count: u32,
}

pub(crate) fn router(verify: LocalRoute, code_length: u8, log: Log) -> Router {
    Router::new().route("/__local/guesses", post(guess)).with_state(Guesser { verify, code_length, log })
}

/// Guesses in the name of the bearer token. The answer has a line of JSON for each guess, in the order
/// in which they were answered.
async fn guess(
    State(guesser): State<Guesser>,
    ConnectInfo(caller): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    let wanted = body.ok().map(|Json(wanted)| wanted).filter(|wanted| (1..=MOST).contains(&wanted.count));
    let (Some(wanted), Ok(start)) = (wanted, random::number()) else {
        return refused(&format!("the body must be {{\"method\":…,\"count\":…}}, at most {MOST}"));
    };
    let source = caller.ip().to_string();
    let digits = if wanted.method == "totp" { Policy::TOTP.digits.count() } else { guesser.code_length };
    let codes = (0..u64::from(wanted.count)).map(move |n| code(start.wrapping_add(n), digits));
    let incoming = codes.map(move |code| Incoming {
        request_id: request_id(),
        method: mfa_verify::Verify::METHOD,
        headers: headers.clone(),
        source_ip: Some(source.clone()),
        path_parameter: None,
        body: Some(json!({ "method": wanted.method, "otp": code }).to_string().into_bytes()),
    });
    let (verify, log) = (guesser.verify, guesser.log);
    let answers = stream::iter(incoming)
        // Each in a task of its own: they run on every core at once.
        .map(move |guess| {
            let verify = verify.clone();
            tokio::spawn(async move { verify.serve(guess).await })
        })
        .buffer_unordered(usize::try_from(MOST).unwrap_or(usize::MAX))
        .map(move |served| Ok::<_, Infallible>(served.map_or_else(|_| String::new(), |served| told(&served, log))));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(answers)).into_response()
}

/// A code of so many digits.
fn code(number: u64, digits: u8) -> String {
    let width = usize::from(digits);
    format!("{:0width$}", number % 10_u64.pow(u32::from(digits)))
}

/// What the page shows of an answer. A guess that happens to be right shows no token.
fn told(served: &Served, log: Log) -> String {
    log(&mfa_verify::Verify::METHOD, mfa_verify::Verify::PATH, &served.log);
    let status = served.response.status().as_u16();
    let body: Value = serde_json::from_slice(served.response.body()).unwrap_or_default();
    let told = json!({ "status": status, "code": body.get("code"), "attemptsLeft": body.get("attemptsLeft") });
    format!("{told}\n")
}
