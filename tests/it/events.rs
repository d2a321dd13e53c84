//! Runs every sample event through the pipeline, on an empty table.

use mfa::http::Incoming;
use mfa_tests::{TestApp, runtime_api};
use serde_json::json;

#[tokio::test]
async fn every_sample_event_is_answered_as_expected() {
    let mfa = TestApp::start().await;
    for route in mfa.routes() {
        let event = runtime_api::read_event(route.name);
        let request = lambda_http::request::from_str(&event).expect("an API Gateway event");
        assert_eq!(request.method(), route.method, "{}", route.name);
        let path = request.uri().path().to_owned();
        let incoming = Incoming::from(request);
        let parameter = incoming.path_parameter.clone().unwrap_or_default();
        let named =
            ["{deviceId}", "{id}"].iter().fold(route.path.to_owned(), |path, name| path.replace(name, &parameter));
        assert_eq!(path, named, "{}", route.name);
        let answer = mfa.serve(&path, incoming).await;
        let answer = json!({ "statusCode": answer.status, "body": answer.body.to_string() });
        runtime_api::assert_expected(route.name, &answer);
    }
}
