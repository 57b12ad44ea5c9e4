"""Client for Pipevideo's video generation API.

    import pipevideo

    with pipevideo.Pipevideo() as client:
        generation = client.generate(
            model="moonshotai/kimi-k2.5", input="A cat walking on a beach"
        )
        client.responses.download(generation, "cat.mp4")

The key comes from `PIPEVIDEO_API_KEY`, unless `api_key` is given. `AsyncPipevideo` has the same methods
for asyncio.

- A create is sent again only when the service certainly did not process it.
- All calls of a process with the same key share its rate limit.
- A wait ends when the generation ends, at its deadline, or when you cancel it.
- A generation's `id` is all that another process needs to continue: `client.responses.wait(id)`.

`pipevideo.testing` has an emulator of the service, to try the package without a key.
"""

from __future__ import annotations

import atexit as _atexit
import os as _os

from . import _interpreter as _interpreter
from . import _native
from ._async_client import AsyncEngines, AsyncPipevideo, AsyncUsage
from ._async_responses import AsyncResponses
from ._batch import AsyncBatchRun, BatchRun, read_journal, write_report
from ._batch_values import BatchCounts, BatchEvent, BatchItem, BatchSummary
from ._client import Engines, Pipevideo, Usage
from ._frame import to_frame
from ._handle import GenerationHandle
from ._native import (
    Generation,
    GenerationError,
    Part,
    TokenUsage,
    Update,
    Webhook,
    WebhookEvent,
    __version__,
    image,
    text,
    video,
)
from ._responses import Responses
from ._streams import AsyncVideoStream, VideoStream
from ._updates import AsyncUpdates, Updates
from ._values import (
    APIResponse,
    AccountUsage,
    Candidate,
    Candidates,
    CostEstimate,
    DailyRoutes,
    DailyUsage,
    Engine,
    EngineCatalog,
    EngineModel,
    Progress,
    RecentRequest,
    RouteUsage,
    Spend,
    UsageTotals,
)
from ._webhooks import Webhooks

# generated: error imports (by `cargo xtask generate`, from conformance/surface.json)
from .errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    DownloadError,
    GenerationFailedError,
    InsufficientCreditsError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    PipevideoError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    SpendLimitError,
    SubmissionUncertainError,
    WaitTimeoutError,
    WebhookVerificationError,
)
# end of generated

__all__ = [
    "APIResponse",
    "AccountUsage",
    "AsyncBatchRun",
    "AsyncEngines",
    "AsyncPipevideo",
    "AsyncResponses",
    "AsyncUpdates",
    "AsyncUsage",
    "AsyncVideoStream",
    "BatchCounts",
    "BatchEvent",
    "BatchItem",
    "BatchRun",
    "BatchSummary",
    "Candidate",
    "Candidates",
    "CostEstimate",
    "DailyRoutes",
    "DailyUsage",
    "Engine",
    "EngineCatalog",
    "EngineModel",
    "Engines",
    "Generation",
    "GenerationError",
    "GenerationHandle",
    "Part",
    "Pipevideo",
    "Progress",
    "RecentRequest",
    "Responses",
    "RouteUsage",
    "Spend",
    "TokenUsage",
    "Update",
    "Updates",
    "Usage",
    "UsageTotals",
    "VideoStream",
    "Webhook",
    "WebhookEvent",
    "Webhooks",
    "__version__",
    "image",
    "read_journal",
    "text",
    "to_frame",
    "video",
    "write_report",
]
# generated: error names (by `cargo xtask generate`, from conformance/surface.json)
__all__ += [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "DownloadError",
    "GenerationFailedError",
    "InsufficientCreditsError",
    "InternalError",
    "InvalidRequestError",
    "NotFoundError",
    "PermissionDeniedError",
    "PipevideoError",
    "RateLimitError",
    "ResponseDecodeError",
    "ServerError",
    "SpendLimitError",
    "SubmissionUncertainError",
    "WaitTimeoutError",
    "WebhookVerificationError",
]
# end of generated

# A forked child has none of its parent's threads, so it makes a runtime and connections of its own.
# Windows and some builds of Python have no fork.
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(
        before=_native._before_fork,
        after_in_parent=_native._after_fork_in_parent,
        after_in_child=_native._after_fork_in_child,
    )

# A thread that returns from a blocking call while the interpreter exits would crash it: this keeps such
# threads out.
_atexit.register(_native._at_exit)
