//! One operation, one name: routes, functions, events, template, `OpenAPI` and documentation agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::{Path, PathBuf},
};

use mfa::{
    config::{Config, EMAIL_MARKS, LOGIN_CLAIMS, PHONE_MARKS, Part},
    domain::{Policy, TotpVariant},
    http::{ErrorCode, reads_body},
    messages::Locale,
    metrics::Metric,
};
use mfa_local::LocalRoute;
use mfa_tests::{TestApp, sample_event::assert_up_to_date};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails unless the table of a page that has this head has these rows. With `INSTA_UPDATE=always`,
/// writes them.
#[track_caller]
pub(crate) fn assert_table_up_to_date(path: &str, head: &str, rows: impl Iterator<Item = String>) {
    let columns = "|---".repeat(head.matches(" | ").count() + 1);
    let head = format!("{head}\n{columns}|\n");
    let page = read(path);
    let (before, rest) = page.split_once(&head).unwrap_or_else(|| panic!("{path} has no table\n{head}"));
    let (_, after) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let rows = rows.collect::<Vec<_>>().join("\n");
    let after = if after.is_empty() { "\n".to_owned() } else { format!("\n\n{after}") };
    assert_up_to_date(path, &format!("{before}{head}{rows}{after}"));
}

/// A YAML file. Of a value with a tag, such as `!Ref Table`, the value alone.
pub(crate) fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
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

/// The function `name` in the template.
pub(crate) fn function_resource(template: &Value, name: &str) -> Value {
    template["Resources"][format!("{}Function", camel(name))].clone()
}

/// The authorizer stands before the application's own routes, `CloudFormation` invokes `make-keys`, the
/// stream of the table `notify`, and operators invoke the two others.
const WITHOUT_ROUTE: [&str; 5] = ["admin", "admin-read", "authorizer", "make-keys", "notify"];

#[tokio::test]
async fn every_operation_has_its_function_event_template_resource_operation_and_tests() {
    let mfa = TestApp::start().await;
    let routes: BTreeSet<String> = mfa.routes().iter().map(|route| route.name.to_owned()).collect();
    let functions = mfa.routes().iter().map(|route| route.function.to_owned());
    let functions: BTreeSet<String> = functions.chain(WITHOUT_ROUTE.map(ToOwned::to_owned)).collect();
    assert_eq!(names_in("functions", ""), functions);
    let operations: BTreeSet<String> = routes.iter().cloned().chain(["authorizer".to_owned()]).collect();
    let mut events = names_in("events", ".json");
    assert!(events.remove("expected"));
    assert_eq!(events, operations);
    let expected: BTreeMap<String, Value> = serde_json::from_str(&read("events/expected.json")).expect("JSON");
    assert_eq!(expected.into_keys().collect::<BTreeSet<_>>(), operations);

    let (template, openapi) = (yaml("template.yaml"), yaml("docs/openapi.yaml"));
    for route in mfa.routes() {
        let (name, method) = (route.name, route.method.as_str());
        let resource = function_resource(&template, route.function);
        assert_eq!(resource["Metadata"]["BuildProperties"]["Binary"], route.function, "template");
        let event = json!({ "ApiId": "HttpApi", "Method": method, "Path": route.path });
        let events = resource["Properties"]["Events"].as_object().expect("events");
        assert_eq!(events.values().filter(|of| of["Properties"] == event).count(), 1, "template: {name}");
        assert_eq!(openapi["paths"][route.path][method.to_lowercase()]["operationId"], name, "openapi");
        assert!(root().join(format!("tests/it/{}.rs", name.replace('-', "_"))).exists(), "tests: {name}");
        assert!(root().join(format!("functions/{}/tests/lambda.rs", route.function)).exists(), "binary test: {name}");
    }
    let described: usize = openapi["paths"].as_object().expect("paths").values().map(methods_of).sum();
    assert_eq!(described, routes.len(), "the API description has operations that nothing serves");

    for name in WITHOUT_ROUTE {
        let resource = function_resource(&template, name);
        assert_eq!(resource["Metadata"]["BuildProperties"]["Binary"], name);
        assert_eq!(resource["Properties"]["Events"], Value::Null, "no user of the API reaches {name}");
    }
    let resources = template["Resources"].as_object().expect("resources").values();
    let resources = resources.filter(|resource| resource["Type"] == "AWS::Serverless::Function").count();
    assert_eq!(resources, functions.len(), "the template has functions that have no route");
}

fn methods_of(path: &Value) -> usize {
    let path = path.as_object().expect("a path");
    path.keys().filter(|key| ["get", "post", "put", "patch", "delete"].contains(&key.as_str())).count()
}

#[tokio::test]
async fn cargo_lambda_watch_serves_every_route() {
    const HEAD: &str = "[workspace.metadata.lambda.watch.router]\n";
    let mfa = TestApp::start().await;
    let manifest = read("Cargo.toml");
    let (before, _) = manifest.split_once(HEAD).expect("the table of routes is the last in Cargo.toml");
    let mut by_path: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for LocalRoute { function, method, path, .. } in mfa.routes() {
        by_path.entry(path).or_default().push(format!("{{ function = \"{function}\", method = \"{method}\" }}"));
    }
    let lines = by_path.iter().map(|(path, routes)| format!("\"{path}\" = [{}]\n", routes.join(", ")));
    assert_up_to_date("Cargo.toml", &format!("{before}{HEAD}{}", lines.collect::<String>()));
}

#[test]
fn every_file_of_this_folder_is_a_module() {
    let modules = names_in("tests/it", ".rs").into_iter().filter(|name| name != "main");
    let main = read("tests/it/main.rs");
    let (head, _) = main.split_once("\nmod ").expect("modules");
    let lines = modules.map(|name| format!("mod {name};\n"));
    assert_up_to_date("tests/it/main.rs", &format!("{head}\n{}", lines.collect::<String>()));
}

#[tokio::test]
async fn the_readme_lists_every_route_with_its_summary() {
    let mfa = TestApp::start().await;
    let openapi = yaml("docs/openapi.yaml");
    let rows = mfa.routes().iter().map(|LocalRoute { method, path, .. }| {
        let summary = &openapi["paths"][path][method.as_str().to_lowercase()]["summary"];
        format!("| `{method} {path}` | {} |", summary.as_str().expect("a summary"))
    });
    assert_table_up_to_date("README.md", "| Route | What it does |", rows);
}

/// The codes that the API description gives to a response, by the `enum` of `code`. The narrowest
/// one counts.
fn described_codes(openapi: &Value, response: &Value) -> BTreeSet<String> {
    fn resolve<'a>(openapi: &'a Value, mut value: &'a Value) -> &'a Value {
        while let Some(place) = value["$ref"].as_str() {
            value = openapi.pointer(&place[1..]).unwrap_or_else(|| panic!("{place} does not exist"));
        }
        value
    }
    fn codes_of(openapi: &Value, schema: &Value) -> Option<BTreeSet<String>> {
        let schema = resolve(openapi, schema);
        let own = schema["properties"]["code"]["enum"].as_array();
        let own = own.map(|codes| codes.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect());
        let parts = schema["allOf"].as_array().into_iter().flatten().filter_map(|part| codes_of(openapi, part));
        own.into_iter().chain(parts).min_by_key(BTreeSet::len)
    }
    let schema = &resolve(openapi, response)["content"]["application/json"]["schema"];
    codes_of(openapi, schema).unwrap_or_default()
}

#[tokio::test]
async fn every_operation_declares_the_errors_that_the_api_description_lists() {
    let mfa = TestApp::start().await;
    let openapi = yaml("docs/openapi.yaml");
    for route in mfa.routes() {
        let mut declared: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for code in &route.errors {
            declared.entry(code.status().as_u16().to_string()).or_default().insert(code.as_str().to_owned());
        }
        let operation = &openapi["paths"][route.path][route.method.as_str().to_lowercase()];
        let responses = operation["responses"].as_object().expect("responses");
        let described: BTreeMap<_, _> = responses
            .iter()
            .filter(|(status, _)| *status != "200")
            .map(|(status, response)| (status.clone(), described_codes(&openapi, response)))
            .collect();
        assert_eq!(described, declared, "{}", route.name);
    }
}

/// Which routes may answer a code, as docs/errors.md says it.
fn routes_that_answer(code: ErrorCode, routes: &[LocalRoute]) -> String {
    let (with, without): (Vec<_>, Vec<_>) = routes.iter().partition(|route| route.errors.contains(&code));
    let listed = |routes: &[&LocalRoute]| {
        routes.iter().map(|route| format!("`{}`", route.name)).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    match without.as_slice() {
        _ if with.is_empty() => "no route: an unknown path".to_owned(),
        [] => "every route".to_owned(),
        [_] | [_, _] => format!("every route but {}", listed(&without).join(" and ")),
        _ if routes.iter().all(|route| route.errors.contains(&code) == reads_body(&route.method)) => {
            "every POST and PATCH route".to_owned()
        }
        _ => listed(&with).join(", "),
    }
}

#[tokio::test]
async fn the_page_on_errors_lists_every_code_with_its_status_and_routes() {
    let mfa = TestApp::start().await;
    let page = read("docs/errors.md");
    let (head, table) = page.split_once("|---|---|---|---|\n").expect("a table at the end of the page");
    let meanings: BTreeMap<_, _> = table
        .lines()
        .map(|row| (row.split('`').nth(1).expect("a code"), row.rsplit(" | ").next().expect("a meaning")))
        .collect();
    let mut rows = String::new();
    for code in ErrorCode::ALL {
        let meaning = meanings.get(code.as_str()).unwrap_or_else(|| panic!("docs/errors.md: {}", code.as_str()));
        let routes = routes_that_answer(*code, mfa.routes());
        writeln!(rows, "| `{}` | {} | {routes} | {meaning}", code.as_str(), code.status().as_u16()).expect("text");
    }
    assert_up_to_date("docs/errors.md", &format!("{head}|---|---|---|---|\n{rows}"));
}

/// Calls `found` for each field of each object in `value`.
fn for_each_field<'a>(value: &'a Value, found: &mut impl FnMut(&'a str, &'a Value)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                found(name, value);
                for_each_field(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| for_each_field(value, found)),
        _ => {}
    }
}

/// The calls that `template.yaml` lets a function make: `Query`, `PutItem` and so on, `SendEmail`
/// and `Publish`.
pub(crate) fn allowed_calls(name: &str) -> BTreeSet<String> {
    let function = function_resource(&yaml("template.yaml"), name);
    let mut calls = BTreeSet::new();
    for_each_field(&function, &mut |field, value| {
        if field == "Action" {
            let actions = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            let names = actions.iter().filter_map(Value::as_str).filter_map(|action| action.split_once(':'));
            calls.extend(names.map(|(_, call)| call.to_owned()));
        }
    });
    calls
}

/// The variables that the code reads.
fn variables_of_the_code() -> BTreeSet<String> {
    Config::variables().into_iter().filter(|name| name.starts_with("MFA_")).map(ToOwned::to_owned).collect()
}

/// The variables that the tables of a page list.
fn variables_in_tables(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split_once('`')).map(|(name, _)| name);
    names.filter(|name| name.starts_with("MFA_")).map(ToOwned::to_owned).collect()
}

#[test]
fn code_documentation_and_template_know_the_same_variables() {
    let code = variables_of_the_code();
    assert_eq!(variables_in_tables(&read("docs/configuration.md")), code, "the tables of docs/configuration.md");
    let mut given = BTreeSet::new();
    for_each_field(&yaml("template.yaml"), &mut |name, _| {
        if name.starts_with("MFA_") {
            given.insert(name.to_owned());
        }
    });
    assert_eq!(
        given.difference(&code).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "the template sets what nothing reads"
    );
    // What the template does not set stands in MFA_SETTINGS, except for secrets.
    for name in code.difference(&given) {
        let vars = BTreeMap::from([("MFA_SETTINGS".to_owned(), format!("{name}=x"))]);
        let faults = Config::from_vars(&[], &vars).err().map(|faults| faults.to_string()).unwrap_or_default();
        assert!(!faults.contains("MFA_SETTINGS"), "{name}: {faults}");
    }
}

/// The texts after `before`, up to a quote, in a text.
fn names_after<'a>(text: &'a str, before: &'a str) -> BTreeSet<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(['"', ',', ' ', '`']).next()).collect()
}

#[test]
fn metrics_stand_in_the_documentation_and_alarms_and_dashboard_use_no_others() {
    let metrics: BTreeSet<_> = Metric::ALL.map(|metric| format!("{metric:?}")).into();
    let all: BTreeSet<_> = metrics.iter().map(String::as_str).collect();
    assert!(all.len() <= 31, "AWS bills each");
    let page = read("docs/operations.md");
    let (_, table) = page.split_once("| Metric | What is counted |").expect("the table of metrics");
    let (table, _) = table.split_once("\n\n").expect("the end of the table");
    assert_eq!(names_after(table, "\n| `"), all);
    let template = read("template.yaml");
    let watched = names_after(&template, "Namespace: MFA, MetricName: ");
    let shown = names_after(&template, "[\"MFA\", \"");
    assert!(watched.is_subset(&all) && shown.is_subset(&all), "{watched:?} {shown:?}");
    assert_eq!(shown, all, "the dashboard shows each");
}

#[test]
fn each_alarm_has_its_page_and_the_dashboard_is_json() {
    let template = yaml("template.yaml");
    let page = read("docs/operations.md");
    let slug = |heading: &str| heading.to_lowercase().replace(' ', "-");
    let anchors: BTreeSet<_> = page.lines().filter_map(|line| line.strip_prefix("### ")).map(slug).collect();
    let mut described = BTreeSet::new();
    for (name, resource) in template["Resources"].as_object().expect("resources") {
        let of = &resource["Properties"];
        match resource["Type"].as_str().unwrap_or_default() {
            "AWS::CloudWatch::Alarm" => {
                let text = of["AlarmDescription"].as_str().expect("a description");
                let (_, anchor) = text.split_once("docs/operations.md#").unwrap_or_else(|| panic!("{name}: {text}"));
                assert!(anchors.contains(anchor), "{name}: {anchor}");
                described.insert(anchor.to_owned());
            }
            "AWS::CloudWatch::Dashboard" => {
                let body: Value = serde_json::from_str(of["DashboardBody"].as_str().expect("a body")).expect("JSON");
                assert!(body["widgets"].as_array().is_some_and(|widgets| widgets.len() > 10));
            }
            _ => {}
        }
    }
    let pages: BTreeSet<_> = anchors.into_iter().filter(|anchor| anchor != "all-metrics").collect();
    assert_eq!(described, pages, "every page is of an alarm");
}

/// The files with this ending in a folder and those below it.
fn files_below(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files = Vec::new();
    for path in entries {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && !["target", "node_modules"].contains(&name.as_str()) && !name.starts_with('.') {
            files.extend(files_below(&path, endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            files.push(path);
        }
    }
    files
}

#[test]
fn no_text_that_a_document_prints_is_taken_for_a_secret() {
    let with = |name: &str, value: &str| {
        let key = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
        let least = [
            ("MFA_HASH_KEY", key.to_owned()),
            ("MFA_JWT_SECRET", "a secret of an operator's own choice".to_owned()),
            ("MFA_SEALING_KEYS", format!("k1:{key}")),
        ];
        let mut vars: BTreeMap<_, _> = least.map(|(name, value)| (name.to_owned(), value)).into();
        vars.insert(name.to_owned(), value.to_owned());
        Config::from_vars(&[Part::Users, Part::SealingKeys, Part::SigningKey], &vars).is_ok()
    };
    let variables = [
        ("MFA_JWT_SECRET", &["MFA_JWT_SECRET", "JWT_SECRET", "jwtSecret"][..]),
        ("MFA_HASH_KEY", &["MFA_HASH_KEY", "hashKey"]),
        ("MFA_SEALING_KEYS", &["MFA_SEALING_KEYS", "sealingKeys"]),
        ("MFA_SIGNING_KEY", &["MFA_SIGNING_KEY", "signingKey"]),
    ];
    let mut seen = 0;
    for file in files_below(&root(), &[".md", ".yaml", ".yml", ".toml", ".mjs", ".py", ".tf"]) {
        let text = std::fs::read_to_string(&file).expect("a text");
        for (variable, names) in variables {
            let places = names.iter().flat_map(|name| text.match_indices(name).map(|(at, name)| at + name.len()));
            for rest in places.filter_map(|at| text.get(at..)) {
                // `NAME=value`, `NAME: value`, `"NAME": "value"`, each perhaps in quotes.
                let rest = rest.trim_start_matches(['"', '\'']);
                let Some(rest) = rest.strip_prefix(['=', ':']) else { continue };
                let rest = rest.trim_start_matches(' ');
                let value = match rest.chars().next() {
                    Some(quote @ ('"' | '\'')) => rest[1..].split(quote).next().unwrap_or_default(),
                    _ => rest.split([' ', '\n', '`', '"', ',']).next().unwrap_or_default(),
                };
                assert!(!with(variable, value) || value.is_empty(), "{}: {value}", file.display());
                seen += 1;
            }
        }
        // Whatever looks like 32 bytes or more in base64, and not like a path.
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        for word in text.split(|c| !is_base64(c)).filter(|word| word.len() >= 43 && !word.starts_with('/')) {
            let is_taken = with("MFA_HASH_KEY", word) || with("MFA_SEALING_KEYS", &format!("k1:{word}"));
            assert!(!is_taken, "{}: {word}", file.display());
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let text = read("docs/threat-model.md") + &read("docs/reviews.md");
    let named: BTreeSet<_> = text.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::")).collect();
    assert!(named.len() > 80, "{} names", named.len());
    for (module, test) in named.into_iter().filter(|(_, test)| !test.contains('…')) {
        let file =
            |folder: &str| std::fs::read_to_string(root().join(format!("{folder}/{module}.rs"))).unwrap_or_default();
        let code =
            file("tests/it") + &file("shared/src/domain") + &file("shared/src/tokens") + &file("shared/src/config");
        assert!(code.contains(&format!("fn {test}(")), "{module}::{test}");
    }
}

#[test]
fn every_test_and_step_that_the_page_on_proofs_names_exists() {
    let (page, script) = (read("docs/proofs.md"), read(".ci/run"));
    let is_step = |name: &str| script.contains(&format!("\nstep_{name}() {{"));
    let rows: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| ")).skip(1).collect();
    assert!(rows.len() > 15, "{} rows", rows.len());
    for row in rows {
        let [promise, shown_by, runs_in] = row.trim_end_matches(" |").split(" | ").collect::<Vec<_>>()[..] else {
            panic!("three columns: {row}")
        };
        let in_ticks = |text: &str| text.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect::<Vec<_>>();
        assert!(in_ticks(runs_in).iter().all(|step| is_step(step)), "{promise}: {runs_in}");
        for command in in_ticks(shown_by) {
            let words: Vec<_> = command.split_whitespace().filter(|word| !word.starts_with('-')).collect();
            match words[..] {
                ["cargo", "test", "mfa-tests", "it", module] => {
                    assert!(root().join(format!("tests/it/{module}.rs")).exists(), "{command}");
                }
                ["cargo", "test", "mfa-local", file] => {
                    assert!(root().join(format!("local/tests/{file}.rs")).exists(), "{command}");
                }
                ["cargo", "test", "lambda"] => assert!(root().join("functions/status/tests/lambda.rs").exists()),
                ["cargo", "test", "mfa", part] => assert!(unit_tests().contains(part), "{command}"),
                ["bash", ".ci/run", ..] => assert!(words[2..].iter().all(|step| is_step(step)), "{command}"),
                ["python3", script, ..] => assert!(root().join(script).exists(), "{command}"),
                _ => panic!("no test and no step: {command}"),
            }
        }
    }
}

/// The unit tests of the crate `mfa`, as text.
fn unit_tests() -> String {
    let folders = ["domain", "storage"].map(|folder| format!("shared/src/{folder}"));
    let files = folders
        .iter()
        .flat_map(|folder| names_in(folder, ".rs").into_iter().map(move |name| format!("{folder}/{name}.rs")));
    files.fold(String::new(), |all, file| all + &file + "\n" + &read(&file))
}

#[test]
fn the_examples_of_the_api_description_say_what_the_bundle_says() {
    let (openapi, problems) = (yaml("docs/openapi.yaml"), read("shared/src/http/problem.rs"));
    let mut examples = BTreeSet::new();
    for_each_field(&openapi, &mut |_, value| {
        if let (Some(message), Some(code)) = (value["message"].as_str(), value["code"].as_str()) {
            examples.insert((code, message));
        }
    });
    // Those that name a field or a method are put together from parts.
    let is_put_together =
        |message: &str| [" must be ", " is required", " answers "].iter().any(|part| message.contains(part));
    let is_known = |message: &str| problems.contains(&format!("\"{message}\""));
    let (known, unknown): (Vec<_>, Vec<_>) = examples
        .into_iter()
        .filter(|(_, message)| !is_put_together(message))
        .partition(|(code, message)| is_known(message) && ErrorCode::ALL.iter().any(|known| known.as_str() == *code));
    assert!(known.len() > 15 && unknown.is_empty(), "{unknown:?}");
}

/// The texts between quotation marks that stand behind one of `calls` in the sources of a folder,
/// tests aside.
fn arguments_of(folder: &str, calls: &[&str]) -> BTreeSet<String> {
    fn sources(folder: &Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, all);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                all.push_str(text.split("#[cfg(test)]").next().unwrap_or_default());
            }
        }
    }
    let mut all = String::new();
    sources(&root().join(folder), &mut all);
    let named = |call: &&str| -> Vec<String> {
        let after = all.split(*call).skip(1);
        after.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()).collect()
    };
    calls.iter().flat_map(named).collect()
}

#[tokio::test]
async fn every_claim_header_and_parameter_that_the_code_reads_is_documented() {
    let page = read("docs/integrate.md");
    let (_, read_here) = page.split_once("## What this service reads").expect("a section");
    let documented: BTreeSet<_> = read_here.split('`').skip(1).step_by(2).collect();
    let mut names = arguments_of("shared/src/tokens", &[".get(\"", ".text(\"", ".millis(\"", "find_beside(\""]);
    assert!(names.len() > 15, "{names:?}");
    let marks = EMAIL_MARKS.iter().chain(&PHONE_MARKS).chain(&LOGIN_CLAIMS);
    names.extend(marks.map(|name| (*name).to_owned()));
    for list in ["aud client_id azp cid type token_use token_type email phone_number phone", "nest_auth_device_trust"] {
        names.extend(list.split(' ').map(ToOwned::to_owned));
    }
    names.extend(arguments_of("shared/src/http", &["get_all(\"", "header(\""]));
    names.extend(["authorization", "content-type", "user-agent"].map(ToOwned::to_owned));
    let mfa = TestApp::start().await;
    let parameters = mfa.routes().iter().filter_map(|route| route.path.split_once('{'));
    names.extend(parameters.map(|(_, name)| name.trim_end_matches('}').to_owned()));
    let missing: Vec<_> = names.iter().filter(|name| !documented.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/integrate.md, \"What this service reads\", lacks {missing:?}");
}

/// The sentence for each code in a table of `code` and sentence.
fn sentences(section: &str) -> BTreeMap<&str, &str> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.filter_map(|row| row.split_once("` | ")).filter(|(code, _)| *code != "code").collect()
}

#[test]
fn front_ends_find_a_sentence_for_every_code_in_every_language() {
    let (english, others) = (read("docs/integrate.md"), read("docs/texts.md"));
    let english = english.split("## What people read").nth(1).and_then(|rest| rest.split("\n## ").next());
    let english = sentences(english.expect("a section"));
    let codes: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(english.keys().copied().collect::<BTreeSet<_>>(), codes, "docs/integrate.md");
    for locale in Locale::ALL.into_iter().filter(|locale| *locale != Locale::English) {
        let tag = locale.tag();
        let section = others
            .split("\n## ")
            .find(|section| section.lines().next().is_some_and(|head| head.ends_with(&format!("(`{tag}`)"))));
        let sentences = sentences(section.unwrap_or_else(|| panic!("docs/texts.md has no {tag}")));
        assert_eq!(sentences.keys().copied().collect::<BTreeSet<_>>(), codes, "docs/texts.md, {tag}");
        for (code, sentence) in sentences {
            let has_time = |text: &str| text.contains("{time}");
            assert_eq!(has_time(sentence), has_time(english[code]), "docs/texts.md, {tag}, {code}");
        }
    }
}

#[test]
fn the_page_of_methods_says_how_authenticators_make_their_codes() {
    let page = read("docs/methods.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let TotpVariant { digits, period, .. } = Policy::TOTP;
    let sentence = format!("a code of {} digits that changes every {} seconds", digits.count(), period.as_secs());
    assert!(page.contains(&sentence), "{sentence}");
}

#[test]
fn the_page_on_messages_lists_every_language_and_which_wait_for_a_native_reader() {
    let page = read("docs/messages.md");
    for locale in Locale::ALL {
        let row = page.lines().find(|line| line.contains(&format!("| `{}` |", locale.tag()))).expect("a row");
        let waits = !matches!(locale, Locale::English | Locale::German);
        assert_eq!(row.contains("waits for a native reader"), waits, "{row}");
    }
}
