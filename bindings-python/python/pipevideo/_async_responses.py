"""The generations of the client for asyncio."""

from __future__ import annotations

from . import _hints as types
from . import _native
from ._files import is_file
from ._native import Generation, Update
from ._streams import AsyncVideoStream
from ._updates import AsyncUpdates
from ._values import Candidates, Progress
from .errors import SubmissionUncertainError


class AsyncResponses:
    """Generations: create, retrieve, wait, watch, download, stream, reconcile."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.NativeClient) -> None:
        self._native = native

    # generated: responses.create (by `cargo xtask generate`, from conformance/surface.json)
    async def create(
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
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> Generation:
        """Creates a generation and returns at once, while it is queued.

        It is sent again only when the service certainly did not process it. If its response is
        lost, the error's kind is `submission_uncertain`: call `reconcile` before you create
        another.

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
        call = self._native.create(request, options)
        # This frame lives as long as the call, and the input may hold megabytes.
        del request, input
        return await call

    # end of generated

    async def retrieve(
        self,
        id: str,
        *,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> Generation:
        """Retrieves a generation as it is now."""
        options = (request_timeout, max_retries, headers)
        return await self._native.retrieve(id, options)

    async def wait(
        self,
        id: Generation | str,
        *,
        deadline: types.Seconds | None = None,
        on_update: types.Callable[[Update], object] | None = None,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> Generation:
        """Waits until a generation has completed.

        It ends when the generation ends, at the deadline (by default the client's), or when you
        cancel it. A transient failure never ends it. `on_update` is called with each change, and
        in between with the estimated progress, so that a bar moves; an exception in it ends the wait.

        Raises `GenerationFailedError` if the generation fails, and `WaitTimeoutError` at the
        deadline. The generation continues then: call `wait` with its id again.
        """
        options = (request_timeout, max_retries, headers)
        return await self._native.wait(id, deadline, on_update, options)

    def watch(
        self,
        id: Generation | str,
        *,
        deadline: types.Seconds | None = None,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> AsyncUpdates:
        """Watches a generation: an async iterator over every change, the final one last.

        A generation that fails is not an error: the status of the last update is `failed`.
        """
        options = (request_timeout, max_retries, headers)
        return AsyncUpdates(self._native.watch(id, deadline, options))

    @types.overload
    async def download(
        self,
        generation: Generation | str,
        path: types.Path,
        *,
        max_bytes: int | None = None,
        on_progress: types.Callable[[Progress], object] | None = None,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> types.PathResult: ...

    @types.overload
    async def download(
        self,
        generation: Generation | str,
        path: types.BinaryFile,
        *,
        max_bytes: int | None = None,
        on_progress: types.Callable[[Progress], object] | None = None,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> None: ...

    async def download(
        self,
        generation: Generation | str,
        path: types.Path | types.BinaryFile,
        *,
        max_bytes: int | None = None,
        on_progress: types.Callable[[Progress], object] | None = None,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> types.PathResult | None:
        """Downloads the video of a generation, or of its id, to a file, and returns the file's path.

        The file appears when the download is complete. Until then the bytes are in `PATH.part`, and
        the next attempt resumes from them. A video of more than `max_bytes` (10 GiB) is not stored.

        In place of a path it takes a binary file: an object with `write`, such as an open file, a
        `BytesIO` or a socket's file. It is not closed, and None is returned. A broken connection is
        resumed then too, and the next attempt starts from the beginning.
        """
        options = (request_timeout, max_retries, headers)
        video = self._native.video(generation, options)
        if is_file(path):
            await AsyncVideoStream(video.chunks(max_bytes))._copy_to(path, on_progress)
            return None
        return await video.download(path, max_bytes, on_progress)

    def stream(
        self,
        generation: Generation | str,
        *,
        max_bytes: int | None = None,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> AsyncVideoStream:
        """Streams the video of a generation, or of its id: an async iterator over its bytes.

        Nothing is requested before the first chunk is, and nothing is received while the reader does
        something else. A broken connection is resumed where it stopped. A video of more than
        `max_bytes` (10 GiB) is an error.
        """
        options = (request_timeout, max_retries, headers)
        return AsyncVideoStream(self._native.video(generation, options).chunks(max_bytes))

    async def bytes(
        self,
        generation: Generation | str,
        *,
        max_bytes: int | None = None,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> types.bytes:
        """Receives the video of a generation, or of its id, into memory.

        A video of more than `max_bytes` (256 MiB) is an error.
        """
        options = (request_timeout, max_retries, headers)
        return await self._native.video(generation, options).bytes(max_bytes)

    async def reconcile(
        self,
        error: SubmissionUncertainError | None = None,
        *,
        model: str | None = None,
        sent_at: types.Instant | None = None,
        request_timeout: types.Seconds | None = None,
        max_retries: int | None = None,
        headers: types.Mapping[str, str] | None = None,
    ) -> Candidates:
        """Finds the generations that an uncertain create may have made, the most likely one first.

        `error` is the error that the create raised; it may have been pickled, or written as JSON, in
        between. In its place, `model` and `sent_at` (an aware datetime, or Unix seconds) say which
        create was lost, such as one of a process that was killed.
        """
        from ._reconcile import lost_create

        options = (request_timeout, max_retries, headers)
        return await self._native.reconcile(*lost_create(error, model, sent_at), options)
