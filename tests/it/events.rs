//! Runs every sample event through the pipeline, on an empty table.

use std::sync::Arc;

use mfa::http::{Event, Payload};
use mfa_local::LocalRoute;
use mfa_tests::{TestApp, runtime_api, sample_event::as_payload_1};
use serde_json::{Value, json};

fn sample(name: &str) -> Value {
    serde_json::from_str(&runtime_api::read_event(name)).expect("JSON")
}

/// Fails unless a route answers `event`, which is of `payload` and asks for `path`, as its sample
/// event.
async fn assert_answered(mfa: &Arc<TestApp>, route: &LocalRoute, event: &Value, payload: Payload, path: &str) {
    let read = Event::read(event.to_string().as_bytes()).request("test");
    let (found, incoming) = read.unwrap_or_else(|shape| panic!("{}: {shape}", route.name));
    assert_eq!((found, &incoming.method), (payload, &route.method), "{}", route.name);
    let parameter = incoming.path_parameter.clone().unwrap_or_default();
    let named = ["{deviceId}", "{id}"].iter().fold(route.path.to_owned(), |path, name| path.replace(name, &parameter));
    assert_eq!(path, named, "{}", route.name);
    let answer = mfa.serve(path, incoming).await;
    let answer = json!({ "statusCode": answer.status, "body": answer.body.to_string() });
    runtime_api::assert_expected(route.name, &answer);
}

#[tokio::test]
async fn every_sample_event_is_answered_as_expected() {
    let mfa = TestApp::start().await;
    for route in mfa.routes() {
        let event = sample(route.name);
        let path = event["rawPath"].as_str().expect("a path");
        assert_answered(&mfa, route, &event, Payload::V2, path).await;
    }
}

#[tokio::test]
async fn a_rest_api_gets_the_same_answers() {
    let mfa = TestApp::start().await;
    for route in mfa.routes() {
        let event = as_payload_1(&sample(route.name));
        let path = event["path"].as_str().expect("a path");
        assert_answered(&mfa, route, &event, Payload::V1, path).await;
    }
}

#[tokio::test]
async fn a_function_url_gets_the_same_answers_although_it_knows_no_parameters() {
    let mfa = TestApp::start().await;
    for route in mfa.routes() {
        let mut event = sample(route.name);
        event["routeKey"] = "$default".into();
        event["requestContext"]["routeKey"] = "$default".into();
        event["pathParameters"] = Value::Null;
        let path = event["rawPath"].as_str().expect("a path").to_owned();
        if route.path.contains('{') {
            assert_answered(&mfa, route, &event, Payload::V2, &path).await;
        }
        let read = Event::read(event.to_string().as_bytes()).request("test");
        let (_, incoming) = read.unwrap_or_else(|shape| panic!("{}: {shape}", route.name));
        let served = route.serve(incoming).await;
        let answer = json!({
            "statusCode": served.response.status().as_u16(),
            "body": String::from_utf8(served.response.into_body()).expect("text"),
        });
        runtime_api::assert_expected(route.name, &answer);
    }
}
