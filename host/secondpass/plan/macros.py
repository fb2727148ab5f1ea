# SPDX-License-Identifier: Apache-2.0
"""Sizes that the trainer's headers compute from the network: its macros, evaluated without C."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from secondpass import resources
from secondpass.errors import BuildError
from secondpass.learning import Learning
from secondpass.network import Network

HEADERS = ("trainer.h", "link.h", "store.h")
FRAMES = ("SP_REQUEST_FRAME", "SP_REPLY_FRAME")
"""What the link's buffers are made of."""

_DEFINE = re.compile(r"^#define (\w+)(\([\w, ]*\))? +(.+)$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_NUMBER = re.compile(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b")
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Mod: operator.mod,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
    ast.GtE: operator.ge,
    ast.LtE: operator.le,
}


def model_values(learning: Learning) -> dict[str, int]:
    """Return the macros of a generated model.h that the trainer's sizes are made of."""
    return network_values(learning.network, len(learning.settings().projections))


def network_values(network: Network, projections: int) -> dict[str, int]:
    """Return these macros for a network that learns with so many projections."""
    return {
        "SP_MODEL_LAYERS": len(network.layers),
        "SP_MODEL_INPUTS": network.sample.size,
        "SP_MODEL_OUTPUTS": network.outputs,
        "SP_MODEL_CLASSES": network.classes,
        "SP_MODEL_PROJECTIONS": projections,
        "SP_MODEL_SAMPLE_BYTES": network.sample.sample_bytes,
        "SP_MODEL_TARGET_BYTES": network.target_bytes,
    }


def link_frames(learning: Learning) -> tuple[int, int]:
    """Return the bytes of a request and of a reply frame for a model."""
    return frames_of(model_values(learning))


def frames_of(values: Mapping[str, int]) -> tuple[int, int]:
    """Return the same from the macros of a model."""
    return evaluate(FRAMES[0], values), evaluate(FRAMES[1], values)


def evaluate(name: str, values: Mapping[str, int]) -> int:
    """Return what a macro of the headers is for a model.

    Raises `BuildError` when the headers have no such macro, or one that is no plain formula.
    """
    return _Evaluation(_macros(), values).of(name)


@cache
def _macros() -> dict[str, tuple[list[str], str]]:
    """Return parameters and text of every macro."""
    folder = resources.folder("firmware") / "include" / "secondpass"
    found: dict[str, tuple[list[str], str]] = {}
    for header in HEADERS:
        text = _COMMENT.sub("", _read(folder / header)).replace("\\\n", " ")
        for name, parameters, body in _DEFINE.findall(text):
            names = [part.strip() for part in parameters.strip("()").split(",") if part.strip()]
            found[name] = (names, body.strip())
    return found


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


class _Evaluation:
    """Evaluates macro texts as expressions; C's `a ? b : c` becomes Python's."""

    def __init__(
        self, macros: Mapping[str, tuple[list[str], str]], values: Mapping[str, int]
    ) -> None:
        self.macros, self.values = macros, values

    def of(self, name: str, arguments: tuple[int, ...] = ()) -> int:
        if name in self.values:
            return self.values[name]
        if name not in self.macros:
            raise BuildError(f"the firmware's headers ({', '.join(HEADERS)}) have no macro {name}")
        parameters, text = self.macros[name]
        scope = dict(zip(parameters, arguments, strict=True))
        plain = _NUMBER.sub(r"\1", text)
        try:
            return self._value(ast.parse(_without_questions(plain), mode="eval").body, scope)
        except (SyntaxError, KeyError, TypeError, IndexError) as error:
            raise BuildError(
                f"the macro {name} of the firmware's headers is no formula that the planner "
                f"reads: {text}"
            ) from error

    def _value(self, node: ast.AST, scope: Mapping[str, int]) -> int:
        match node:
            case ast.Constant(value=int(value)):
                return value
            case ast.Name(id=name):
                return scope[name] if name in scope else self.of(name)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.of(name, tuple(self._value(one, scope) for one in arguments))
            case ast.BinOp(left=left, op=op, right=right):
                return int(
                    _OPERATORS[type(op)](self._value(left, scope), self._value(right, scope))
                )
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return int(
                    _OPERATORS[type(op)](self._value(left, scope), self._value(right, scope))
                )
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._value(body if self._value(test, scope) else other, scope)
        raise KeyError(type(node).__name__)

    def _joined(self, op: ast.AST, left: ast.AST, right: ast.AST, scope: Mapping[str, int]) -> int:
        return int(_OPERATORS[type(op)](self._value(left, scope), self._value(right, scope)))


def _without_questions(text: str) -> str:
    """Return an expression with every `a ? b : c` as Python's `b if a else c`."""
    while "?" in text:
        question = text.index("?")
        start = _boundary(text, question, -1)
        end = _boundary(text, question, 1)
        colon = _boundary(text, question, 1, ":")
        condition, yes = text[start + 1 : question], text[question + 1 : colon]
        no = text[colon + 1 : end]
        text = f"{text[: start + 1]}(({yes}) if ({condition}) else ({no})){text[end:]}"
    return text


def _boundary(text: str, at: int, step: int, wanted: str = "") -> int:
    """Return where, from `at` on, the parenthesis around it is, or `wanted` at its depth."""
    depth = 0
    at += step
    while 0 <= at < len(text):
        if depth == 0 and text[at] == wanted:
            return at
        depth += {"(": step, ")": -step}.get(text[at], 0)
        if depth < 0:
            return at
        at += step
    return at
