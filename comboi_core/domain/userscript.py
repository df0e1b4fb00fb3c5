"""Python scripts of users. They are loaded again for every call, and errors name file and line.

A script is one file. It is compiled from source each time, so an edit takes effect at once, and nothing stays in the
interpreter. Its own folder is not on the import path, so code that several scripts share has to be in a package.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from comboi_core.domain.errors import ScriptError

_numbers = itertools.count()


def call_script(script: Path, function: str, parameters: Sequence[str], arguments: Sequence[Any]) -> Any:
    """Load `script` and return what its `function` returns for `arguments`.

    Args:
        parameters: The names of the arguments, for messages.

    Raises:
        ScriptError: the file has a syntax error, or no function with this name and these arguments.
        Exception: any error of the script itself. `blame` returns its line.
    """
    problems = script_problems(script, function, parameters)
    if problems:
        raise ScriptError("\n".join(problems), script=str(script))
    with _loaded(script) as module:
        callee = getattr(module, function, None)
        wanted = f"{function}({', '.join(parameters)})"
        if not callable(callee):
            raise ScriptError(f"{script}:1: defines no function {wanted}", script=str(script))
        try:
            inspect.signature(callee).bind(*arguments)
        except TypeError as error:
            raise ScriptError(
                f"{script}:1: the function has to take the arguments {wanted}: {error}", script=str(script)
            ) from error
        return callee(*arguments)


def script_problems(script: Path, function: str, parameters: Sequence[str]) -> list[str]:
    """Return the problems of a script as `file:line: text`, without running it."""
    wanted = f"{function}({', '.join(parameters)})"
    try:
        tree = ast.parse(script.read_bytes(), filename=str(script))
    except SyntaxError as error:
        shown = f"\n    > {error.text.strip()}" if error.text and error.text.strip() else ""
        return [f"{script}:{error.lineno or 1}: {type(error).__name__}: {error.msg}{shown}"]
    except ValueError as error:
        return [f"{script}:1: the file is not a Python file: {error}"]
    except OSError as error:
        return [f"{script}:1: cannot be read: {error.strerror}"]
    definitions = [node for node in _top_level(tree.body) if function in _names_bound(node)]
    if not definitions:
        return [f"{script}:1: defines no function {wanted}"]
    last = definitions[-1]
    if isinstance(last, ast.AsyncFunctionDef):
        return [f"{script}:{last.lineno}: {function} is `async`; write `def {wanted}`"]
    if isinstance(last, ast.FunctionDef) and not _takes(last.args, len(parameters)):
        return [f"{script}:{last.lineno}: {function} takes other arguments; write `def {wanted}`"]
    return []


def blame(script: Path, error: BaseException, said: str) -> int | None:
    """Return the line of `script` in which `error` was raised, or None if the script was not involved.

    It is the innermost frame in the file, or the innermost line in a traceback that `said`, the error's text, quotes.
    Native libraries quote tracebacks.
    """
    name = str(script)
    line, traceback = None, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == name:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    if line is None:
        quoted = re.findall(rf'File "{re.escape(name)}", line (\d+)|{re.escape(name)}\((\d+)\)', said)
        line = next((int(first or second) for first, second in reversed(quoted)), None)
    return line


def said_by(error: BaseException) -> str:
    """Return an error's text. Never raises, although the text of a user's own error class can."""
    try:
        return str(error)
    except Exception as unreadable:
        return f"its text cannot be read ({type(unreadable).__name__})"


def definition_line(script: Path, function: str) -> int:
    """Return the line at which `script` defines `function`, or 1."""
    try:
        body = ast.parse(script.read_bytes()).body
    except (SyntaxError, ValueError, OSError):
        return 1
    return next((node.lineno for node in _top_level(body) if function in _names_bound(node)), 1)


@contextmanager
def _loaded(script: Path) -> Iterator[ModuleType]:
    module = ModuleType(f"_comboi_script_{next(_numbers)}_{script.stem}")
    module.__file__ = str(script)
    # Dataclasses and pickling look up their module by name, so it is registered during the call.
    sys.modules[module.__name__] = module
    try:
        exec(compile(script.read_bytes(), str(script), "exec", dont_inherit=True), module.__dict__)
        yield module
    finally:
        del sys.modules[module.__name__]


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from _top_level(node.body)
            yield from _top_level(getattr(node, "orelse", []))


def _names_bound(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.ImportFrom(names=names):
            return {alias.asname or alias.name for alias in names}
    return set()


def _takes(arguments: ast.arguments, count: int) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required_keywords = [default for default in arguments.kw_defaults if default is None]
    enough = positional >= count or arguments.vararg is not None
    return enough and positional - len(arguments.defaults) <= count and not required_keywords
