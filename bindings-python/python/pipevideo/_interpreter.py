"""Refuses the import in a subinterpreter, before the native module is imported.

The native module has one runtime and one set of classes in a process, which belong to the main
interpreter.
"""

from __future__ import annotations


def _is_main() -> bool:
    try:
        import _interpreters as interpreters  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        try:
            # Its name before Python 3.13.
            import _xxsubinterpreters as interpreters  # type: ignore[import-not-found, no-redef, unused-ignore]
        except ImportError:
            return True
    return bool(interpreters.get_current() == interpreters.get_main())


if not _is_main():
    raise ImportError(
        "pipevideo cannot be imported in a subinterpreter. Import it in the main interpreter; under "
        "mod_wsgi, set WSGIApplicationGroup %{GLOBAL}."
    )
