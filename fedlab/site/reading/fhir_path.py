"""FHIRPath by fhirpathpy: compiled once a path, its faults turned into codes.

HL7 FHIRPath 2.0.0, with ``getResourceKey()`` and ``getReferenceKey(type)`` of SQL on FHIR 2.0. No
shorter way of our own is taken around the library: it needs 5 to 50 microseconds a path.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from fedlab.errors import DataError
from fedlab.site.reading.faults import RecordError
from fedlab.site.reading.fhir_reference import reference_key

__all__ = ["Path", "Value", "compile_path", "compile_value"]

Value = bool | int | float | str | None
Path = Callable[[Any], list[Any]]
# What these give depends on the day, and one table must come from one set of files.
CLOCKS = frozenset({"now", "today", "timeOfDay"})


def compile_path(
    path: str, constants: Mapping[str, object] | None = None, *, nodes: bool = False
) -> Path:
    """A function from a resource, or a node of one, to the list of what the path finds there.

    Parameters
    ----------
    path : str
    constants : Mapping of str to object, optional
        Values of ``%name``.
    nodes : bool, default False
        Whether nodes are given that know their type, for paths that go on from there.

    Raises
    ------
    DataError
        For a path that is not FHIRPath, calls what is no function, or reads the clock.

    Examples
    --------
    >>> patient = {"resourceType": "Patient", "name": [{"given": ["Ada"]}]}
    >>> compile_path("name.given.first()")(patient)
    ['Ada']
    """
    import fhirpathpy

    functions = _functions(path) if isinstance(path, str) else None
    if functions is None:
        raise DataError(
            "A path must be FHIRPath.", f"{path!r}", "Correct it; see hl7.org/fhirpath."
        )
    unknown = sorted(functions - _known())
    if unknown:
        raise DataError(
            "A path must call functions of FHIRPath.",
            f"{path!r}, which calls {unknown[0]!r}",
            "Correct its name; see hl7.org/fhirpath.",
        )
    if CLOCKS & functions:
        raise DataError(
            "A path must give the same on any day.",
            f"{path!r}, which reads the clock",
            "Compare with a fixed date, e.g. @2026-01-01.",
        )
    if "single" in functions:
        # In the middle of a path the library goes on with its own error as if it were data.
        raise DataError(
            "A path must be without single().",
            f"{path!r}",
            "Leave it out, since a column holds one value, or write first().",
        )
    options = {"userInvocationTable": _keys(), "returnRawData": nodes}
    context = dict(constants or {})
    # The library knows $this within functions alone; over one input, select() changes nothing else.
    whole = f"select({path})" if "$this" in path else path
    compiled = fhirpathpy.compile(whole, _r4(), options)

    def evaluate(resource: Any) -> list[Any]:
        try:
            found = compiled(resource, context)
        except RecordError:
            raise
        except Exception:
            # The library's text may quote the resource.
            found = None
        if not isinstance(found, list):
            raise RecordError("path_failed")
        return found

    return evaluate


def compile_value(path: str, constants: Mapping[str, object] | None = None) -> Callable[..., Value]:
    """A function from a resource to the one value that the path finds there, or None.

    Raises
    ------
    DataError
        As of `compile_path`.
    """
    evaluate = compile_path(path, constants)

    def value(resource: Any) -> Value:
        found = evaluate(resource)
        if not found:
            return None
        if len(found) > 1:
            raise RecordError("several_values")
        return _plain(found[0])

    return value


def _plain(value: Any) -> Value:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float | Decimal):
        try:
            number = float(value)
        except (OverflowError, ValueError):
            raise RecordError("bad_number") from None
        if not math.isfinite(number):
            raise RecordError("bad_number")
        return value if isinstance(value, int) else number
    text = getattr(value, "asStr", None)  # dates and times that the library made itself
    if isinstance(text, str):
        return text
    raise RecordError("not_a_value")


@lru_cache(1024)
def _functions(path: str) -> frozenset[str] | None:
    """Names of the functions that a path calls; None if the text is not one whole expression.

    The library's own parser mends what is no FHIRPath, so its grammar is asked first.
    """
    from antlr4 import CommonTokenStream, InputStream
    from fhirpathpy.parser import parse
    from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
    from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

    try:
        lexer = FHIRPathLexer(InputStream(path))
        parser = FHIRPathParser(CommonTokenStream(lexer))
        for part in (lexer, parser):
            part.removeErrorListeners()
            part.addErrorListener(_Strict())
        parser.entireExpression()  # type: ignore[no-untyped-call]
        tree = parse(path)  # type: ignore[no-untyped-call]
        return frozenset(_called(tree))
    except (_NotFhirPathError, RecursionError):
        return None


class _NotFhirPathError(Exception):
    """A text is no FHIRPath."""


class _Strict:
    """A listener of the parser's errors that ends at the first."""

    def syntaxError(self, *_: object) -> None:  # noqa: N802 - the parser's name
        raise _NotFhirPathError

    def reportAmbiguity(self, *_: object) -> None:  # noqa: N802
        """Pass over: not an error."""

    reportAttemptingFullContext = reportContextSensitivity = reportAmbiguity  # noqa: N815


def _called(tree: Any) -> Iterator[str]:
    if tree.get("type") == "Functn":
        yield tree["children"][0].get("text", "")
    for child in tree.get("children", ()):
        yield from _called(child)


@cache
def _known() -> frozenset[str]:
    """Names of functions that the library computes, and of those added to it."""
    from fhirpathpy.engine.invocations import invocation_registry

    return frozenset([*invocation_registry, *_keys()])


@cache
def _r4() -> Any:
    from fhirpathpy.models import models

    return models["r4"]


def _keys() -> dict[str, dict[str, Any]]:
    def resource(nodes: list[Any]) -> list[str]:
        return [data["id"] for data in map(_data, nodes) if isinstance(data.get("id"), str)]

    def reference(nodes: list[Any], kind: Any = None) -> list[str]:
        wanted = getattr(kind, "name", None)
        found = [reference_key(_data(node)) for node in nodes]
        return [
            key
            for pair in found
            if pair is not None
            for of, key in [pair]
            if wanted is None or of == wanted
        ]

    return {
        "getResourceKey": {"fn": resource, "arity": {0: []}},
        "getReferenceKey": {"fn": reference, "arity": {0: [], 1: ["TypeSpecifier"]}},
    }


def _data(node: Any) -> dict[str, Any]:
    data = getattr(node, "data", node)
    return data if isinstance(data, dict) else {}
