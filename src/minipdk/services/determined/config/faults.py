"""The sentences for faults of a configuration: the key's full path, the expected value, the nearest right name."""

from __future__ import annotations

import difflib
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError


def unsupported(feature: str = "") -> PydanticCustomError:
    """The fault of a setting that Determined has and this master does not honour; ``feature`` is the use that is refused."""
    return PydanticCustomError("unsupported", "{feature}", {"feature": feature})


def describe(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """One sentence for each fault of a configuration that ``root`` refused."""
    return [_sentence(fault, root) for fault in error.errors(include_url=False)]


def _sentence(fault: ErrorDetails, root: type[BaseModel]) -> str:
    path, given = _path(fault["loc"]), fault["input"]
    match fault["type"]:
        case "extra_forbidden":
            sentence = f"unknown key {path}{_suggestion(fault['loc'], root)}"
        case "missing":
            sentence = f"{path} is required"
        case "unsupported":
            named = f"{path}: {given}" if isinstance(given, str) else path
            feature = fault["ctx"]["feature"]
            sentence = f"{f'{path}: {feature}' if feature else named} is not supported by minipdk"
        case "literal_error":
            allowed = fault["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
            close = difflib.get_close_matches(str(given), allowed.split(", "), 1)
            sentence = f"{path}: {given!r} is not one of {allowed}" + (f"; did you mean {close[0]}?" if close else "")
        case "value_error":
            sentence = f"{path}: {fault['ctx']['error']}"
        case "model_type" | "dict_type":
            sentence = f"{path} must be a mapping of settings, not {given!r}"
        case _:
            sentence = f"{path}: {fault['msg'].replace('Input ', '')}, not {given!r}"
    return sentence


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part.startswith(("list[", "dict[", "str", "function-")):  # the branch of a union, not a key
            text += f".{part}" if text else part
    return text


def _suggestion(location: tuple[int | str, ...], root: type[BaseModel]) -> str:
    section: type[BaseModel] | None = root
    for part in location[:-1]:
        if section is not None and isinstance(part, str):
            field = section.model_fields.get(part)
            section = _section(field.annotation) if field else None
    if section is None:
        return ""
    close = difflib.get_close_matches(str(location[-1]), list(section.model_fields), 1)
    if close:
        return f"; did you mean {_path((*location[:-1], close[0]))}?"
    return f"; known here: {', '.join(sorted(section.model_fields))}" if len(location) > 1 else ""


def _section(annotation: Any) -> type[BaseModel] | None:
    """The mapping that a field's type holds, through Optional and lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is Literal:
        return None
    sections = (_section(argument) for argument in get_args(annotation))
    return next((section for section in sections if section), None)
