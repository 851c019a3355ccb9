"""The one exception for what a user can mend."""

from __future__ import annotations


class UserError(Exception):
    """Bad input, said in one sentence: what is wrong, where, and what to do."""
