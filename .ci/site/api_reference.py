"""Writes the API reference from docs/openapi.yaml: one page that tells what all routes share, and one
for each operation.

A keyword that is not rendered here is a failure, so that nothing in the description is left out
unnoticed. Errors are shown as the snapshot of the sources has them: as they are sent.
"""

import json
import re

import yaml

# What a row of a table shows, and what says how the parts of a schema fit together.
BOUNDS = {"minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "uniqueItems", "pattern", "format"}
KNOWN = BOUNDS | {"type", "const", "enum", "items", "description", "properties", "required", "allOf", "oneOf"}
# Replies may get more fields in later versions, so nothing is said about others.
KNOWN |= {"examples", "additionalProperties", "unevaluatedProperties", "dependentRequired"}


class Reference:
    """The pages, by their path in the folder of the reference."""

    def __init__(self, description, snapshot):
        self.api = yaml.safe_load(description)
        self.bodies = [json.loads(line) for line in snapshot.splitlines() if line.startswith('{"statusCode"')]
        self.operations = [
            (path, method.upper(), operation)
            for path, item in self.api["paths"].items()
            for method, operation in item.items()
        ]

    def pages(self):
        pages = {"index.md": self.overview()}
        for path, method, operation in self.operations:
            pages[f"{operation['operationId']}.md"] = self.page(path, method, operation)
        return pages

    # Schemas

    def resolved(self, value):
        """`value` without `$ref`. What stands beside a `$ref` comes first."""
        while "$ref" in value:
            found = self.api
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            value = found | {name: part for name, part in value.items() if name != "$ref"}
        return value

    def merged(self, schema):
        """`schema` without `$ref` and `allOf`."""
        schema = self.resolved(schema)
        unknown = set(schema) - KNOWN
        if unknown:
            raise ValueError(f"docs/openapi.yaml: the API reference does not show {sorted(unknown)}")
        parts = [self.merged(part) for part in schema.get("allOf", [])]
        parts.append({name: value for name, value in schema.items() if name != "allOf"})
        whole = {}
        for part in parts:
            properties = whole.get("properties", {})
            for name, field in part.get("properties", {}).items():
                properties[name] = self.merged(properties.get(name, {})) | self.merged(field)
            required = whole.get("required", []) + part.get("required", [])
            together = whole.get("dependentRequired", {}) | part.get("dependentRequired", {})
            whole |= part | {"properties": properties, "required": required, "dependentRequired": together}
        # What is said of one part, or shows one, does not hold for the whole.
        of_parts = {"description", "examples"} - set(schema)
        return {name: value for name, value in whole.items() if name not in of_parts}

    def type_of(self, schema):
        """The type, with what bounds it."""
        schema = self.merged(schema)
        bounds = [span(schema, "minLength", "maxLength", "characters"), span(schema, "minimum", "maximum", "")]
        bounds += [span(schema, "minItems", "maxItems", "entries"), schema.get("format", "")]
        bounds += ["each once" if schema.get("uniqueItems") else ""]
        return ", ".join(text for text in [self.kind_of(schema), *bounds] if text)

    def kind_of(self, schema):
        if "const" in schema:
            return f"always `{json_text(schema['const'])}`"
        if "enum" in schema:
            return "one of " + ", ".join(f"`{json_text(value)}`" for value in schema["enum"])
        kinds = schema.get("type", "object")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        names = [self.list_of(schema) if kind == "array" else kind for kind in kinds]
        return " or ".join(names)

    def list_of(self, schema):
        items = self.merged(schema["items"])
        if "oneOf" in items or items.get("properties"):
            return "list of objects"
        return f"list of {self.kind_of(items)}" if {"const", "enum"} & set(items) else f"list of {items['type']}s"

    def meaning_of(self, schema, text):
        """What a value means, and the pattern that it matches."""
        schema = self.merged(schema)
        each, held = "", schema
        if schema.get("type") == "array":
            each, held = "Each matches", self.merged(schema["items"])
        pattern = f"{each or 'Matches'} `{held['pattern']}`." if "pattern" in held else ""
        return f"{text.strip()} {pattern}"

    def rows(self, schema, prefix=""):
        """The rows of the fields of an object, and of the objects in it."""
        schema = self.merged(schema)
        for name, field in schema["properties"].items():
            field = self.merged(field)
            is_required = name in schema["required"]
            yield [
                f"`{prefix}{name}`" + ("" if is_required else " (optional)"),
                self.type_of(field),
                self.meaning_of(field, field.get("description", "")),
            ]
            inner = self.merged(field["items"]) if field.get("type") == "array" else field
            if inner["properties"]:
                yield from self.rows(inner, f"{prefix}{name}" + ("[]." if inner is not field else "."))

    def fields(self, schema):
        """The fields of an object, or of the objects of a list, as a table with what is said about them."""
        schema = self.merged(schema)
        if schema.get("type") == "array":
            return paragraphs("A list of such objects:", self.fields(schema["items"]))
        rows = list(self.rows(schema))
        parts = [schema.get("description", "")]
        if rows:
            parts.append(table(["Field", "Type", "Meaning"], rows))
        for names in {tuple(sorted({name, *others})) for name, others in schema["dependentRequired"].items()}:
            parts.append(f"{listed(f'`{name}`' for name in names)} come together, or not at all.")
        for name, field in schema["properties"].items():
            for kind in self.merged(self.merged(field).get("items", {})).get("oneOf", []):
                kind = self.merged(kind)
                parts += [f"An entry of `{name}` may be: {kind['description']}"]
                parts += [table(["Field", "Type", "Meaning"], list(self.rows(kind, f"{name}[].")))]
        return paragraphs(*parts)

    # Examples

    def examples(self, content):
        """Titles and bodies of the examples of a request or of a success."""
        if "examples" in content:
            return [(example["summary"], example["value"]) for example in content["examples"].values()]
        if "example" in content:
            return [("", content["example"])]
        schema = self.merged(content["schema"])
        if schema.get("type") == "array":
            return [("", self.merged(schema["items"])["examples"])]
        return [("", example) for example in schema.get("examples", [])]

    def error(self, code, own, method, operation):
        """The body of an error as this operation sends it. `own` is the example of the description."""
        sent = [body for body in self.bodies if body["code"] == code]
        if not sent:
            raise ValueError(f"{code} is in no body of the snapshot")
        if own and own["code"] == code:
            alike = [body for body in sent if body["message"] == own["message"]]
            return alike[0] if alike else sent[0] | {"message": own["message"]}
        if code == "METHOD_NOT_ALLOWED":
            return sent[0] | {"message": f"This route answers {method} only"}
        if code == "MISSING_REQUIRED_FIELD":
            schema = self.merged(operation["requestBody"]["content"]["application/json"]["schema"])
            return sent[0] | {"message": f"{schema['required'][0]} is required"}
        if code == "INVALID_INPUT":
            return sent[0] | {"message": "The body must be a JSON object"}
        return sent[0]

    # Pages

    def overview(self):
        info, [server] = self.api["info"], self.api["servers"]
        rows = [
            [f"`{method} {path}`", f"[{operation['operationId']}]({operation['operationId']}.md)", operation["summary"]]
            for path, method, operation in self.operations
        ]
        bearer = self.api["components"]["securitySchemes"]["bearer"]
        headers = [
            [f"`{name}`", self.resolved(self.api["components"]["headers"][key])["description"]]
            for name, key in [
                ("x-request-id", "RequestId"), ("cache-control", "CacheControl"), ("retry-after", "RetryAfter"),
                ("www-authenticate", "WwwAuthenticate"), ("allow", "Allow"),
            ]
        ]
        if len(headers) != len(self.api["components"]["headers"]):
            raise ValueError("docs/openapi.yaml has a header that the API reference does not show")
        return paragraphs(
            "# API reference",
            f"{info['summary']} Version {info['version']} of the API. This reference is made from"
            " `docs/openapi.yaml`.",
            table(["Route", "Name", "What it does"], rows),
            "## How it works",
            info["description"],
            "## Address",
            f"`{server['url']}`. {server['description']}",
            "## The bearer token",
            bearer["description"],
            "## Fields of every error",
            self.fields({"$ref": "#/components/schemas/Problem"}),
            "[Errors](../errors.md) says what each `code` means and what to do.",
            "## Headers of replies",
            table(["Header", "Meaning"], headers),
        )

    def page(self, path, method, operation):
        responses = [(int(status), self.resolved(reply)) for status, reply in operation["responses"].items()]
        codes = {code for status, reply in responses if status >= 400 for code in self.codes(reply)}
        parts = [
            f"# {operation['operationId']}",
            f"```text\n{method} {path}\n```",
            f"**{operation['summary']}.**",
            operation["description"],
            "## Who may call it",
            self.callers(operation, codes),
        ]
        if operation.get("parameters"):
            parts += ["## Parameters", table(
                ["Parameter", "In", "Type", "Meaning"],
                [self.parameter(parameter) for parameter in operation["parameters"]],
            )]
        if "requestBody" in operation:
            parts += ["## Request", self.request(operation["requestBody"])]
        parts += ["## Reply"]
        parts += [self.success(reply) for status, reply in responses if status < 400]
        parts += ["## Errors"]
        for status, reply in responses:
            if status >= 400:
                content = reply["content"]["application/json"]
                bodies = [self.error(code, content.get("example"), method, operation) for code in self.codes(reply)]
                assert all(body["statusCode"] == status for body in bodies), (operation["operationId"], status)
                lines = "\n".join(map(json_text, bodies))
                parts += [f"### {status} {bodies[0]['error']}", reply["description"], f"```json\n{lines}\n```"]
        return paragraphs(*parts)

    def codes(self, reply):
        return self.merged(reply["content"]["application/json"]["schema"])["properties"]["code"]["enum"]

    def callers(self, operation, codes):
        if operation.get("security") == []:
            return "Everybody. No bearer token is read."
        text = "Everybody with a bearer token: that of the login, or one of this service."
        if "MFA_REQUIRED" in codes:
            text += (
                " If a second factor is required, the token must prove one that is at most 15 minutes old."
                " Otherwise the answer is 401 `MFA_REQUIRED`."
            )
        return text

    def parameter(self, parameter):
        schema = self.resolved(parameter["schema"])
        name = f"`{parameter['name']}`" + ("" if parameter.get("required") else " (optional)")
        meaning = parameter["description"]
        if "example" in parameter:
            meaning = f"{meaning.strip()} Example: `{parameter['example']}`"
        return [name, parameter["in"], self.type_of(schema), self.meaning_of(schema, meaning)]

    def request(self, body):
        content = body["content"]["application/json"]
        examples = [f"```json\n{json_text(value)}\n```" for _, value in self.examples(content)]
        return paragraphs(
            "" if body["required"] else body["description"],
            self.fields(content["schema"]),
            *examples,
        )

    def success(self, reply):
        content = reply["content"]["application/json"]
        cache = self.resolved(reply["headers"]["cache-control"])
        examples = []
        for title, value in self.examples(content):
            examples += [f"{title}:" if title else "", f"```json\n{json.dumps(value, indent=2)}\n```"]
        is_stored = cache["schema"]["const"] != "no-store"
        return paragraphs(
            f"**200.** {reply['description']}",
            f"`cache-control: {cache['schema']['const']}`. {cache['description']}" if is_stored else "",
            self.fields(content["schema"]),
            *examples,
        )


def json_text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def span(schema, least, most, unit):
    low, high = schema.get(least), schema.get(most)
    if low is None and high is None:
        return ""
    if low == high:
        return f"{low} {unit}".strip()
    if high is None:
        return "not empty" if low == 1 and unit else f"at least {low} {unit}".strip()
    return (f"at most {high} {unit}" if low is None else f"{low} to {high} {unit}").strip()


def listed(names):
    *others, last = names
    return f"{', '.join(others)} and {last}"


def cell(text):
    """A text as a cell of a table, which is one line. A list in it becomes sentences."""
    return re.sub(r"\s+", " ", text.replace("|", "\\|")).strip()


def table(head, rows):
    """A table without the columns in which no row says anything."""
    kept = [number for number in range(len(head)) if any(row[number] for row in rows)]
    lines = [[head[number] for number in kept], ["---"] * len(kept)]
    lines += [[cell(row[number]) for number in kept] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def paragraphs(*parts):
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"
