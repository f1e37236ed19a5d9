# SPDX-License-Identifier: MIT
"""Arrays of all kinds become layers where they lie, or are refused in a sentence."""
import array
import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import diffseg
from conftest import attention


def torch_of(request):
    return pytest.importorskip("torch", reason="torch is missing: see docs/python.md")


def numpy_address(values):
    return values.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numpy_is_seen_where_it_lies(dtype):
    values = np.ones((2, 16, 16), dtype)
    layer = diffseg.Layer(values)
    assert layer.address == numpy_address(values)
    assert (layer.dtype, layer.heads, layer.queries, layer.keys) == (dtype, 2, (4, 4), (4, 4))
    assert layer.nbytes == values.nbytes


def test_bfloat16_of_ml_dtypes_is_seen_where_it_lies():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.ones((2, 16, 16), ml_dtypes.bfloat16)
    layer = diffseg.Layer(values)
    assert (layer.address, layer.dtype) == (numpy_address(values), "bfloat16")
    assert diffseg.Aggregate()([values]).rows[3, 5] == np.float32(1 / 16)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_jax_is_seen_where_it_lies(dtype):
    jax = pytest.importorskip("jax")
    values = jax.device_put(jax.numpy.ones((2, 16, 16), dtype), jax.devices("cpu")[0])
    layer = diffseg.Layer(values)
    assert (layer.address, layer.dtype) == (values.unsafe_buffer_pointer(), dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_torch_is_seen_where_it_lies(request, dtype):
    torch = torch_of(request)
    values = torch.ones(2, 16, 16, dtype=getattr(torch, dtype))
    layer = diffseg.Layer(values)
    assert (layer.address, layer.dtype) == (values.data_ptr(), dtype)


def test_torch_that_wants_a_gradient_is_taken_detached(request):
    torch = torch_of(request)
    values = torch.ones(2, 16, 16, requires_grad=True)
    assert diffseg.Layer(values).address == values.data_ptr()


def test_what_torch_has_elsewhere_is_refused_with_what_to_do(request):
    torch = torch_of(request)
    with pytest.raises(ValueError, match=r"memory of the CPU, got one on meta; .*tensor.cpu\(\)"):
        diffseg.Layer(torch.ones(2, 16, 16, device="meta"))


def test_the_buffer_protocol_is_read():
    values = memoryview(array.array("f", [1.0] * 16)).cast("B").cast("f", [4, 4])
    assert diffseg.Layer(values).queries == (2, 2)


def test_heads_and_rows_may_lie_apart():
    """Every other head of a larger array, and tokens behind the first."""
    values = np.arange(6 * 17 * 17, dtype=np.float32).reshape(6, 17, 17)
    part = values[1::2, 1:, 1:]
    layer = diffseg.Layer(part, partial=True)
    assert layer.address == numpy_address(values) + 4 * (17 * 17 + 17 + 1)
    dense = diffseg.Layer(np.ascontiguousarray(part), partial=True)
    assert np.array_equal(diffseg.Aggregate()([layer]).rows, diffseg.Aggregate()([dense]).rows)


def test_shapes_that_mean_a_layer():
    ones = np.ones((1, 3, 16, 16), np.float32)
    assert diffseg.Layer(ones).heads == 3                       # a batch of one
    assert diffseg.Layer(ones[0, 0]).heads == 1                 # one head
    assert diffseg.Layer(ones.reshape(3, 2, 8, 16)).queries == (2, 8)
    assert diffseg.Layer(ones.reshape(3, 2, 8, 2, 8)).keys == (2, 8)
    assert diffseg.Layer(ones[0], grid=(2, 8)).keys == (2, 8)
    assert diffseg.Layer(np.ones((3, 16, 7), np.float32), keys=(1, 7)).keys == (1, 7)


def test_an_array_is_kept_alive_and_let_go():
    class Kept(np.ndarray):
        pass
    values = np.full((1, 16, 16), 1 / 16, np.float32).view(Kept)
    gone = weakref.ref(values)
    layer = diffseg.Layer(values)
    del values
    gc.collect()
    assert gone() is not None
    part = diffseg.select_heads(layer, 0, 1)  # the part keeps it too
    del layer
    gc.collect()
    assert diffseg.Aggregate()([part]).rows[0, 0] == np.float32(1 / 16)
    del part
    gc.collect()
    assert gone() is None


def test_read_only_numbers_are_read():
    values = np.ones((1, 16, 16), np.float32)
    values.flags.writeable = False
    assert diffseg.Layer(values).address == numpy_address(values)


class Elsewhere:
    """A tensor in the memory of a GPU, as DLPack tells."""
    device = "cuda:0"

    def __dlpack_device__(self):
        return 2, 0

    def __dlpack__(self, **_):
        raise AssertionError("must not be asked")


ONES = np.ones((2, 16, 16), np.float32)
ODD_ORDER = ONES.astype(">f4")
BACKWARDS = ONES[::-1]


@pytest.mark.parametrize("values, words", [
    (Elsewhere(), r"Layer: the array must be in the memory of the CPU, got one on cuda:0; copy it"),
    (ONES[0, 0], r"view: shape: attention is \[heads, queries, keys\].*got \[16\]; reshape it"),
    (ONES.astype(np.int64), r"view: type: attention must be floating point.*convert it to float32"),
    (ONES.astype(np.complex64), r"Layer: the numbers must be real ones.*convert them to float32"),
    (ODD_ORDER, r"Layer: must be an array of numbers .*in this machine's byte order"),
    (BACKWARDS, r"view: strides: must be > 0.*make it contiguous"),
    (np.ones((2, 16, 32), np.float32)[:, :, ::2], r"view: strides: numbers of a row must be neighbours.*make it contiguous"),
    (np.ones((2, 15, 15), np.float32), r"holds 15 queries, no square; give their grid, one of 3 x 5"),
    (np.ones((2, 0, 0), np.float32), r"shape: attention is"),
    ("attention", r"Layer: must be an array of numbers .*got 'attention'"),
    (None, r"Layer: must be an array of numbers .*got None"),
])
def test_bad_arrays_are_refused_in_a_sentence(values, words):
    with pytest.raises(ValueError, match=words):
        diffseg.Layer(values)


def test_the_name_of_a_layer_is_told():
    values = ONES.copy()
    values[1, 3, 7] = np.nan
    with pytest.raises(ValueError, match=r"'mid.attn1'.*nan|nan.*'mid.attn1'"):
        diffseg.Aggregate()([diffseg.Layer(values, name="mid.attn1")])
    with pytest.raises(TypeError, match="layers must be a list of arrays or of Layer, got 5"):
        diffseg.Aggregate()(5)
    with pytest.raises(ValueError, match="layers must not be empty"):
        diffseg.Aggregate()([])


@pytest.mark.parametrize("keywords, error, words", [
    ({"grid": "4x4"}, TypeError, r"Layer: grid must be a whole number or \(height, width\), got '4x4'"),
    ({"kind": "logits"}, ValueError, r"kind must be one of \"probabilities\", .*, got 'logits'"),
    ({"head_weights": [1.0]}, ValueError, "head_weights must be one per head, got 1 for 2 heads"),
    ({"grid": (3, 5)}, ValueError, r"not on a grid of 3 x 5"),
])
def test_bad_fields_are_refused(keywords, error, words):
    with pytest.raises(error, match=words):
        diffseg.Layer(ONES, **keywords)


def test_queries_and_keys_are_the_attention_they_make(random):
    queries, keys = random.standard_normal((2, 3, 16, 8)).astype(np.float32)
    made = diffseg.Layer.queries_and_keys(queries, keys, grid=(2, 8), scale=0.3)
    scores = diffseg.Layer(0.3 * queries @ keys.transpose(0, 2, 1), grid=(2, 8), kind="scores")
    assert made.address == numpy_address(queries)
    np.testing.assert_allclose(diffseg.Aggregate()([made]).rows, diffseg.Aggregate()([scores]).rows,
                               atol=1e-6)
    # As models keep them: [tokens, heads, depth], seen with heads in front.
    swapped = np.ascontiguousarray(queries.transpose(1, 0, 2)).transpose(1, 0, 2)
    again = diffseg.Layer.queries_and_keys(swapped, keys, grid=(2, 8), scale=0.3)
    assert np.array_equal(diffseg.Aggregate()([made]).rows, diffseg.Aggregate()([again]).rows)


def test_sparse_layers_of_top_k_and_scipy_are_the_dense_ones(random):
    sparse = pytest.importorskip("scipy.sparse")
    dense = attention(random, 2, (4, 4))
    kept = np.sort(np.argsort(-dense, -1)[:, :, :5], -1)
    values = np.take_along_axis(dense, kept, -1)
    thinned = np.zeros_like(dense)
    np.put_along_axis(thinned, kept, values, -1)
    expected = diffseg.Aggregate()([thinned]).rows
    stacked = sparse.csr_array(thinned.reshape(32, 16))
    for layer in (diffseg.sparse_layer(values, kept), diffseg.sparse_layer((values, kept)),
                  diffseg.sparse_layer(values, kept.astype(np.int32)),
                  diffseg.top_k(diffseg.Layer(dense), 5), diffseg.sparse_layer(stacked),
                  diffseg.sparse_layer([sparse.csc_matrix(head) for head in thinned])):
        assert (layer.kind, layer.heads) == ("sparse", 2)
        np.testing.assert_allclose(diffseg.Aggregate()([layer]).rows, expected, atol=1e-7)
    assert diffseg.sparse_layer(values, kept).address == numpy_address(values)
    assert diffseg.sparse_layer(stacked).address == numpy_address(stacked.data)


def test_sparse_layers_of_torch_topk_lie_where_they_were(request, random):
    torch = torch_of(request)
    dense = torch.from_numpy(attention(random, 2, (4, 4)))
    top = torch.topk(dense, 5)
    layer = diffseg.sparse_layer(top, spread_rest=True)
    assert layer.address == top.values.data_ptr() and layer.spread_rest


@pytest.mark.parametrize("given, error, words", [
    (lambda: diffseg.sparse_layer(ONES), TypeError, "must be numbers and their keys"),
    (lambda: diffseg.sparse_layer([]), TypeError, "matrices of scipy.sparse"),
    (lambda: diffseg.sparse_layer(ONES, ONES), ValueError, "keys must be int32 or int64"),
    (lambda: diffseg.top_k(diffseg.Layer(ONES), 17), ValueError, r"top_k: k must be in 1 .. 16"),
    (lambda: diffseg.keep_mass(diffseg.Layer(ONES), 0.0), ValueError, "share must be in"),
    (lambda: diffseg.model_shapes("sd9"), ValueError, "must be one of sd15"),
])
def test_bad_sparse_layers_are_refused(given, error, words):
    with pytest.raises(error, match=words):
        given()


def test_parts_and_models():
    guidance = np.ones((16, 256, 256), np.float16)
    guidance[:8] = 7
    layer = diffseg.model_layer(diffseg.model_shapes("sd15"), diffseg.Layer(guidance))
    assert (layer.heads, layer.queries) == (8, (16, 16))
    assert layer.address == guidance[8:].__array_interface__["data"][0]
    assert diffseg.conditional_half(diffseg.Layer(guidance)).address == layer.address
    tokens = diffseg.Layer(np.ones((1, 17, 17), np.float32), grid=(1, 17))
    part = diffseg.select_tokens(tokens, 1, 4)
    assert (part.queries, part.partial, part.address) == ((4, 4), True, tokens.address + 4 * 18)
    shapes = diffseg.model_shapes("flux")
    assert (shapes.image, shapes.layers[0].grid, shapes.layers[0].leading) == ((1024, 1024),
                                                                              (64, 64), 512)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy,
                                   lambda layer: pickle.loads(pickle.dumps(layer))])
def test_layers_of_every_kind_can_be_copied_and_pickled(random, again):
    dense = attention(random, 3, (4, 4))
    queries, keys = random.standard_normal((2, 3, 16, 8)).astype(np.float32)
    layers = [diffseg.Layer(dense[1:], name="a", head_weights=[1, 2]), diffseg.Layer(dense[:, ::2],
              grid=(2, 4), keys=(4, 4)), diffseg.Layer(np.log(dense), kind="scores"),
              diffseg.Layer.queries_and_keys(queries, keys), diffseg.top_k(diffseg.Layer(dense), 4),
              diffseg.select_heads(diffseg.top_k(diffseg.Layer(dense), 4), 1, 2)]
    for layer in layers:
        other = again(layer)
        assert repr(other) == repr(layer)
        assert np.array_equal(diffseg.Aggregate(grid=(4, 4))([other]).rows,
                              diffseg.Aggregate(grid=(4, 4))([layer]).rows)
