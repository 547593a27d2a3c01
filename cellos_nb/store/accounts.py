"""Who acts: the name of a person, and the account that the process runs in."""

from __future__ import annotations

import getpass
import os

HUB_USER = "JUPYTERHUB_USER"
"""Where JupyterHub says whose server this is."""
UNKNOWN = "unknown"


def person() -> str:
    """Who uses this process: by the name that JupyterHub knows, or the login name."""
    hub = os.environ.get(HUB_USER, "").strip()
    if hub:
        return hub
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # which of them depends on the Python and the system
        return UNKNOWN  # a container without a user entry


def account() -> str:
    """The account that this process runs in: `jupyterhub:NAME`, or `system:NAME` as the system itself says it.

    Beside a name that a person gave, it says from where it was given.
    """
    hub = os.environ.get(HUB_USER, "").strip()
    return f"jupyterhub:{hub}" if hub else f"system:{_system_name()}"


def _system_name() -> str:
    """By number, not by an environment variable that anybody may set."""
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except ImportError:  # a system without such a list
        return person()
    except KeyError:  # a number without a name, as containers have
        return f"uid {os.geteuid()}"
