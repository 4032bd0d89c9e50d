"""Reads what Prometheus would: `metrics` a page of its text format, `queries` a JSON list of expressions. From standard input; answers with JSON.

Anything that Prometheus' own parsers refuse ends this with an error.
"""

import json
import sys

import promql_parser
from prometheus_client.parser import text_string_to_metric_families


def families(text):
    for family in text_string_to_metric_families(text):
        samples = [{"name": sample.name, "labels": sample.labels, "value": sample.value} for sample in family.samples]
        suffix = "_total" if family.type == "counter" else ""
        yield {"name": family.name + suffix, "type": family.type, "help": family.documentation, "samples": samples}


def selectors(node):
    """The selectors of an expression: the metric's name, and the labels that it is narrowed by."""
    if isinstance(node, promql_parser.VectorSelector):
        yield {"name": node.name, "labels": [matcher.name for matcher in node.matchers.matchers]}
    elif isinstance(node, promql_parser.MatrixSelector):
        yield from selectors(node.vector_selector)
    elif isinstance(node, (promql_parser.SubqueryExpr, promql_parser.ParenExpr, promql_parser.UnaryExpr)):
        yield from selectors(node.expr)
    elif isinstance(node, promql_parser.AggregateExpr):
        yield from selectors(node.expr)
        if node.param is not None:
            yield from selectors(node.param)
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from selectors(node.lhs)
        yield from selectors(node.rhs)
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from selectors(argument)
    elif not isinstance(node, (promql_parser.NumberLiteral, promql_parser.StringLiteral)):
        raise TypeError(f"no rule for {type(node).__name__}")


def main():
    given = sys.stdin.read()
    if sys.argv[1] == "metrics":
        json.dump(list(families(given)), sys.stdout)
    else:
        json.dump([list(selectors(promql_parser.parse(query))) for query in json.loads(given)], sys.stdout)


main()
