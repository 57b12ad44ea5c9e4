"""What the async client's `generate` returns: an awaitable that shows the id of its generation."""

from __future__ import annotations

# It is loaded with the interpreter, and `collections.abc` is not.
from _collections_abc import Coroutine
from types import MethodType

from . import _hints as types
from ._native import Call, Generation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Concatenate, TypeVar

    from typing_extensions import ParamSpec

    P = ParamSpec("P")
    C = TypeVar("C")


class GenerationHandle(Coroutine["Any", "Any", Generation]):
    """A generation that is being created and waited for. Await it, once, for the generation.

    It is a coroutine to asyncio: tasks, `gather`, `wait_for` and `TaskGroup` take it, and if it is never
    awaited, nothing is sent. Beyond that it has the `id` as soon as the service has accepted the create:

        handle = client.generate(model="moonshotai/kimi-k2.5", input="A cat walking on a beach")
        save(await handle.created())
        generation = await handle
    """

    __slots__ = ("_coroutine", "_call", "_failed", "_yielded", "__weakref__")

    def __init__(self, coroutine: types.Coroutine[types.Any, types.Any, Generation]) -> None:
        self._coroutine: types.Any = coroutine
        self._call: Call | None = None
        # What the first step has yielded, if `created` has made it.
        self._yielded: object = None
        # What that step has raised.
        self._failed: Exception | None = None

    @property
    def id(self) -> str | None:
        """The id of the generation; None until the service has accepted the create."""
        return None if self._call is None else self._call.generation_id

    async def created(self) -> str:
        """Waits until the service has accepted the create, and returns the id.

        It starts the call if nothing awaits the handle yet. The call continues from then on, while the
        handle exists: await it for the generation, and for `on_update` to be called. If the create fails,
        its error is raised here as well. Cancelling this wait does not cancel the call.
        """
        if self._call is None:
            try:
                self._yielded = self.send(None)
            except Exception as failed:
                self._failed = failed
                raise
        assert self._call is not None
        id = await self._call.created()
        if id is None:
            from asyncio import CancelledError

            raise CancelledError("the call was cancelled before its create was sent")
        return id

    def __await__(self) -> types.Generator[types.Any, types.Any, Generation]:
        if self._coroutine.cr_await is not None and self._yielded is None:
            raise RuntimeError("the handle is being awaited already")
        return self  # type: ignore[return-value]

    def send(self, value: types.Any) -> types.Any:
        if self._failed is not None:
            raise self._failed
        yielded, self._yielded = self._yielded, None
        if yielded is None:
            yielded = self._coroutine.send(value)
            if self._call is None:
                self._call = self._coroutine.cr_await
        return yielded

    def throw(self, *raised: types.Any) -> types.Any:
        self._yielded = None
        return self._coroutine.throw(*raised)

    def close(self) -> None:
        self._coroutine.close()

    if not TYPE_CHECKING:
        # What `__await__` returns is an iterator; checkers would take the handle for nothing else.
        def __iter__(self) -> types.Self:
            return self

        def __next__(self) -> types.Any:
            return self.send(None)

        def __getattr__(self, name: str) -> types.Any:
            # `cr_frame` and others, and the name: what shows a coroutine in the `repr` of its task.
            return getattr(self._coroutine, name)

    def __repr__(self) -> str:
        return f"<GenerationHandle id={self.id!r} of {self._coroutine!r}>"


if TYPE_CHECKING:

    def returns_handle(
        function: Callable[Concatenate[C, P], Coroutine[Any, Any, Generation]],
    ) -> Callable[Concatenate[C, P], GenerationHandle]: ...

else:
    _LIKE_A_FUNCTION = (
        "__module__",
        "__name__",
        "__qualname__",
        "__doc__",
        "__code__",
        "__defaults__",
        "__kwdefaults__",
        "__annotations__",
    )

    class returns_handle:
        """Makes an async method return a `GenerationHandle` in place of its coroutine.

        The method stays a coroutine function to `inspect`, `unittest.mock`, tenacity and others, which they see
        by the flags of `__code__`.
        """

        def __init__(self, function: Any) -> None:
            self.__wrapped__ = function
            for name in _LIKE_A_FUNCTION:
                self.__dict__[name] = getattr(function, name)
            # `create_autospec` reads the signature of a method from it.
            self.__dict__["__call__"] = function.__get__(self)

        def __get__(self, client: object, owner: object = None) -> Any:
            return self if client is None else MethodType(self, client)

        def __call__(self, *arguments: Any, **named: Any) -> GenerationHandle:
            return GenerationHandle(self.__wrapped__(*arguments, **named))
