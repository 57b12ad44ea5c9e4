"""The client for asyncio (and uvloop). Cancelling a task stops its call, never the generation."""

from __future__ import annotations

from . import _hints as types
from . import _native
from ._async_responses import AsyncResponses
from ._base_client import BaseClient
from ._batch import AsyncBatchRun
from ._batch_values import BatchEvent
from ._handle import returns_handle
from ._native import Generation, Update
from ._values import AccountUsage, APIResponse, CostEstimate, EngineCatalog
from ._webhooks import Webhooks


class AsyncPipevideo(BaseClient):
    """A client of Pipevideo's API for asyncio.

    All clients of a process with the same key and base URL share one rate limit.
    A client works on any event loop, also on several one after another, and in a forked child.
    """

    __slots__ = ()

    @property
    def responses(self) -> AsyncResponses:
        """Generations: create, retrieve, wait, watch, download, stream, reconcile."""
        return AsyncResponses(self._native)

    @property
    def engines(self) -> AsyncEngines:
        """The catalogue of engines, models and rates."""
        return AsyncEngines(self._native)

    @property
    def usage(self) -> AsyncUsage:
        """The account's usage."""
        return AsyncUsage(self._native)

    @property
    def webhooks(self) -> Webhooks:
        """Webhooks: verify a delivery, and wake the waits of its generation."""
        return Webhooks(self._native)

    # generated: generate (by `cargo xtask generate`, from conformance/surface.json)
    @returns_handle
    async def generate(
        self,
        *,
        model: str,
        input: types.Input,
        instructions: str | None = None,
        width: int | None = None,
        height: int | None = None,
        aspect_ratio: str | None = None,
        provider: types.Provider | None = None,
        engine: types.EngineName | None = None,
        expand_prompt: bool | None = None,
        max_cost_usd: types.Money | None = None,
        extra_body: types.Mapping[str, types.Any] | None = None,
        deadline: types.Seconds | None = None,
        on_update: types.Callable[[Update], object] | None = None,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> Generation:
        """Creates a generation and waits until it has completed.

        The deadline begins when the service has accepted the request.

        Args:
            model: The orchestration model, such as `moonshotai/kimi-k2.5`; not an engine.
            input: The prompt: a text, the parts of one message, or messages.
            instructions: System-level instructions, apart from the conversation.
            width: The width of the canvas in pixels; the service's default is 1080.
            height: The height of the canvas in pixels; the service's default is 1920.
            aspect_ratio: The aspect ratio, a hint such as `16:9`.
            provider: The providers that may render the video: slugs by preference, or the API's
                own object. The service's default is `framerate`.
            engine: The engine that renders: `hyperframes` (the service's default), `lottie` or
                `auto`.
            expand_prompt: Whether the service may elaborate the prompt.
            max_cost_usd: The maximum cost of the generation, in US dollars. If even the low
                estimate exceeds it, the call fails as `spend_limit`, and nothing is sent. The
                service does not receive it.
            extra_body: Fields that this library does not have yet, sent unchanged.
            deadline: Bounds the wait; by default the client's deadline.
            on_update: Called with each change, first with the created generation, so that its
                id is available from the start, and in between with the estimated progress, so that
                a bar moves. An exception in it ends the call.
            request_timeout: The longest silence of the service in one HTTP request of this
                call. By default the client's.
            max_retries: How often this call is sent again where that is safe. A create that may
                have been processed is never sent again, and a wait polls until its deadline,
                whatever it is. By default the client's.
            headers: Headers that go with this call's requests to the API, beside the client's.
                One of the same name replaces the client's.
        """
        request = {
            "model": model,
            "input": input,
            "instructions": instructions,
            "width": width,
            "height": height,
            "aspect_ratio": aspect_ratio,
            "provider": provider,
            "engine": engine,
            "expand_prompt": expand_prompt,
            "max_cost_usd": max_cost_usd,
            "extra_body": extra_body,
        }
        options = (request_timeout, max_retries, headers)
        call = self._native.generate(request, deadline, on_update, options)
        # This frame lives as long as the call, and the input may hold megabytes.
        del request, input
        return await call

    # end of generated

    async def estimate(
        self,
        *,
        model: str,
        engine: types.EngineName | None = None,
        count: int = 1,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> CostEstimate:
        """Estimates what `count` such generations cost, before anything is paid.

        What this process has seen complete is the first source and needs no request. Otherwise the
        account's usage and the rates are requested, at most every five minutes. What is not known is
        None, never zero.
        """
        options = (request_timeout, max_retries, headers)
        return await self._native.estimate(model, engine, count, options)

    # generated: batch (by `cargo xtask generate`, from conformance/surface.json)
    def batch(
        self,
        requests: types.AsyncBatchRequests,
        *,
        journal: types.Path | None = None,
        download_to: types.Path | None = None,
        max_in_flight: int | None = None,
        spend_limit: types.Money | None = None,
        deadline: types.Seconds | None = None,
        retries: int | None = None,
        retry_categories: types.Iterable[types.FailureCategory] | None = None,
        retry_uncertain: bool | None = None,
        stop_after_failures: int | None = None,
        keep_prompts: bool | None = None,
        on_event: types.Callable[[BatchEvent], object] | None = None,
    ) -> AsyncBatchRun:
        """Runs many requests, yields each as it ends, and continues from its journal.

        A request is a mapping of create's arguments, with an optional `key` of its own. Requests
        are taken one after another, as there is room for them.

        With a journal, the process may be killed at any moment: the next run with the same journal
        takes finished requests from it, waits for those that were created, completes downloads, and
        creates the others. No request is created twice.

        Args:
            requests: The requests. None, NaN and empty cells count as not given.
            journal: The file that records each fact before it is acted on. If it exists, the
                run continues what it has. It has no prompts unless `keep_prompts` is set, and one
                run at a time may use it.
            download_to: The folder for the videos, which is created. Each file is named by the
                key of its request.
            max_in_flight: How many requests are under way at once. By default 20.
            spend_limit: The maximum that all runs with this journal may spend together, in US
                dollars. If the next create would exceed it, the run creates nothing more; what is
                under way continues.
            deadline: Bounds the wait for each generation. One that has not ended by then is
                `pending`, and the next run waits for it again. By default the client's.
            retries: How often a failed generation is created again, which is paid again. By
                default 0.
            retry_categories: The categories of failures that are created again. By default
                `provider`, `other`.
            retry_uncertain: Whether a create of an earlier run with an unknown outcome is sent
                again. It may be paid twice. By default `false`.
            stop_after_failures: Creates nothing more after this many requests have failed.
            keep_prompts: Whether the journal has the requests, and what may quote them in the
                responses. By default `false`.
            on_event: Called with each event, which has the counts by state, the spend and a
                forecast of the end. An exception in it ends the run.
        """
        options = {
            "journal": journal,
            "download_to": download_to,
            "max_in_flight": max_in_flight,
            "spend_limit": spend_limit,
            "deadline": deadline,
            "retries": retries,
            "retry_categories": retry_categories,
            "retry_uncertain": retry_uncertain,
            "stop_after_failures": stop_after_failures,
            "keep_prompts": keep_prompts,
            "on_event": on_event,
        }
        return AsyncBatchRun(self._native, requests, options)

    # end of generated

    async def get(
        self,
        path: str,
        *,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> APIResponse:
        """Gets a path of the API for which this library has no call, such as `/v1/models?limit=10`.

        It has the client's key, rate limit, retries and errors. The path is one on the base URL: the key
        is not sent anywhere else.
        """
        options = (request_timeout, max_retries, headers)
        return await self._native.get(path, options)

    async def post(
        self,
        path: str,
        body: types.Any = None,
        *,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> APIResponse:
        """Posts JSON to a path of the API for which this library has no call.

        It is sent again only when the service certainly did not process it. It does not count towards the
        spend limit: `responses.create` creates generations.
        """
        options = (request_timeout, max_retries, headers)
        return await self._native.post(path, body, options)

    async def close(self) -> None:
        """Closes the client. New calls fail, and calls in progress end at once, a wait with an error that
        has the `generation_id`. Only a create that is being sent runs on to its response, which has the
        id of a generation that is billed."""
        self._native.close()

    async def __aenter__(self) -> types.Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        await self.close()


class AsyncEngines:
    """The catalogue of engines, models and rates."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.NativeClient) -> None:
        self._native = native

    async def list(
        self,
        *,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> EngineCatalog:
        """Lists the engines, their models and rates."""
        options = (request_timeout, max_retries, headers)
        return await self._native.engines(options)


class AsyncUsage:
    """The account's usage."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.NativeClient) -> None:
        self._native = native

    async def retrieve(
        self,
        *,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> AccountUsage:
        """Retrieves balance, totals, days and recent requests."""
        options = (request_timeout, max_retries, headers)
        return await self._native.usage(options)
