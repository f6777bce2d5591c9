#!/bin/sh
# Print the path of a Python that can run Concierge: 3.12 to 3.14, able to make a virtual environment.
#
# A name on PATH proves nothing (pyenv leaves shims for versions that are not switched on), so every
# candidate is run. PYTHON goes first, then what is on PATH, then what pyenv and uv keep beside it.
set -u

# Runs under any Python back to 2.7. Prints the interpreter beneath a virtual environment, so that
# an activated .venv can be made again.
check='
import sys
version = "%d.%d.%d" % sys.version_info[:3]
if not (3, 12) <= sys.version_info[:2] < (3, 15):
    sys.exit("is Python " + version)
if sys.implementation.name != "cpython" or sys.version_info[3] != "final" or "free-threading" in sys.version:
    sys.exit("is no ordinary release of CPython: " + sys.version.replace(chr(10), " "))
try:
    import ensurepip, sqlite3, ssl, venv
except ImportError as error:
    sys.exit("is Python %s, but: %s" % (version, error))
print(getattr(sys, "_base_executable", None) or sys.executable)
'
tried=''

accept() { # accept CANDIDATE: if it fits, print it and stop looking
    found=$(command -v "$1" 2>/dev/null) || return 0
    if answer=$("$found" -c "$check" 2>&1); then
        printf '%s\n' "$answer"
        exit 0
    fi
    tried="$tried
  $found $(printf '%s\n' "${answer:-does not start}" | head -n 1)"
}

newest_first() { # newest_first FOLDER PATTERN: the names in FOLDER that match, by version
    [ -d "$1" ] && (cd "$1" && ls -d $2 2>/dev/null) | sort -t . -k 2,2nr -k 3,3nr
}

if [ -n "${PYTHON:-}" ]; then
    accept "$PYTHON"
    echo "PYTHON=$PYTHON does not fit; looking for another one.${tried:-"
  $PYTHON is not a command"}" >&2
fi

for name in python3.14 python3.13 python3.12 python3 python; do
    accept "$name"
done

pyenv=${PYENV_ROOT:-${HOME:-}/.pyenv}/versions
for version in $(newest_first "$pyenv" '3.1[234].*'); do
    accept "$pyenv/$version/bin/python"
done

uv=${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-${HOME:-}/.local/share}/uv/python}
for version in $(newest_first "$uv" 'cpython-3.1[234].*'); do
    accept "$uv/$version/bin/python3"
done

cat >&2 <<END
Concierge needs Python 3.12, 3.13 or 3.14 with its venv module, and found none.
Tried:${tried:-" no Python at all"}

Install one, then run the same command again:
  Debian 13, Ubuntu 24.04 or later:  sudo apt install python3 python3-venv
  macOS with Homebrew:               brew install python@3.13
  pyenv:                             pyenv install 3.13
  uv:                                uv python install 3.13
If you have one elsewhere, name it:  make serve PYTHON=/path/to/python3.13
END
exit 1
