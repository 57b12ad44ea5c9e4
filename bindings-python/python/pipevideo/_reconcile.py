"""Reads from a `SubmissionUncertainError` what `reconcile` searches for."""

from __future__ import annotations

from .errors import InvalidRequestError, SubmissionUncertainError


def lost_create(error: SubmissionUncertainError) -> tuple[str, float, str | None]:
    """Returns the model of the create, when it was sent, in Unix seconds, and the id if one is known."""
    if not isinstance(error, SubmissionUncertainError):
        raise TypeError(
            f"argument 'error' must be SubmissionUncertainError, not {type(error).__name__}"
        )
    if error.model is None or error.sent_at is None:
        raise InvalidRequestError("the error has no model or no sent_at, so there is nothing to search for. Pass the "
            "SubmissionUncertainError that the create raised.")
    return error.model, error.sent_at.timestamp(), error.generation_id
