"""Reads from the arguments of `reconcile` what it searches for."""

from __future__ import annotations

from . import _hints as types
from .errors import InvalidRequestError, SubmissionUncertainError


def lost_create(
    error: SubmissionUncertainError | None, model: str | None, sent_at: types.Instant | None
) -> tuple[str, types.Instant, str | None]:
    """Returns the model of the create, when it was sent, and the id if one is known."""
    id = None
    if error is not None:
        if not isinstance(error, SubmissionUncertainError):
            raise TypeError(
                f"argument 'error' must be SubmissionUncertainError, not {type(error).__name__}"
            )
        if model is not None or sent_at is not None:
            raise TypeError("reconcile takes the error, or model and sent_at, and not both")
        model, sent_at, id = error.model, error.sent_at, error.generation_id
    if model is None or sent_at is None:
        raise InvalidRequestError(
            "there is nothing to search for without a model and the time of sending. Pass the "
            "SubmissionUncertainError that the create raised, or both model and sent_at."
        )
    return model, sent_at, id
