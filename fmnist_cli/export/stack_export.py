"""Several exported graphs and their pool → one graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from fmnist_cli.contract import INPUT_NAME, OUTPUT_NAME
from fmnist_cli.export.graph import GraphBuilder, canonical
from fmnist_cli.training.stack_fit import LEAST, Pool


def convert_stack(members: Sequence[onnx.ModelProto], pool: Pool) -> onnx.ModelProto:
    """One graph that asks every member about the same pixels and pools what they say.

    Args:
        members: graphs under the contract, in the order of the pool's weights.
        pool: fitted weights.
    """
    graph = GraphBuilder()
    least = graph.constant(LEAST, np.float32)
    weighted = []
    for number, (member, weights) in enumerate(zip(members, pool.weights, strict=True)):
        probabilities = graph.include(member, f"m{number}_", {INPUT_NAME: INPUT_NAME})[OUTPUT_NAME]
        opinion = graph.add("Log", graph.add("Max", probabilities, least))
        weighted.append(graph.add("Mul", opinion, graph.constant(weights, np.float32)))
    total = graph.add("Sum", *weighted, graph.constant(pool.offset, np.float32))
    return canonical(graph.build(graph.add("Softmax", total, axis=1), len(pool.offset)))
