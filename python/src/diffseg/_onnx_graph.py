# SPDX-License-Identifier: MIT
"""Self-attention within an ONNX graph: found by its shape, and made outputs of a model that runs."""
import collections
import os
import tempfile

import onnx
import onnx.inliner
import onnxruntime

from diffseg._recording import RecordError

PRODUCTS = ("MatMul", "FusedMatMul", "Einsum")
SCALES = ("Mul", "Div", "Cast", "Identity")  # leave scores what they are, but for a factor
BETWEEN = SCALES + ("Add", "Sub", "Where", "Clip", "Reshape", "Dropout")  # a bias, a mask, ...
FUSED = ("Attention", "MultiHeadAttention", "PackedAttention", "PackedMultiHeadAttention",
         "QAttention", "GroupQueryAttention", "DecoderMaskedMultiHeadAttention", "BiasSoftmax",
         "RelativePositionBias", "FlexAttention")
DEEPEST = 8  # nodes between a product and its soft-max

# Tensor names of one soft-max of query . key. `query` [..., n, depth] and `key` [..., depth, n] are
# "" where more than factors stands between; the scores are their product times `factors`,
# [(Mul or Div, tensor)]. `axis` is the soft-max's.
Attention = collections.namedtuple("Attention", "scores query key factors axis")


class Graph:
    """Who makes and who uses each tensor of a graph."""

    def __init__(self, graph):
        self.graph = graph
        self.maker = {name: node for node in graph.node for name in node.output if name}
        self.users = collections.defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.users[name].append(node)
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = node.attribute[0].t

    def is_zero(self, name):
        """Whether the tensor is a constant of zeros."""
        return name in self.constants and not onnx.numpy_helper.to_array(self.constants[name]).any()

    def below(self, name):
        """All tensors that depend on `name`, itself too."""
        found = {name}
        for node in self.graph.node:  # in topological order, as ONNX demands
            if not found.isdisjoint(node.input):
                found.update(node.output)
        return found

    def above(self, names):
        """All nodes' indices and tensors that the tensors `names` depend on."""
        wanted, nodes = set(names), []
        for index in range(len(self.graph.node) - 1, -1, -1):
            node = self.graph.node[index]
            if not wanted.isdisjoint(node.output):
                nodes.append(index)
                wanted.update(node.input)
        return nodes[::-1], wanted

    def trail(self, name, live, depth=DEEPEST):
        """The nodes from the tensor `name` up to the product it comes from; None without one."""
        node = self.maker.get(name)
        if node is None or depth == 0:
            return None
        if node.op_type in PRODUCTS:  # of two things that the photo made: no weights
            return [node] if all(operand in live for operand in node.input) else None
        if node.op_type in BETWEEN:
            for operand in node.input:
                trail = self.trail(operand, live, depth - 1) if operand in live else None
                if trail:
                    return [node] + trail
        return None

    def weighs_values(self, name, depth=DEEPEST):
        """Whether the soft-max `name` is the left side of a product."""
        for node in self.users[name] if depth else ():
            if node.op_type in PRODUCTS and (node.op_type == "Einsum" or node.input[0] == name):
                return True
            if node.op_type in BETWEEN and self.weighs_values(node.output[0], depth - 1):
                return True
        return False


def factors_of(graph, trail):
    """[(Mul or Div, tensor)] between product and soft-max; None where anything else is there."""
    factors = []
    for node, inner in zip(trail, trail[1:]):
        side = list(node.input).index(inner.output[0])
        other = node.input[1 - side] if len(node.input) == 2 else ""
        if node.op_type == "Add" and graph.is_zero(other):  # a mask that hides nothing
            continue
        if node.op_type not in SCALES:
            return None
        if node.op_type in ("Mul", "Div"):
            many = other in graph.constants and max(graph.constants[other].dims, default=1) > 1
            if many or (node.op_type == "Div" and side == 1):
                return None
            factors.append((node.op_type, other))
    return factors


def find_attention(model, image):
    """Every soft-max between two products of what comes from the input `image` -> [Attention]."""
    graph = Graph(model.graph)
    live = graph.below(image)
    old = any(opset.domain in ("", "ai.onnx") and opset.version < 13 for opset in model.opset_import)
    found = []
    for node in model.graph.node:
        if node.op_type != "Softmax" or node.input[0] not in live:
            continue
        trail = graph.trail(node.input[0], live)
        if not trail or not graph.weighs_values(node.output[0]):
            continue
        axis = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
        factors = factors_of(graph, trail) if trail[-1].op_type == "MatMul" else None
        query, key = ("", "") if factors is None else trail[-1].input
        axis = axis[0] if axis else 1 if old else -1
        found.append(Attention(node.input[0], query, key, factors or [], axis))
    return found


def refuse_without_attention(path, model):
    """Says what is there instead of attention that could be read."""
    kinds = collections.Counter(node.op_type for node in model.graph.node)
    fused = [f"{kinds[kind]} {kind}" for kind in FUSED if kinds[kind]]
    if fused:
        raise RecordError(
            f"{path}: its attention is fused into single nodes ({', '.join(fused)}), which keep the "
            "soft-max inside; take the model as it was before it was optimised, or export it with "
            "plain attention (PyTorch: attn_implementation=\"eager\", opset 17)")
    raise RecordError(
        f"{path}: no self-attention that comes from the photo: no MatMul -> Softmax -> MatMul among "
        f"{len(model.graph.node)} nodes ({kinds['Softmax']} Softmax, {kinds['MatMul']} MatMul)")


def find_patch(model, image):
    """The side of the patches: of the first convolutions, one whose stride is its kernel; or None."""
    graph = Graph(model.graph)
    names = collections.deque([image])
    seen = set()
    while names:
        name = names.popleft()
        for node in graph.users[name]:
            ints = {attribute.name: list(attribute.ints) for attribute in node.attribute}
            kernel = ints.get("kernel_shape")
            if node.op_type == "Conv":
                if kernel and kernel == ints.get("strides") and len(set(kernel)) == 1:
                    return kernel[0]
            elif node.op_type != "Shape":
                names.extend(set(node.output) - seen)
                seen.update(node.output)
    return None


def load_model(path):
    """-> the ONNX model, its own functions written out."""
    try:
        model = onnx.load(path)
        return onnx.inliner.inline_local_functions(model) if model.functions else model
    except Exception as error:  # whatever protobuf and the inliner throw
        raise RecordError(f"{path}: is no ONNX model that can be read ({error})") from error


def image_input(path, model):
    """The input that takes photos: of four axes -> its name and sizes, None where they are free."""
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name not in weights and len(dims) == 4:
            return value.name, [dim.dim_value or None for dim in dims]
    names = [value.name for value in model.graph.input if value.name not in weights]
    raise RecordError(f"{path}: no input of four axes for the photo, got {', '.join(names)}")


def brief(error):
    """The first words of ONNX Runtime's message."""
    text = " ".join(str(error).split())
    return text if len(text) < 200 else text[:200] + " ..."


class Runner:
    """A model in a temporary folder, of which sessions with other outputs are made."""

    def __init__(self, path, model, image):
        self.path, self.model, self.image = path, model, image
        self.folder = tempfile.TemporaryDirectory()
        # The weights once, beside the graphs: no limit of 2 GB, and nothing is copied again.
        self.save("whole.onnx", model, save_as_external_data=True, location="weights")

    def save(self, name, model, **how):
        file = os.path.join(self.folder.name, name)
        onnx.save_model(model, file, **how)
        return file

    def free_size(self, axes):
        """Lets the photo have any size: forgets the sizes that the file states."""
        dims = next(value for value in self.model.graph.input
                    if value.name == self.image).type.tensor_type.shape.dim
        for axis in axes:
            dims[axis].ClearField("dim_value")
            dims[axis].dim_param = f"side_{axis}"
        del self.model.graph.value_info[:]

    def session(self, outputs, shapes=()):
        """-> a session for the tensors `outputs` and the shapes of `shapes`, named shape_of_NAME.

        Nodes and inputs that nothing of these needs are left out.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        graph = model.graph
        names = list(outputs)
        for name in shapes:
            graph.node.append(onnx.helper.make_node("Shape", [name], ["shape_of_" + name]))
            names.append("shape_of_" + name)
        nodes, wanted = Graph(graph).above(names)
        kept = [graph.node[index] for index in nodes]
        inputs = [value for value in graph.input if value.name in wanted]
        for field, values in (("node", kept), ("input", inputs),
                              ("output", [onnx.ValueInfoProto(name=name) for name in names])):
            values = [type(value).FromString(value.SerializeToString()) for value in values]
            del getattr(graph, field)[:]
            getattr(graph, field).extend(values)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what fails is told by an exception
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(self.save("part.onnx", model), options,
                                                providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own kinds
            raise RecordError(f"{self.path}: ONNX Runtime does not take it ({brief(error)})") from error
