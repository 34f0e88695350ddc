"""An explanation of a config, for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.plan.explain import Explained
from lockgate.routing.explain import Event, Target, WhatIf

_WIDTH = 12


def write_explanation(explained: Explained) -> str:
    """Return the lines."""
    return "\n".join(_lines(explained))


def _lines(explained: Explained) -> Iterator[str]:
    version = "" if not explained.version else f", version {explained.version}"
    yield f"config {explained.config}{version}"
    yield ""
    if explained.target is None:
        yield _pair("refused", explained.refusal or "")
    else:
        yield from _target(explained.target)
        for choice in explained.choices:
            yield _pair("because", f"{choice.path}: {choice.because}")
    served = explained.served_by
    if served is not None and served.problem is None:
        who = f"@{served.slug} ({served.provider})" if served.slug else served.provider or ""
        yield _pair("served by", who + (f", model {served.model}" if served.model else ""))
    elif served is not None:
        yield _pair("not served", served.problem or "")
    for missing in explained.missing_providers:
        yield _pair("missing", missing)
    for warning in explained.warnings:
        yield _pair("warning", warning)
    if explained.what_if:
        yield ""
        yield "if every try ends with"
    for what_if in explained.what_if:
        yield from _what_if(what_if)


def _target(target: Target) -> Iterator[str]:
    name = f" ({target.name})" if target.name else ""
    yield _pair("target", f"{target.path}{name}, provider {target.provider}")
    if target.retries:
        codes = ", ".join(map(str, target.retry_codes))
        obeyed = "; waits as long as the provider asks" if target.uses_retry_after else ""
        yield _pair("retries", f"{target.retries} upon {codes}{obeyed}")
    if target.timeout_s is not None:
        yield _pair("timeout", f"{target.timeout_s:g} s for each try")
    if target.cache is not None:
        yield _pair("cache", target.cache)
    if target.custom_host is not None:
        yield _pair("host", target.custom_host)
    shaped = [
        *(f"sets {name}" for name in target.sets),
        *(f"adds {name} where it is missing" for name in target.defaults),
        *([f"cuts out {target.drops} path{'s' if target.drops > 1 else ''}"] if target.drops else []),
    ]
    if shaped:
        yield _pair("body", ", ".join(shaped))
    if target.has_breaker:
        yield _pair("circuit", "left out for a while when it keeps failing")


def _what_if(what_if: WhatIf) -> Iterator[str]:
    waited = f", {what_if.waited_s:g} s of waiting" if what_if.waited_s else ""
    yield f"  {what_if.failure}: {what_if.calls} {'try' if what_if.calls == 1 else 'tries'}{waited}"
    for event in what_if.events:
        yield f"    {_event(event)}"


def _event(event: Event) -> str:
    if event.ends:
        return f"end at {event.path}: {event.because}"
    wait = f"after {event.wait_s:g} s " if event.wait_s else ""
    return f"{wait}{event.path}: {event.because}"


def _pair(name: str, text: str) -> str:
    return f"{name:<{_WIDTH}}{text}"
