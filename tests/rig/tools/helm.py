"""Lints and renders a chart with Helm's own engine, and checks every object against the schemas of Kubernetes.

Reads {"chart": path, "versions": [Kubernetes versions], "sets": [[files and values, the later ones win]]} from standard input; writes one answer
a set: {"refused": why nothing was rendered} or {"findings": what lint says, "objects": [...], "invalid": [...], "unknown": [kinds without a schema],
"notes": text}.
"""

import json
import sys

import yaml
from helm_python import chart as charts
from helm_python.errors import HelmError
from kubernetes_validate import SchemaNotFoundError, ValidationError, validate


def merged(base, more):
    """`base` with the values of `more`, as Helm puts value files together."""
    if not (isinstance(base, dict) and isinstance(more, dict)):
        return more
    return base | {key: merged(base.get(key), value) for key, value in more.items()}


def values_of(parts):
    values = {}
    for part in parts:
        if isinstance(part, str):
            with open(part, encoding="utf-8") as file:
                part = yaml.safe_load(file)
        values = merged(values, part)
    return values


def rendered(path, chart, values, versions):
    try:
        chart.validate_schema(chart.merge_values(values))
        texts = chart.render(values, name="shop", namespace="shops", is_install=True)
    except HelmError as error:
        return {"refused": str(error)}
    report = charts.lint(path, values, strict=True)
    findings = report["errors"] + [message["error"] for message in report["messages"] if message["severity"] > 1]
    answer = {"findings": findings, "objects": [], "invalid": [], "unknown": [], "notes": ""}
    for name, text in sorted(texts.items()):
        if name.endswith("NOTES.txt"):
            answer["notes"] = text
            continue
        for found in filter(None, yaml.safe_load_all(text)):
            answer["objects"].append(found)
            for version in versions:
                try:
                    validate(found, version, strict=True)
                except ValidationError as error:
                    place = "/".join(map(str, error.path))
                    answer["invalid"].append(f"{version}: {found['kind']} {found['metadata']['name']}: {place}: {error.message}")
                except SchemaNotFoundError:
                    answer["unknown"].append(found["kind"])
    return answer


def main():
    asked = json.load(sys.stdin)
    chart = charts.Chart.load(asked["chart"])
    json.dump([rendered(asked["chart"], chart, values_of(parts), asked["versions"]) for parts in asked["sets"]], sys.stdout)


main()
