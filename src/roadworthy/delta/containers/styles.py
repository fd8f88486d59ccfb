"""Which encoder made a deflate stream: the rules that the maker tries.

The numbers per level are those that zlib and gzip document for their levels 1 to 9.
"""

from collections.abc import Callable

from roadworthy.delta.containers.recipe import Rule

__all__ = ["GZIP_RULES", "ZLIB_RULES", "best_rule"]

_LEVELS = {
    9: (32, 258, 258, 4096),
    6: (8, 16, 128, 128),
    8: (32, 128, 258, 1024),
    7: (8, 32, 128, 256),
    5: (8, 16, 32, 32),
    4: (4, 4, 16, 16),
    1: (4, 4, 8, 4),
    2: (4, 5, 16, 8),
    3: (4, 6, 32, 32),
}
_FAST = 3
_GOOD_ENOUGH_BYTES = 24


def _zlib(level: int, memory: int) -> Rule:
    return (int(level <= _FAST), 0, memory + 7, 15, *_LEVELS[level], (64 << memory) - 1)


def _gzip(level: int) -> Rule:
    return (int(level <= _FAST), int(level >= _FAST), 15, 15, *_LEVELS[level], 32767)


ZLIB_RULES = (*(_zlib(level, 8) for level in _LEVELS), _zlib(9, 9), _zlib(6, 9))
GZIP_RULES = tuple(_gzip(level) for level in _LEVELS)


def best_rule(rules: tuple[Rule, ...], cost: Callable[[Rule], int]) -> Rule:
    """Return the rule with the lowest cost, the first one that costs next to nothing."""
    best, least = rules[0], cost(rules[0])
    for rule in rules[1:]:
        if least <= _GOOD_ENOUGH_BYTES:
            break
        price = cost(rule)
        if price < least:
            best, least = rule, price
    return best
