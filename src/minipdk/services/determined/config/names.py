"""Names for experiments whose configuration has none, in the form of Determined's: Experiment (mildly-clever-otter)."""

from __future__ import annotations

import secrets

ADVERBS = (
    "barely briefly calmly duly fairly freely gently gladly hardly highly mildly nearly neatly openly purely really safely"
)
ADJECTIVES = (
    "able brave bright calm clever eager fair gentle happy keen lively loyal merry neat patient proud quick quiet ready"
)
ANIMALS = (
    "badger beaver bison crane falcon ferret finch gecko heron ibex lynx marten moose newt osprey otter panda raven seal"
)


def random_name() -> str:
    words = (secrets.choice(words.split()) for words in (ADVERBS, ADJECTIVES, ANIMALS))
    return f"Experiment ({'-'.join(words)})"
