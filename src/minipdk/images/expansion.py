"""Split a Dockerfile line into words and expand its variables, as in Docker's reference ("Environment replacement").

``$name``, ``${name}``, ``${name-word}``, ``${name+word}``, ``${name?word}`` and their forms with a colon, which treat empty
as unset. Single quotes keep everything; double quotes keep blanks; the escape character keeps the next character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#]")
_OPERATOR = re.compile(r":?[-+?]")


class ExpansionError(ValueError):
    """A quote or a brace is not closed, or a required variable is not set."""


def split(text: str, escape: str = "\\") -> list[str]:
    """The blank-separated words of ``text``, quotes and escapes still in them."""
    words, word, quote, position = [], "", "", 0
    while position < len(text):
        character = text[position]
        if character == escape and quote != "'" and position + 1 < len(text):
            word += text[position : position + 2]
            position += 2
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character.isspace():
            if word:
                words.append(word)
            word = ""
            position += 1
            continue
        word += character
        position += 1
    if quote:
        raise ExpansionError(f"the quote {quote} is not closed")
    return [*words, word] if word else words


def expand(word: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """``word`` with its variables replaced and its quotes and escapes removed."""
    result, rest = _expand(word, variables, escape, "")
    assert not rest
    return result


def expand_variables(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """``text`` with its variables replaced and everything else, quotes included, left as it is: for inline files."""
    result = ""
    while text:
        plain, dollar, rest = text.partition("$")
        if plain.endswith(escape):
            result, text = result + plain.removesuffix(escape) + dollar, rest
            continue
        value, text = _variable(rest, variables, escape) if dollar else ("", "")
        result += plain + value
    return result


def _expand(text: str, variables: Mapping[str, str], escape: str, end: str) -> tuple[str, str]:
    """Expand ``text`` up to an unquoted ``end``; return the expansion and the text after that end."""
    result, quote, position = "", "", 0
    while position < len(text):
        character = text[position]
        if character == end and not quote:
            return result, text[position + 1 :]
        if quote == "'" and character != "'":
            result += character
        elif character == escape and position + 1 < len(text):
            position += 1
            keeps_escape = quote == '"' and text[position] not in f'"${escape}'
            result += escape * keeps_escape + text[position]
        elif character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        elif character == "$":
            value, text = _variable(text[position + 1 :], variables, escape)
            result, position = result + value, -1
        else:
            result += character
        position += 1
    if quote or end:
        raise ExpansionError(f"the quote {quote} is not closed" if quote else f"{end} is missing")
    return result, ""


def _variable(text: str, variables: Mapping[str, str], escape: str) -> tuple[str, str]:
    """The value of the variable at the start of ``text``, which followed a $, and the text after it."""
    braced = text.startswith("{")
    match = _NAME.match(text, 1 if braced else 0)
    if match is None:
        if braced:
            raise ExpansionError(f"${text} is not a variable")
        return "$", text
    value, rest = variables.get(match[0]), text[match.end() :]
    if not braced:
        return value or "", rest
    if rest.startswith("}"):
        return value or "", rest[1:]
    operator = _OPERATOR.match(rest)
    if operator is None:
        raise ExpansionError(f"unsupported form of ${{{match[0]}...}}: use -, + or ? after the name, or close the brace")
    word, rest = _expand(rest[operator.end() :], variables, escape, "}")
    is_set = bool(value) if operator[0].startswith(":") else value is not None
    if operator[0].endswith("+"):
        return (word if is_set else ""), rest
    if operator[0].endswith("?") and not is_set:
        raise ExpansionError(f"{match[0]} is not set: {word or 'it is required'}")
    return (value or "" if is_set else word), rest
