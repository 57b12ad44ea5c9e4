"""Makes python/pipevideo/_native.pyi from the native module itself.

    python bindings-python/stubs.py           # writes it
    python bindings-python/stubs.py --check   # fails if it is not as it would be written

It needs maturin. Signatures and docs are those in src/*.rs; names that the annotations there use are
imported here, since the generator does not know where they are from.
"""

from __future__ import annotations

import difflib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
STUB = HERE / "python/pipevideo/_native.pyi"
IMPORTS = {
    "._options": ["Detail", "Media", "Path", "Pending", "Seconds", "Via"],
    "._values": ["AccountUsage", "EngineCatalog", "Progress", "RecentRequest"],
    "._webhooks": ["Body", "Headers", "Instant"],
    "collections.abc": ["Callable", "Mapping", "Sequence"],
    "pathlib": ["Path as PathResult"],
}


def generated() -> str:
    """What maturin makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["generate-stubs", "--features", "stubs", "--out", folder]
        manifest = ["--manifest-path", str(HERE / "Cargo.toml")]
        subprocess.run([sys.executable, "-m", "maturin", *command, *manifest], check=True)
        (stub,) = Path(folder).rglob("_native.pyi")
        return stub.read_text()


def finished(stub: str) -> str:
    """With the imports that it lacks, and without what a stub does not need."""
    for module, names in reversed(IMPORTS.items()):
        own = module.replace("._", "pipevideo._")
        # The annotations that the native module resolves itself are imported already.
        stub = re.sub(rf"^from {re.escape(own)} import .*\n", "", stub, flags=re.M)
        stub = f"from {module} import {', '.join(names)}\n{stub}"
    stub = stub.replace("from pipevideo.", "from .")
    # Annotations come as texts, docs with lines of their own for their quotes.
    stub = re.sub(r'(: |-> )"([^"\n]+)"', r"\1\2", stub)
    stub = re.sub(r'(:\n +""")\n +(.*)\n +"""', r'\1\2"""', stub)
    return f'"""What `pipevideo` stands on. Made by stubs.py: do not edit."""\n\n{stub}'


def main() -> int:
    made = finished(generated())
    if sys.argv[1:] == ["--check"]:
        there = STUB.read_text()
        names = {"fromfile": str(STUB), "tofile": "as it would be made"}
        lines = difflib.unified_diff(there.splitlines(), made.splitlines(), **names, lineterm="")
        print("\n".join(lines))
        return int(there != made)
    STUB.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
