# SPDX-License-Identifier: Apache-2.0
"""The verbs of a checkout (`./run --list`): those of the command `secondpass`, and two more."""

import inspect
import sys
from typing import Any

import typer
from invoke import Collection, Context, Exit, Task, task

from secondpass.cli import app
from secondpass.errors import SecondpassError


@task(help={"path": "only the tests below this path"})
def test(context: Context, path="tests"):
    """Run linters, the type checker and all tests."""
    for tool in (
        "ruff check .",
        "ruff format --check .",
        "mypy",
        f"pytest -n 2 --dist worksteal {path}",
    ):
        context.run(f"{sys.executable} -m {tool}", echo=True)


@task
def clean(_):
    """Delete build/."""
    from secondpass import commands

    commands.clean()


def task_of(name: str, command: Any) -> Task:
    """Return the task that takes the options of a command and runs it.

    Every option is a string here: the command itself reads and checks what it is given.
    """

    def body(_, **given):
        run(command, name, [word for p in command.params for word in _words(p, given[p.name])])

    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_ONLY)
    body.__signature__ = inspect.Signature([context, *map(_parameter, command.params)])
    body.__doc__ = command.help
    return Task(
        body,
        name=name,
        help={p.name: _described(p) for p in command.params},
        iterable=[p.name for p in command.params if _multiple(p)],
        positional=[p.name for p in command.params if _argument(p)],
    )


def run(command: Any, name: str, line: list[str]) -> None:
    """Run a command; an error that a user is meant to read is one line, exit code 1."""
    try:
        command.main(line, prog_name=f"invoke {name}")
    except SecondpassError as error:
        raise Exit(f"error: {error}", 1) from error
    except SystemExit as ended:
        if ended.code:
            raise Exit("", ended.code) from None


def _argument(option: Any) -> bool:
    return option.param_type_name == "argument"


def _multiple(option: Any) -> bool:
    return getattr(option, "multiple", False)


def _flag(option: Any) -> bool:
    return getattr(option, "is_flag", False)


def _parameter(option: Any) -> inspect.Parameter:
    """Return what stands for an option in the signature of a task."""
    default = inspect.Parameter.empty if option.required else False if _flag(option) else None
    return inspect.Parameter(option.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)


def _described(option: Any) -> str:
    shows = option.default is not None and not _flag(option)
    return f"{option.help} (default: {option.default})" if shows else option.help


def _words(option: Any, given: Any) -> list[str]:
    """Return an option as it stands on the command line."""
    if given is None or given is False:
        return []
    if _flag(option):
        return [option.opts[0]]
    if _multiple(option):
        return [word for value in given for word in (option.opts[0], value)]
    return [given] if _argument(option) else [option.opts[0], given]


namespace = Collection(
    test,
    clean,
    *(task_of(name, command) for name, command in typer.main.get_command(app).commands.items()),
)
