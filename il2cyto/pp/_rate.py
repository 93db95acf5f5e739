"""The condition that ties the two exponentials of a biexponential scale to each other."""

from __future__ import annotations

import math


def falling_rate(b: float, width: float) -> float:
    """The rate d of the falling exponential: the root of 2 ln(d/b) + width (d + b) = 0."""
    # The left side is increasing and concave, so Newton's steps from below the root only rise.
    d, previous = b * math.exp(-width * b), 0.0
    while d > previous * (1.0 + 1e-15):
        previous = d
        d -= (2.0 * math.log(d / b) + width * (d + b)) / (2.0 / d + width)
    return d
