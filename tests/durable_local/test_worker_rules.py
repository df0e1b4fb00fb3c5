"""The worker's rules of annotations, variant by variant.

The table was made by the worker's own code (azure-functions-runtime 1.3.0, the same rules as worker 4.34, with the base
extension that the worker brings along), which indexed every function below on Python 3.11.
"""

from __future__ import annotations

from typing import Any

import pytest

from durable_local import AppLoadError
from durable_local.bindings import read_bindings
from durable_local.worker_rules import check_function

HEAD = """
import collections, collections.abc, dataclasses, datetime, enum, typing, uuid
import azure.durable_functions as df
import azure.functions as func
T = typing.TypeVar("T")
class Plain: pass
class Shape(typing.TypedDict):
    a: int
class Point(typing.NamedTuple):
    x: int
@dataclasses.dataclass
class Data:
    a: int
class Colour(enum.Enum):
    RED = 1
class Box(typing.Generic[T]): pass
class Context: pass
class Proto(typing.Protocol): pass
class Text(str): pass
class Request(func.HttpRequest): pass
app = df.DFApp()
"""

_TIMER = "@app.timer_trigger(arg_name='t', schedule='0 * * * * *')\n"
FUNCTIONS = {
    "activity": "@app.activity_trigger(input_name='x')\ndef f(x: A): ...",
    "http": "@app.route(route='r', trigger_arg_name='x')\ndef f(x: A): ...",
    "http_return": "@app.route(route='r')\ndef f(req) -> A: ...",
    "http_out": "@app.route(route='r', binding_arg_name='x')\ndef f(req, x: A): ...",
    "timer": "@app.timer_trigger(arg_name='x', schedule='0 * * * * *')\ndef f(x: A): ...",
    "generic": "@app.generic_trigger(arg_name='x', type='strangeTrigger')\ndef f(x: A): ...",
    "generic_http": "@app.generic_trigger(arg_name='x', type='httpTrigger')\ndef f(x: A): ...",
    "queue": "@app.queue_trigger(arg_name='x', queue_name='q', connection='c')\ndef f(x: A): ...",
    "queue_out": f"{_TIMER}@app.queue_output(arg_name='x', queue_name='q', connection='c')\ndef f(t, x: A): ...",
    "context": "@app.activity_trigger(input_name='x')\ndef f(x, context: A): ...",
}
"""Functions with a place for an annotation, by what the annotation is of."""

ANYTHING = {
    "activity_return": "@app.activity_trigger(input_name='x')\ndef f(x) -> A: ...",
    "orchestration": "@app.orchestration_trigger(context_name='context')\ndef f(context: A): ...",
    "entity": "@app.entity_trigger(context_name='context')\ndef f(context: A): ...",
    "client": "@app.route(route='r')\n@app.durable_client_input(client_name='x')\nasync def f(req, x: A): ...",
}
"""Those that the worker does not look at: it ignores them, or it sees the SDK's wrapper."""

ACCEPTED = {
    "activity http http_return timer generic generic_http queue": [
        "str",
        "'str'",
        "typing.Text",
    ],
    "activity http timer generic generic_http queue": [
        "bytes",
    ],
    "activity": [
        "bytearray",
        "int",
        "float",
        "bool",
        "dict",
        "list",
        "tuple",
        "set",
        "object",
        "None",
        "typing.Any",
        "typing.List",
        "typing.List[str]",
        "typing.Dict[str, int]",
        "typing.Dict",
        "typing.Set[int]",
        "typing.Sequence",
        "typing.Sequence[int]",
        "typing.Mapping",
        "typing.Iterable[int]",
        "typing.Generator",
        "typing.Generator[int, int, int]",
        "typing.Type[int]",
        "typing.Type",
        "typing.Annotated[dict, 1]",
        "typing.Annotated[typing.List[int], 1]",
        "Plain",
        "Shape",
        "Point",
        "Data",
        "Colour",
        "Box",
        "Box[int]",
        "Proto",
        "typing.Generic",
        "datetime.datetime",
        "uuid.UUID",
        "type",
        "'Plain'",
        "Ellipsis.__class__",
        "typing.List[func.QueueMessage]",
        "df.DurableOrchestrationContext",
        "df.DurableOrchestrationClient",
        "df.DurableEntityContext",
        "func.OrchestrationContext",
        "func.EntityContext",
    ],
    "": [
        "list[str]",
        "dict[str, int]",
        "tuple[int, ...]",
        "set[int]",
        "type[int]",
        "collections.abc.Sequence[int]",
        "collections.abc.Callable[[], int]",
        "collections.deque[int]",
        "typing.Tuple",
        "typing.Tuple[int, int]",
        "typing.Callable",
        "typing.Callable[[], int]",
        "typing.Optional[dict]",
        "typing.Union[int, str]",
        "dict | None",
        "int | str",
        "typing.Optional",
        "typing.Union",
        "typing.Literal['a']",
        "typing.Final[int]",
        "typing.ClassVar[int]",
        "typing.NoReturn",
        "typing.AnyStr",
        "typing.LiteralString",
        "typing.NewType('N', int)",
        "T",
        "func.Out",
        "func.Out[int]",
        "func.Out[list[str]]",
        "func.Out[dict | None]",
    ],
    "activity context": [
        "Context",
        "func.Context",
    ],
    "activity http_return generic": [
        "Text",
    ],
    "activity http generic_http": [
        "Request",
        "func.HttpRequest",
    ],
    "activity http_return": [
        "func.HttpResponse",
    ],
    "activity timer": [
        "func.TimerRequest",
    ],
    "activity queue": [
        "func.QueueMessage",
    ],
    "http_out queue_out": [
        "func.Out[str]",
        "func.Out[bytes]",
    ],
    "http_out": [
        "func.Out[func.HttpResponse]",
    ],
    "queue_out": [
        "func.Out[typing.List[str]]",
        "func.Out[func.QueueMessage]",
    ],
}
"""Where the worker accepts each annotation."""


def build(text: str, annotation: str) -> Any:
    names: dict[str, Any] = {"__name__": "variant"}
    source = HEAD + text.replace(": A", f": {annotation}").replace("-> A", f"-> {annotation}")
    exec(compile(source, "variant", "exec", dont_inherit=True), names)
    return names["app"].get_functions()[0]


def accepts(function: Any) -> bool:
    try:
        check_function("f", function.get_user_function(), read_bindings(function)[1])
    except AppLoadError:
        return False
    return True


@pytest.mark.parametrize(
    ("annotation", "expected"), [(one, kinds) for kinds, found in ACCEPTED.items() for one in found]
)
def test_where_the_worker_accepts_an_annotation(annotation: str, expected: str):
    found = [kind for kind, text in FUNCTIONS.items() if accepts(build(text, annotation))]
    assert found == expected.split()
    assert all(accepts(build(text, annotation)) for text in ANYTHING.values())
