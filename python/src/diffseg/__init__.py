# SPDX-License-Identifier: MIT
"""DiffSeg: from the self-attention of a model to segmentation masks.

    labels = diffseg.segment([attention64, attention32])   # [heads, n * n, n * n] each
    labels.values                                          # int32 [height, width]

Data are nouns, stages are verbs: a stage is made of its options and called with data, stages
chain with `|`. `diffseg.published` has the class of the published code, `diffseg.display`
shows labels, `diffseg.diffusers` and `diffseg.onnx` record the attention of models."""
from diffseg._core import (  # noqa: F401
    Affinity, Aggregate, AggregateCross, AggregateStream, Assign, AttentionShape, BoundaryScores,
    Choose, ClassCounts, Compare, CrossMaps, Downsample, DownsamplePhoto, FitBorders, Image, Labels,
    Layer, Maps, Merge, ModelPreset, ModelShapes, Name, Names, PartitionScores, Pipeline, Profile,
    ProfileRow, Proposals, Refine, RefineProjected, SegmentMemory, SegmentOptions, Segmentation,
    Sharpen, Similarities, Sweep, SweepPoint, ThreadLimit, Tidy, Workspace, conditional_half,
    confusion, contingency, keep_mass, leave_out_sinks, match_classes, model_layer, model_preset,
    model_shapes, per_dataset, per_image, score, score_boundaries, segment, segment_memory,
    select_heads, select_tokens, skip_tokens, thread_count, top_k)
from diffseg._config import __version__, show_config
from diffseg._sparse import sparse_layer
from diffseg import display  # noqa: F401  # Labels become pictures in notebooks

__all__ = [
    "Affinity", "Aggregate", "AggregateCross", "AggregateStream", "Assign", "AttentionShape",
    "BoundaryScores", "Choose", "ClassCounts", "Compare", "CrossMaps", "Downsample",
    "DownsamplePhoto", "FitBorders", "Image", "Labels", "Layer", "Maps", "Merge", "ModelPreset",
    "ModelShapes", "Name", "Names", "PartitionScores", "Pipeline", "Profile", "ProfileRow",
    "Proposals", "Refine", "RefineProjected", "SegmentMemory", "SegmentOptions", "Segmentation",
    "Sharpen", "Similarities", "Sweep", "SweepPoint", "ThreadLimit", "Tidy", "Workspace",
    "__version__", "conditional_half", "confusion", "contingency", "keep_mass", "leave_out_sinks",
    "match_classes", "model_layer", "model_preset", "model_shapes", "per_dataset", "per_image",
    "score", "score_boundaries", "segment", "segment_memory", "select_heads", "select_tokens",
    "show_config", "skip_tokens", "sparse_layer", "thread_count", "top_k",
]
