"""The types that annotations name, as attributes that are imported when an annotation is evaluated.

Annotations are strings here, so importing the package does not evaluate them. `typing.get_type_hints`,
pydantic and FastAPI do, and then this module imports `_types`, and with it `typing`, `datetime`,
`decimal` and `pathlib`. Importing those with the package would take ten times as long as the rest of it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._types import *  # noqa: F403
else:

    def overload(function):
        """In place of `typing.overload`, which would be imported with the package."""
        return function

    def __getattr__(name: str) -> object:
        from . import _types

        return getattr(_types, name)
