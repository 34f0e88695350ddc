"""The tables are compared with the types of the installed SDK, so that they cannot drift apart unseen."""

import importlib
import pkgutil
from typing import Required, get_origin, get_type_hints

import openai.types.chat
import openai.types.shared_params
import pytest

from lockgate.simulator.openai import shapes
from lockgate.simulator.shapes import Shape, Tagged

# Beyond the SDK's types: replayed answers carry annotations; ``stream`` stands in the two halves of the union.
BEYOND = {
    "CompletionCreateParamsBase": {"stream"},
    "ChatCompletionAssistantMessageParam": {"annotations"},
    "ChatCompletionToolMessageParam": {"name"},  # older guides show it, and clients still send it
}


def all_shapes():
    found, seen = {}, set()

    def visit(check):
        if id(check) in seen:
            return
        seen.add(id(check))
        if isinstance(check, Shape):
            if check.source:
                found.setdefault(check.source, check)
            for field in check.fields.values():
                visit(field.check)
        elif isinstance(check, Tagged):
            for variant in check.variants.values():
                visit(variant.shape)
        else:
            for cell in getattr(check, "__closure__", None) or ():
                value = cell.cell_contents
                for inner in value.values() if isinstance(value, dict) else [value]:
                    if callable(inner):
                        visit(inner)

    visit(shapes.CREATE)
    return found


def sdk_types():
    found = {}
    for package in (openai.types.chat, openai.types.shared_params):
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.endswith(("_param", "_params")) or "shared_params" in package.__name__:
                for name, value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).items():
                    if hasattr(value, "__required_keys__"):
                        found.setdefault(name, []).append(value)
    return found


OURS = all_shapes()
SDK = sdk_types()


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_shape_is_that_of_the_sdk(name):
    ours = set(OURS[name].fields) - BEYOND.get(name, set()), set(OURS[name].required)
    sdk = []
    for source in SDK[name]:
        hints = get_type_hints(source, include_extras=True)
        sdk.append((set(hints), {key for key, hint in hints.items() if get_origin(hint) is Required}))
    assert ours in sdk


def test_most_of_the_sdk_is_covered():
    assert len(OURS) > 35
