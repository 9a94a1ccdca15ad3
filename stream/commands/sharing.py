"""Sharing: options that several command lines have in common are written once, and what they say arrives as one argument."""

from collections.abc import Callable
from inspect import Parameter, Signature, signature


def sharing(run: Callable[..., None], command: Callable[..., None], argument: str) -> Callable[..., None]:
    """`run` as the command line of `command`: with its options, but for `argument`, and after them those of `run` itself."""
    mine, shared = signature(command).parameters, signature(run).parameters
    kept = [it for it in mine.values() if it.name != argument]
    added = [it for it in shared.values() if it.kind is Parameter.KEYWORD_ONLY]
    run.__signature__ = Signature([*kept, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {it.name: it.annotation for it in (*kept, *added)}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run
