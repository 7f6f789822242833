"""Places of rows in an array, as they are taken of it quickest."""

Place = int | slice | list[int]
"""Where some rows are among others, each `[snapshots]`."""


def as_slice(places: list[int]) -> slice | list[int]:
    """Return a slice if the places are evenly spaced: what it takes of an array is not copied.

    Examples
    --------
    >>> as_slice([1, 2, 3]), as_slice([2, 4]), as_slice([0, 1, 3])
    (slice(1, 4, 1), slice(2, 5, 2), [0, 1, 3])
    >>> as_slice([10, 2]), as_slice([4, 2, 0])
    (slice(10, 1, -8), slice(4, None, -2))
    """
    step = (places[1] - places[0] if len(places) > 1 else 1) or 1
    beyond = places[-1] + (1 if step > 0 else -1)
    if places != list(range(places[0], beyond, step)):
        return places
    return slice(places[0], beyond if beyond >= 0 else None, step)
