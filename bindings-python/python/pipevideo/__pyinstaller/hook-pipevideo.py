"""What PyInstaller cannot find by reading imports: what the native module imports."""

from PyInstaller.utils.hooks import collect_submodules  # type: ignore[import-untyped, unused-ignore]

# `_pydantic` imports pydantic, and the plugin imports pytest: a program that has them imports them.
LEFT_OUT = ("pipevideo.__pyinstaller", "pipevideo.pytest_plugin", "pipevideo._pydantic")
hiddenimports = collect_submodules("pipevideo", filter=lambda name: not name.startswith(LEFT_OUT))
hiddenimports += ["asyncio", "datetime", "decimal", "logging", "pathlib"]
