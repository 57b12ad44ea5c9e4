#!/usr/bin/env bash
# Installs the Python package into a new environment, and makes a video by an example and one by the command,
# both with the package's own emulator.
#
#   try-python.sh PYTHON EXAMPLE ARGUMENT…
#
# PYTHON: the command. EXAMPLE: hello.py. ARGUMENT: what `pip install` takes, such as a wheel. Run it in an
# empty folder: it leaves there the environment and the video.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
python=$1 example=$2
shift 2

"$python" -m venv environment
programs=environment/bin
[ -d "$programs" ] || programs=environment/Scripts
"$programs/python" -m pip install --quiet --disable-pip-version-check "$@"
"$programs/python" -m pip check
"$programs/python" -W error "$example"
"$programs/python" -c 'import pipevideo; print("pipevideo", pipevideo.__version__)'
"$programs/pipevideo" --emulator generate "A cat" --model moonshotai/kimi-k2.5 --output command.mp4
# What they made is a video: bytes 4 to 8 of an MP4 are its type.
for video in hello.mp4 command.mp4; do
  [ "$(head -c 8 "$video" | tail -c 4)" = ftyp ]
done
