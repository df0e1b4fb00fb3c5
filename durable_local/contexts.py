"""What the worker passes to functions with a parameter `context: func.Context`."""

from __future__ import annotations

import secrets
import threading
import uuid

import azure.functions as func
from azure.functions import _abc

from .loader import FunctionInfo
from .retries import RetryPolicy


class TraceContext(_abc.TraceContext):
    """A W3C trace of its own for each call, not sampled: this host sends no telemetry."""

    def __init__(self) -> None:
        self._parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
        self._attributes: dict[str, str] = {}

    trace_parent = property(lambda self: self._parent)
    trace_state = property(lambda self: "")
    attributes = property(lambda self: self._attributes)


class RetryContext(_abc.RetryContext):
    """How often a function was repeated, by which policy, and after which failure."""

    def __init__(self, count: int = 0, policy: RetryPolicy | None = None, failure: Exception | None = None) -> None:
        self._count = count
        self._most = policy.count if policy else 0
        self._failure = failure

    retry_count = property(lambda self: self._count)
    max_retry_count = property(lambda self: self._most)
    exception = property(lambda self: self._failure)


class InvocationContext(func.Context):
    """One call of a function."""

    def __init__(self, info: FunctionInfo, directory: str, retry: RetryContext) -> None:
        self._function_name = info.name
        self._directory = directory
        self._invocation_id = str(uuid.uuid4())
        self._local = threading.local()
        self._trace = TraceContext()
        self._retry = retry

    invocation_id = property(lambda self: self._invocation_id)
    thread_local_storage = property(lambda self: self._local)
    function_name = property(lambda self: self._function_name)
    function_directory = property(lambda self: self._directory)
    trace_context = property(lambda self: self._trace)
    retry_context = property(lambda self: self._retry)
