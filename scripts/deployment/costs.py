"""What a deployment makes, and what that costs."""

import re

# All prices are US dollars in us-east-1, as AWS published them in 2025.
GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}


def costs_on(processor):
    """The price of a million units, and the units that one verification takes by totp, email and sms.

    `verify` takes 1 read unit and 2 write units. Before it, `challenge` takes 1 and 3 by e-mail, 1 and 5 by text
    message (tests/it/budgets.rs).
    """
    return [
        ("HTTP API calls", 1.00, (1, 2, 2)),
        ("Lambda calls", 0.20, (1, 2, 2)),
        (f"Lambda {processor}, 128 MB, 50 ms", GB_SECOND[processor] * 1e6 * 0.125 * 0.05, (1, 2, 2)),
        ("DynamoDB read units", 0.125, (1, 2, 2)),
        ("DynamoDB write units", 0.625, (2, 5, 7)),
        ("Logs, 1.4 KB a call", 0.50 * 1.4, (1, 2, 2)),
        ("SES messages", 100.00, (0, 1, 0)),
    ]


METHODS = ("totp", "email", "sms")


def resources(template):
    """Type, condition and metrics of each resource. The standard library cannot read YAML, but the lines suffice."""
    section = re.search(r"^Resources:\n(.*?)(?=^\S|\Z)", template, re.M | re.S).group(1)
    for block in re.split(r"^  (?=\S)", section, flags=re.M):
        if kind := re.search(r"^    Type: ['\"]?([\w:]+)", block, re.M):
            condition = re.search(r"^    Condition: (\w+)", block, re.M)
            yield kind.group(1), condition and condition.group(1), max(1, block.count("MetricStat:"))


def plan(template, parameters, processor):
    """The lines that say what a deployment makes and costs."""
    settings = parameters.get("Settings", "")
    has_identity = "MFA_SMS_ORIGINATION_IDENTITY=" in settings
    tells = bool(parameters["EmailFrom"]) and "MFA_NOTICES=off" not in settings or "MFA_EVENT_BUS=" in settings
    has_stream = not parameters["ExistingTableName"] or "MFA_TABLE_STREAM=" in settings
    holds = {
        "MakesKeys": not parameters["SecretName"],
        "MakesTable": not parameters["ExistingTableName"],
        "SendsEmail": bool(parameters["EmailFrom"]),
        "SendsSms": bool(parameters["SmsCountries"]),
        "SendsThroughSns": bool(parameters["SmsCountries"]) and not has_identity,
        "SendsThroughEndUserMessaging": bool(parameters["SmsCountries"]) and has_identity,
        "Notifies": tells and has_stream,
        "HasDomain": parameters.get("DomainName", "") not in ("", "none"),
        "HasAddress": parameters.get("DomainName", "") != "none",
        "HasKmsKey": bool(parameters.get("KmsKeyArn")),
    }
    made = [(kind, metrics) for kind, condition, metrics in resources(template) if holds.get(condition, True)]
    kinds = [kind for kind, _ in made]
    watched = sum(metrics for kind, metrics in made if kind == "AWS::CloudWatch::Alarm")
    yield "It makes these resources, and a role and permissions for each function:"
    for kind in sorted(set(kinds)):
        yield f"  {kinds.count(kind):3}  {kind}"
    yield ""
    yield "It costs, in US dollars in us-east-1, as published in 2025 (verify), without free tiers:"
    for line in month(1 + bool(parameters["LoginSecretName"]), watched):
        yield f"  {line}"
    yield ""
    for line in verifications(parameters["Methods"].split(","), processor):
        yield f"  {line}"


def month(secret_count, watched):
    """What a month without calls costs. An alarm costs by the metrics that it watches."""
    total = secret_count * 0.40 + watched * 0.10 + 3.00
    yield (
        f"A month without calls: secrets {secret_count} x 0.40 + metrics of alarms {watched} x 0.10"
        f" + dashboard 3.00 = {total:.2f}"
    )
    yield "Metrics: 0.30 each, for the hours in which they have a value. 32 x 0.30 = 9.60 a month at most."
    yield "Storage: 0.25 a GB and month. A million users take some 2 GB."


def dollars(amount):
    """Rounded as people do it: half a cent goes up."""
    return f"{amount + 1e-9:6.2f}"


def verifications(methods, processor):
    """What a million verifications cost by each method, as units x price."""
    costs, columns = costs_on(processor), [METHODS.index(method) for method in methods]
    yield f"{'A million verifications by':30}" + "".join(f"{method:>22}" for method in methods)
    for what, price, units in costs:
        if any(units[column] for column in columns):
            cells = (f"{units[column]} x {price:7.3f} = {dollars(units[column] * price)}" for column in columns)
            yield f"{what:30}" + "".join(f"{cell:>22}" for cell in cells)
    totals = (sum(price * units[column] for _, price, units in costs) for column in columns)
    yield f"{'together':30}" + "".join(f"{dollars(total):>22}" for total in totals)
    if "sms" in methods:
        yield "Text messages come on top: from below 0.01 to above 0.20 each, by country."
