"""scikit-learn's isolation trees as flat tables, which a graph can look up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAF = -1


@dataclass(frozen=True)
class Tables:
    """Nodes of all trees, one after the other.

    An inner node has the statistic and the value that split it: ``below[2 * node]`` is where
    values up to it lead, ``below[2 * node + 1]`` is where larger ones do. A leaf leads to itself.
    ``length`` is that of the path to a node.
    """

    split: NDArray[np.int64]
    value: NDArray[np.float32]
    below: NDArray[np.int64]
    length: NDArray[np.float32]
    roots: NDArray[np.int64]
    depth: int


def tables_of(trees: Sequence[Any]) -> Tables:
    """Join scikit-learn's trees."""
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    below = [_below(tree) + root for tree, root in zip(trees, roots, strict=True)]
    return Tables(
        split=np.concatenate([np.maximum(tree.feature, 0) for tree in trees]).astype(np.int64),
        value=np.concatenate([_rounded_down(tree.threshold) for tree in trees]),
        below=np.concatenate([each.ravel() for each in below]).astype(np.int64),
        length=np.concatenate([_lengths(tree) for tree in trees]),
        roots=roots.astype(np.int64),
        depth=max(int(tree.max_depth) for tree in trees),
    )


def usual_length(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean path of a search in a random tree of so many samples."""
    many = np.maximum(samples, 3).astype(np.float64)
    lengths = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
    usual: NDArray[np.float64] = np.where(samples > 2, lengths, np.where(samples == 2, 1.0, 0.0))
    return usual


def _below(tree: Any) -> NDArray[np.int64]:
    """Children (nodes, 2); a leaf is its own."""
    here = np.arange(tree.node_count)
    leaf = tree.children_left == _LEAF
    return np.stack(
        [np.where(leaf, here, side) for side in (tree.children_left, tree.children_right)], axis=1
    )


def _lengths(tree: Any) -> NDArray[np.float32]:
    """Of the path to each node, with what its samples would need to be told apart."""
    depth = np.zeros(tree.node_count)
    for node in range(tree.node_count):  # parents come before their children
        if tree.children_left[node] != _LEAF:
            depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
    length = depth + usual_length(tree.n_node_samples.astype(np.int64))
    lengths: NDArray[np.float32] = length.astype(np.float32)
    return lengths


def _rounded_down(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """To single precision such that ``x <= value`` stays the same for single ``x``."""
    rounded = values.astype(np.float32)
    down: NDArray[np.float32] = np.where(
        rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded
    )
    return down
