"""Random numbers for kernels: xoshiro256++ (Blackman and Vigna 2019), and Poisson counts drawn again and again from one histogram."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]
    State = npt.NDArray[np.uint64]

#: Means from here on are drawn by transformed rejection, smaller ones by inversion.
_LARGE = 10.0
#: An inversion that has come this far is at the end of what a float64 can tell apart.
_LAST = 100


@kernel
def seeded(seed: np.unsignedinteger[Any]) -> State:
    """Make the state of a generator by splitmix64, as its authors advise."""
    state = np.empty(4, dtype=np.uint64)
    x = np.uint64(seed)
    for i in range(4):
        x += np.uint64(0x9E3779B97F4A7C15)
        z = x
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state[i] = z ^ (z >> np.uint64(31))
    return state


@kernel
def uniform(state: State) -> float:
    """Draw one of the multiples of 2**-53 in [0, 1)."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    total = a + d
    result = ((total << np.uint64(23)) | (total >> np.uint64(41))) + a
    shifted = b << np.uint64(17)
    c ^= a
    d ^= b
    state[1], state[0] = b ^ c, a ^ d
    state[2] = c ^ shifted
    state[3] = (d << np.uint64(45)) | (d >> np.uint64(19))
    return float(result >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@kernel
def poisson_constants(means: FloatArray) -> FloatArray:
    """(g, 6): what drawing from each mean needs, computed once for all draws."""
    constants = np.zeros((means.size, 6))
    for i in range(means.size):
        mean = means[i]
        if mean < _LARGE:
            constants[i, 0] = math.exp(-mean)
            continue
        b = 0.931 + 2.53 * math.sqrt(mean)
        constants[i, 0] = b
        constants[i, 1] = 0.02483 * b - 0.059
        constants[i, 2] = 0.9277 - 3.6224 / (b - 2.0)
        constants[i, 3] = math.log(1.1239 + 1.1328 / (b - 3.4))
        constants[i, 4] = math.log(mean)
    return constants


@kernel
def draw_poisson(means: FloatArray, constants: FloatArray, state: State, out: FloatArray) -> None:
    """Fill `out` with one independent Poisson count for each mean."""
    for i in range(means.size):
        if means[i] == 0.0:
            out[i] = 0.0
        elif means[i] < _LARGE:
            out[i] = _by_inversion(means[i], constants[i, 0], state)
        else:
            out[i] = _by_rejection(means[i], constants[i], state)


@kernel
def _by_inversion(mean: float, none: float, state: State) -> float:
    left, share, count = uniform(state), none, 0.0
    while left >= share and count < _LAST:
        left -= share
        count += 1.0
        share *= mean / count
    return count


@kernel
def _by_rejection(mean: float, constants: FloatArray, state: State) -> float:
    """Transformed rejection with squeeze: Hörmann, Insurance: Mathematics and Economics 12:39 (1993), algorithm PTRS."""
    b, a, squeeze, log_alpha, log_mean = constants[0], constants[1], constants[2], constants[3], constants[4]
    while True:
        u, v = uniform(state) - 0.5, uniform(state)
        edge = 0.5 - abs(u)
        if edge == 0.0:
            continue
        count = math.floor((2.0 * a / edge + b) * u + mean + 0.43)
        if edge >= 0.07 and v <= squeeze:
            return float(count)
        if count < 0 or (edge < 0.013 and v > edge) or v == 0.0:
            continue
        height = math.log(v) + log_alpha - math.log(a / (edge * edge) + b)
        if height <= count * log_mean - mean - math.lgamma(count + 1.0):
            return float(count)
