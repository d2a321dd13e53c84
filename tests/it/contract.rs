//! One operation, one name: routes, functions, events, template, `OpenAPI` and documentation agree.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use mfa::{config::Config, domain::access::RouteRequirements};
use mfa_tests::TestApp;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn names_in(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(folder)).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_suffix(ending).map(ToOwned::to_owned)).collect()
}

fn camel(name: &str) -> String {
    let upper = |part: &str| part[..1].to_uppercase() + &part[1..];
    name.split('-').map(upper).collect()
}

#[tokio::test]
async fn every_operation_has_its_function_event_template_resource_operation_and_tests() {
    let mfa = TestApp::start().await;
    let routes: BTreeSet<String> = mfa.routes().iter().map(|route| route.name.to_owned()).collect();
    // The authorizer stands before the application's own routes and is none of ours.
    let functions: BTreeSet<String> = routes.iter().cloned().chain(["authorizer".to_owned()]).collect();
    assert_eq!(names_in("functions", ""), functions);
    let mut events = names_in("events", ".json");
    assert!(events.remove("expected"));
    assert_eq!(events, functions);

    let (template, openapi, manifest) = (read("template.yaml"), read("docs/openapi.yaml"), read("Cargo.toml"));
    for route in mfa.routes() {
        let (name, method) = (route.name, route.method.as_str());
        assert!(template.contains(&format!("\n  {}Function:\n", camel(name))), "template: {name}");
        assert!(template.contains(&format!("Binary: {name}\n")), "template: the binary of {name}");
        assert!(template.contains(&format!("Path: {}\n", route.path)), "template: the path of {name}");
        assert!(openapi.contains(&format!("\n  {}:\n    {}:\n", route.path, method.to_lowercase())), "openapi: {name}");
        assert!(openapi.contains(&format!("operationId: {name}\n")), "openapi: {name}");
        let watch = format!("\"{}\" = [{{ function = \"{name}\", method = \"{method}\" }}]", route.path);
        assert!(manifest.contains(&watch), "Cargo.toml: the route of {name} for cargo lambda watch");
        assert!(root().join(format!("tests/it/{}.rs", name.replace('-', "_"))).exists(), "tests: {name}");
        assert!(root().join(format!("functions/{name}/tests/lambda.rs")).exists(), "binary test: {name}");
    }
    assert!(template.contains("\n  AuthorizerFunction:\n") && template.contains("Binary: authorizer\n"));
    assert!(template.contains("\n  ExampleFunction:\n"), "template: the route that shows the authorizer");
    let (rule, rest) = ("GET /example/fresh-second-factor = mfa max_age=300", "; $default = token");
    assert!(template.contains(rule) && template.contains(rest), "template: what that route demands");
    assert!(RouteRequirements::parse(&format!("{rule}{rest}")).is_some(), "and the bundle takes it");
    let resources = template.matches("Type: AWS::Serverless::Function\n").count();
    assert_eq!(resources, functions.len() + 1, "the template has functions that are no route");
}

/// The calls that `template.yaml` lets a function make: `Query`, `PutItem` and so on, `SendEmail` and `Publish`.
pub(crate) fn allowed_calls(name: &str) -> BTreeSet<String> {
    let template = read("template.yaml");
    let (_, function) = template.split_once(&format!("\n  {}Function:\n", camel(name))).expect("a function");
    let function = function.lines().take_while(|line| line.is_empty() || line.starts_with("    ")).collect::<String>();
    let actions =
        function.split(|c: char| !c.is_ascii_alphanumeric() && c != ':').filter_map(|word| word.split_once(':'));
    actions
        .filter(|(service, _)| ["dynamodb", "ses", "sns"].contains(service))
        .map(|(_, call)| call.to_owned())
        .collect()
}

/// The variables that the code asks for, found by letting it ask.
fn variables_of_the_code() -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::new());
    let _ = Config::from_vars(|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    });
    asked.into_inner().into_iter().filter(|name| name.starts_with("MFA_")).collect()
}

fn variables_in(text: &str, begins: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(begins));
    let names = lines.map(|rest| rest.chars().take_while(|c| is_name(*c)).collect::<String>());
    names.filter(|name| name.starts_with("MFA_")).collect()
}

#[test]
fn no_verdict_of_the_authorizer_is_stored_or_serves_another_route() {
    let template = read("template.yaml");
    let (_, authorizer) = template.split_once("          SecondFactor:").expect("the authorizer");
    let (authorizer, _) = authorizer.split_once("\n\n").expect("its end");
    for setting in [
        "PayloadFormatVersion: '2.0'",
        "SimpleResponses: true",
        "Headers: [Authorization]",
        "[routeKey]",
        "ReauthorizeEvery: 0",
    ] {
        assert!(authorizer.contains(setting), "{setting}");
    }
}

#[test]
fn code_documentation_and_template_know_the_same_variables() {
    let code = variables_of_the_code();
    assert_eq!(variables_in(&read("docs/configuration.md"), "| `"), code, "the tables of docs/configuration.md");
    let development: BTreeSet<String> = ["MFA_AWS_TIMEOUT_MS", "MFA_NATIVE_ROOTS"].map(str::to_owned).into();
    let deployed: BTreeSet<String> = code.difference(&development).cloned().collect();
    assert_eq!(variables_in(&read("template.yaml"), ""), deployed, "the template");
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let text = read("docs/threat-model.md");
    let named: BTreeSet<_> = text.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::")).collect();
    assert!(named.len() > 80, "{} names", named.len());
    for (module, test) in named.into_iter().filter(|(_, test)| !test.contains('…')) {
        let file =
            |folder: &str| std::fs::read_to_string(root().join(format!("{folder}/{module}.rs"))).unwrap_or_default();
        let code = file("tests/it") + &file("shared/src/domain") + &file("shared/src/tokens");
        assert!(code.contains(&format!("fn {test}(")), "{module}::{test}");
    }
}

#[test]
fn the_examples_of_the_api_description_say_what_the_bundle_says() {
    let (description, problems) = (read("docs/openapi.yaml"), read("shared/src/http/problem.rs"));
    let lines: Vec<_> = description.lines().map(str::trim_start).collect();
    let errors = lines.windows(2).filter(|pair| pair[1].starts_with("code: "));
    let examples: BTreeSet<_> = errors.filter_map(|pair| pair[0].strip_prefix("message: ")).collect();
    // Those with a field's or a method's name in them are put together.
    let together = |text: &&str| [" must be ", " is required", " answers "].iter().any(|part| text.contains(part));
    let is_known = |text: &&str| problems.contains(&format!("\"{text}\""));
    let (known, unknown): (Vec<_>, Vec<_>) = examples.into_iter().filter(|text| !together(text)).partition(is_known);
    assert!(known.len() > 15 && unknown.is_empty(), "{unknown:?}");
}
