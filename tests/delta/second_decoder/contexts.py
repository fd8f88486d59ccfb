"""What a byte that is not as predicted depends on ("Literals")."""

from dataclasses import dataclass, field

from tests.delta.second_decoder import instructions as isa
from tests.delta.second_decoder.coder import U32, hash_of
from tests.delta.second_decoder.flow import Flow, Guess

NOTHING = 256
ONLY_RUNS = {4, 5, 6, 7, 9, 12, 13}
RUNS_IF_SMALL = {2, 3, 8, 11, 14}
RUNS_BESIDE = {2, 10}


@dataclass
class Scene:
    lane: int
    expected: int
    confidence: int
    covered: int = 0
    base: int = 0
    start: int = 0
    predicted: int = NOTHING
    other: int = 0
    word: int = 0
    around: int = 0
    kind: int = 0
    pool: int = 0
    guesses: list[Guess | None] = field(default_factory=list)

    @property
    def tag(self) -> int:
        return self.kind << 3 | (self.other != self.predicted) << 2 | self.lane

    @property
    def may_drift(self) -> bool:
        return self.covered == 1 and self.kind == 0

    @property
    def place(self) -> int:
        """Lane, of a pool or not."""
        return self.lane + (4 if self.pool else 0)


@dataclass
class Latest:
    """The bytes before: in their order, as halfwords, as instructions."""

    order: int
    misses: int
    flags: int
    flow: Flow
    instruction_set: int

    def halfwords(self, lane: int) -> tuple[int, list[int]]:
        order = self.order >> 8 * (lane & 1)
        halves = [(order >> 16 * i & 255) << 8 | order >> 16 * i + 8 & 255 for i in range(3)]
        return (self.order & 255 if lane & 1 else 256), halves


def contexts_of(latest: Latest, s: Scene) -> list[int]:
    o, older = latest.order & U32, latest.order >> 32
    begun, (h0, h1, h2) = latest.halfwords(s.lane)
    in_pool, place = int(s.pool > 0), s.place
    within = o & (1 << 8 * s.lane) - 1
    contexts = [
        hash_of(0x20 + s.tag + 256 * in_pool, s.predicted),
        hash_of(0x22 + s.covered + 256 * in_pool, o & 0xFF),
        hash_of(0x23, o & 0xFFFF),
        hash_of(0x28, s.expected << 8 | s.confidence),
        hash_of(0x21 + (place << 8) + within * 4096 & U32, s.word if s.covered else older & 0xFF),
        hash_of(0x24, o & 0xFFFFFF),
        hash_of(0x25, o),
        hash_of(0x26 + (older & 0xFFFF), o),
        hash_of(0x27, o & 0xFF00),
        hash_of(0x29 + place, o >> 24),
        hash_of(0x2A + place + 16 * begun, latest.flow.wide),
        hash_of(0x2B, place << 16 | o & 0xFF00FF00),
        hash_of(0x43, begun << 16 | h0 >> 11 << 10 | h1 >> 11 << 5 | h2 >> 11),
        hash_of(0x45, begun << 16 | h1),
        hash_of(0x48, begun << 16 | (h0 & 7) << 8 | (h0 >> 3 & 7) << 4 | h1 & 7),
    ]
    if s.covered:
        cover_contexts(latest, s, contexts)
    elif latest.instruction_set == isa.THUMB:
        flow_contexts(latest.flow, s, place + 16 * begun, h1, contexts)
    return contexts


def flow_contexts(flow: Flow, s: Scene, place: int, h1: int, contexts: list[int]) -> None:
    operation, last = flow.operations & 0xFF, flow.last
    wide = int(last >> 16 != 0)
    contexts[6] = hash_of(0x62 + place, h1 & 0xFF if s.pool else operation | (last >> 6 & 7) << 8)
    contexts[7] = hash_of(0x63 + place, s.pool or last >> 11)
    contexts[11] = hash_of(0x60 + place, operation | (last & 7) << 8 | wide << 11)
    contexts[14] = hash_of(0x61 + place, flow.operations & 0xFFFF)


def cover_contexts(latest: Latest, s: Scene, contexts: list[int]) -> None:
    p, miss = s.predicted, latest.misses & 255
    last = miss << 1 | latest.flags & 1 if s.lane > 0 else 0
    contexts[8] = hash_of(0x27, (p + miss & 255) << 8 | s.tag)
    contexts[10] = hash_of(0x2C + s.tag, s.other << 8 | p)
    contexts += [
        hash_of(0x2E, p << 8 | latest.order & 0xFF),
        hash_of(0x2D + s.tag, p << 16 | last),
    ]


def sets_of(latest: Latest, s: Scene, node: int, done: int) -> tuple[int, ...]:
    """Weight sets of a bit of which `done` are before it."""
    hinted = s.expected < NOTHING and (s.expected | 256) >> 8 - done == node
    odd, o = s.lane & 1, latest.order
    code = not s.covered and latest.instruction_set == isa.THUMB
    first = 128 + done + 8 * (1 + s.kind if s.covered else s.place if code else 0)
    second = 200 + (1 + s.confidence // 3 if hinted else 0) + 4 * s.lane + 16 * s.covered
    if s.guesses and s.guesses[0] is not None:
        second = 240 + s.guesses[0].kind
    if code:
        last = 768 + (o >> 3 & 31) + 32 * s.place + 256 * (done > 3)
    else:
        last = 768 + (256 + 32 * done + (o >> 11 & 31) if odd else o & 255)
    return first, second, 256 + 256 * odd + node, last
