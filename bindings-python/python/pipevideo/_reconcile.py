"""What `reconcile` needs of an error."""

from __future__ import annotations

from .errors import InvalidRequestError, SubmissionUncertainError


def lost(error: SubmissionUncertainError) -> tuple[str, float]:
    """The model of the create whose answer was lost, and when it was sent, in Unix seconds."""
    if not isinstance(error, SubmissionUncertainError):
        raise TypeError(
            f"argument 'error' must be SubmissionUncertainError, not {type(error).__name__}"
        )
    if error.model is None or error.sent_at is None:
        raise InvalidRequestError("the error does not say which create was lost, or when.")
    return error.model, error.sent_at.timestamp()
