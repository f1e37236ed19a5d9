# SPDX-License-Identifier: MIT
"""Sparse attention of other libraries as layers."""
from __future__ import annotations

from typing import Any

from diffseg import _core


def sparse_layer(values: Any, keys: Any = None, *, grid: int | tuple[int, int] | None = None,
                 key_grid: int | tuple[int, int] | None = None, spread_rest: bool = False,
                 name: str = "") -> _core.Layer:
    """Some numbers of each row, and zeros elsewhere, as a layer; nothing but row starts is copied.

    `values` and `keys`, [heads, queries, count] each, or the pair of both as torch.topk returns it:
    the numbers kept of every row and their keys. Or a matrix of scipy.sparse [heads * cells,
    cells], one head below the other; or a list of them, one for each head, which are stacked.
    spread_rest: what a row lacks of sum 1 lies evenly on all other keys."""
    if keys is None and hasattr(values, "indices") and not hasattr(values, "indptr"):
        values, keys = values.values, values.indices
    if keys is None and isinstance(values, (list, tuple)):
        if len(values) == 2 and not hasattr(values[0], "tocsr"):
            values, keys = values
        else:
            values = _stacked(values)
    if keys is not None:
        return _core._top_k_layer(values, keys, grid, key_grid, spread_rest, name)
    if not hasattr(values, "tocsr"):
        raise TypeError("sparse_layer: must be numbers and their keys, or matrices of scipy.sparse, "
                        f"got {type(values).__name__}")
    matrix = values.tocsr()  # itself, if it is one
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return _core._compressed_layer(matrix.data, matrix.indices, matrix.indptr, matrix.shape[1],
                                   grid, spread_rest, name)


def _stacked(matrices: Any) -> Any:
    if not matrices or not all(hasattr(matrix, "tocsr") for matrix in matrices):
        raise TypeError("sparse_layer: a list must hold matrices of scipy.sparse, one for each head")
    import scipy.sparse
    return scipy.sparse.vstack(list(matrices), format="csr")
