"""How bytes under a cover changed ("Drift")."""

from tests.delta.second_decoder.coder import STRETCH

LISTS = 6
KEPT = 16
SHARES = {-2: 1, -1: 2, 0: 8, 1: 2, 2: 1}
DOUBT = 8


class Drift:
    def __init__(self) -> None:
        self.lists: list[list[int]] = [[] for _ in range(LISTS)]
        self.here = 0
        self.carry = 0
        self.same = 0

    def begin(self, lane: int, flags: int) -> None:
        self.here = 3 + self.carry if self.carry else (lane & 1) * 2 + (1 - flags & 1)

    @property
    def latest(self) -> int:
        return self.lists[self.here][0] if self.lists[self.here] else 0

    def hint(self, predicted: int, node: int, bit: int) -> int:
        weights = [DOUBT, DOUBT]
        latest = self.lists[self.here]
        likely = [(difference, KEPT - age) for age, difference in enumerate(latest)]
        if len(latest) > 1:
            likely.append((2 * latest[0] - latest[1], KEPT))
        for difference, times in likely:
            for off, share in SHARES.items():
                byte = predicted + difference + off & 255
                if byte != predicted and (byte | 256) >> bit + 1 == node:
                    weights[byte >> bit & 1] += share * times
        if weights[0] == weights[1]:
            return 0
        return STRETCH[weights[1] * 65535 // sum(weights)]

    def keep(self, predicted: int, byte: int) -> None:
        difference = byte - predicted & 255
        self.carry = 0
        if difference == 0:
            return
        if difference < 128 and byte < predicted:
            self.carry = 1
        elif difference >= 128 and byte > predicted:
            self.carry = 2
        self.lists[self.here] = [difference, *self.lists[self.here][: KEPT - 1]]
