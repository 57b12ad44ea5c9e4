"""Retries by tenacity that never pay twice.

    pip install tenacity
    python examples/python/retries_tenacity.py "A cat walking on a beach"

An error's `retryable` says whether the same call, made again, may succeed and cannot be charged twice. A rule
such as "retry every exception" pays again for a lost response, a deadline and a failed generation.
"""

from __future__ import annotations

import sys

import tenacity

from pipevideo import Generation, Pipevideo, PipevideoError, SubmissionUncertainError
from service import service

MODEL = "moonshotai/kimi-k2.5"

safely = tenacity.retry(
    retry=tenacity.retry_if_exception(
        lambda error: isinstance(error, PipevideoError) and error.retryable
    ),
    wait=tenacity.wait_exponential_jitter(initial=1, max=60),
    stop=tenacity.stop_after_attempt(5),
    reraise=True,
)


@safely
def create(client: Pipevideo, prompt: str) -> str:
    """Returns the id of a new generation."""
    try:
        return client.responses.create(model=MODEL, input=prompt).id
    except SubmissionUncertainError as error:
        # It may have made one, which is paid for. Without an id, `client.responses.reconcile(error)` lists
        # the candidates.
        if error.generation_id is None:
            raise
        return error.generation_id


@safely
def wait(client: Pipevideo, id: str) -> Generation:
    """Waits for a generation: the id is all that it needs, so it may be called as often as you like."""
    return client.responses.wait(id)


def main() -> None:
    prompt = sys.argv[1] if len(sys.argv) > 1 else "A cat walking on a beach"
    with service() as options, Pipevideo(**options) as client:
        id = create(client, prompt)
        print(id, wait(client, id).status)


if __name__ == "__main__":
    main()
