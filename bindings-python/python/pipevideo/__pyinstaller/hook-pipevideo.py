"""What PyInstaller cannot find by reading imports: what the native module imports."""

from PyInstaller.utils.hooks import collect_submodules  # type: ignore[import-untyped, unused-ignore]

# `_pydantic` imports pydantic, the plugin pytest, and so on: a program that has them imports them, and
# `pipevideo.opentelemetry` and `pipevideo.notebook` by itself.
LEFT_OUT = (
    "pipevideo.__pyinstaller",
    "pipevideo.pytest_plugin",
    "pipevideo._pydantic",
    "pipevideo._otel",
    "pipevideo.opentelemetry",
    "pipevideo.notebook",
)
# `to_frame` imports them, for a program that has them.
excludedimports = ["pandas", "polars"]
hiddenimports = collect_submodules("pipevideo", filter=lambda name: not name.startswith(LEFT_OUT))
hiddenimports += ["asyncio", "datetime", "decimal", "logging", "pathlib"]
