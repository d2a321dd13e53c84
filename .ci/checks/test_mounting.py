"""Checks, without AWS, what puts the bundle behind something else or into another tool.

That is the templates of examples/ and docs/behind/, the CDK application and the Terraform module.
"""

import json
import os
import re
import subprocess

import hcl2
import pytest
from cfnlint.decode import decode, decode_str
from kit import ROOT, SCRATCH
from test_examples import NPM, with_packages

EXAMPLES, PAGES = ROOT / "examples", ROOT / "docs" / "behind"
TEMPLATES = sorted(EXAMPLES.glob("*/template.yaml"))
SNIPPETS = [
    (f"{page.stem}-{number}", snippet)
    for page in sorted(PAGES.glob("*.md"))
    for number, snippet in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S), 1)
]


def read(path):
    template, errors = decode(str(path))
    assert not errors, errors
    return template


def lint(*paths):
    ran = subprocess.run(["cfn-lint", *map(str, paths)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def bundle():
    return read(ROOT / "template.yaml")


def test_there_are_templates_to_check():
    assert len(TEMPLATES) == 2 and len(SNIPPETS) == 3


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.parent.name)
def test_cfn_lint_accepts_the_templates_of_examples(path):
    lint(path)


@pytest.mark.parametrize("name, snippet", SNIPPETS, ids=[name for name, _ in SNIPPETS])
def test_cfn_lint_accepts_the_templates_of_the_pages(name, snippet):
    path = SCRATCH / "mounting" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(snippet)
    lint(path)


def operations(paths):
    return {(path, method): operation for path, item in paths.items() for method, operation in item.items()}


def imported(template):
    """The function that an integration or a statement of the REST API imports from the bundle."""
    [(exported, name)] = re.findall(r'"Fn::ImportValue": \{"Fn::Sub": "(\$\{BundleStack\}-(\w+))"\}', json.dumps(template))
    return name


def test_the_rest_api_calls_the_function_of_each_route(bundle):
    resources = read(EXAMPLES / "rest-api" / "template.yaml")["Resources"]
    body = resources["Api"]["Properties"]["DefinitionBody"]
    integrations = {
        route: imported(operation["x-amazon-apigateway-integration"])
        for route, operation in operations(body["paths"]).items()
    }
    functions = {
        (event["Properties"]["Path"], event["Properties"]["Method"].lower()): name
        for name, resource in bundle["Resources"].items()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "HttpApi" and not name.startswith("Example")
    }
    assert integrations == functions
    openapi, errors = decode(str(ROOT / "docs" / "openapi.yaml"))
    assert not errors and set(integrations) == set(operations(openapi["paths"]))

    [statement] = resources["InvokeRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    allowed = [imported(resource) for resource in statement["Resource"]]
    assert sorted(allowed) == sorted(set(functions.values()))
    exports = {
        output["Export"]["Name"]["Fn::Sub"]: output["Value"]["Fn::GetAtt"][0]
        for output in bundle["Outputs"].values()
        if "Export" in output
    }
    assert exports == {f"${{AWS::StackName}}-{name}": name for name in allowed}


def test_the_rest_api_throttles_routes_as_the_http_api_does(bundle):
    numbers = lambda limits: (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"])
    settings = read(EXAMPLES / "rest-api" / "template.yaml")["Resources"]["Api"]["Properties"]["MethodSettings"]
    paths = [setting["ResourcePath"].replace("~1", "/").replace("//", "/") for setting in settings]
    throttled = {f"{setting['HttpMethod']} {path}": numbers(setting) for path, setting in zip(paths, settings)}
    wanted = bundle["Resources"]["HttpApi"]["Properties"].get("RouteSettings", {})
    assert {route: numbers(limits) for route, limits in wanted.items()}.items() <= throttled.items()


def test_the_gateway_answers_as_docs_errors_says():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", (ROOT / "docs" / "errors.md").read_text(), re.M)
    resources = read(EXAMPLES / "rest-api" / "template.yaml")["Resources"]
    bodies = []
    for response in resources["Api"]["Properties"]["GatewayResponses"].values():
        body = json.loads(response["ResponseTemplates"]["application/json"])
        headers = response["ResponseParameters"]["Headers"]
        assert body["statusCode"] == response["StatusCode"]
        assert headers["cache-control"] == "'no-store'"
        assert headers.get("retry-after") == (f"'{body['retryAfter']}'" if "retryAfter" in body else None)
        bodies.append(body)
    distribution, _ = decode_str(dict(SNIPPETS)["cloudfront-2"])
    firewall = distribution["Resources"]["Firewall"]["Properties"]
    bodies.append(json.loads(firewall["CustomResponseBodies"]["RateLimited"]["Content"]))
    for body in bodies:
        assert (body["code"], str(body["statusCode"])) in rows
        assert {"statusCode", "error", "message", "code"} <= set(body) and body["error"] and body["message"]


def expect_known(bundle, parameters, outputs):
    assert set(parameters) <= set(bundle["Parameters"]), "a parameter that template.yaml does not have"
    assert set(outputs) <= set(bundle["Outputs"]), "an output that template.yaml does not have"
    for name, value in parameters.items():
        rule = bundle["Parameters"][name]
        assert re.search(rule.get("AllowedPattern", ""), value) and value in rule.get("AllowedValues", [value]), name


def test_the_cdk_application_hands_the_template_on(bundle):
    folder = with_packages("cdk", "package.json", NPM)
    out = folder / "cdk.out"
    variables = {"MFA_TEMPLATE": str(ROOT / "template.yaml"), "CDK_OUTDIR": str(out)}
    subprocess.run(["node", "app.mjs"], cwd=folder, env=os.environ | variables, check=True)
    path = out / "application.template.json"
    lint(path)
    template = read(path)
    parameters = template["Resources"]["Mfa"]["Properties"]["Parameters"]
    expect_known(bundle, parameters, re.findall(r'"Outputs\.(\w+)"', json.dumps(template)))
    asset = re.search(r"\w+\.yaml", json.dumps(template["Resources"]["Mfa"]["Properties"]["TemplateURL"]))[0]
    assert (out / f"asset.{asset}").read_bytes() == (ROOT / "template.yaml").read_bytes()


def test_the_terraform_module_names_what_the_template_has(bundle):
    text = (EXAMPLES / "terraform" / "main.tf").read_text()
    resources = hcl2.loads(text)["resource"]
    [stack] = [kinds['"aws_cloudformation_stack"'] for kinds in resources if '"aws_cloudformation_stack"' in kinds]
    parameters = {name: value.strip('"') for name, value in stack['"mfa"']["parameters"].items()}
    expect_known(bundle, parameters, re.findall(r'mfa\.outputs\["(\w+)"\]', text))
