"""Tensors as plain values: in full up to nine elements, statistics above; torch in float64 is the oracle."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import inspector
from inspector.graph import is_summary, is_unknown
from inspector.tensor_stats import Batch
from inspector.tensor_stats.memory_extent import in_memory_order, memory_extent
from inspector.tensor_stats.statistics import BLOCK, statistics

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int8,
    torch.uint8,
    torch.bool,
]


def value_of(tensor):
    batch = Batch()
    pending = batch.add(tensor)
    batch.read()
    return pending.value


def check(summary, tensor):
    """Against torch, over all elements in float64."""
    wide = tensor.detach().to_dense().to(torch.float64).reshape(-1)
    assert summary["shape"] == list(tensor.shape)
    assert summary["dtype"] == str(tensor.dtype).removeprefix("torch.")
    assert summary["zeros"] == int((wide == 0).sum())
    assert summary["nans"] == int(wide.isnan().sum())
    assert summary["infinities"] == int(wide.isinf().sum())
    for key, expected in (
        ("norm", wide.norm()),
        ("mean", wide.mean()),
        ("min", wide.min()),
        ("max", wide.max()),
    ):
        expected = expected.item()
        if math.isnan(expected):
            assert math.isnan(summary[key]), key
        else:
            assert summary[key] == pytest.approx(expected, rel=1e-5, abs=1e-6), key


@pytest.mark.parametrize("value", [2.5, True, 7, 1 + 2j, [1.0, 2.0], [[1, 2], [3, 4]], [], [True, False]])
def test_small_tensors_in_full(value):
    found = value_of(torch.tensor(value))
    assert found == value and str(found) == str(torch.tensor(value).tolist())


def test_nine_elements_are_full_and_ten_are_not():
    assert value_of(torch.arange(9.0)) == list(range(9))
    assert is_summary(value_of(torch.arange(10.0)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(10,), (3, 4), (100, 7)])
def test_statistics(dtype, shape):
    tensor = torch.randint(0, 5 if dtype is not torch.bool else 2, shape).to(dtype)
    check(value_of(tensor), tensor)


@settings(max_examples=100)
@given(
    st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=10, max_size=40),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_any_numbers(numbers, dtype):
    tensor = torch.tensor(numbers, dtype=dtype)
    summary = value_of(tensor)
    wide = tensor.to(torch.float64)
    assert summary["nans"] == int(wide.isnan().sum()) and summary["infinities"] == int(wide.isinf().sum())
    assert summary["zeros"] == int((wide == 0).sum())
    if not wide.isnan().any():
        assert (summary["min"], summary["max"]) == (wide.min().item(), wide.max().item())
        assert summary["norm"] == pytest.approx(wide.norm().item(), rel=1e-5)


def test_a_half_precision_sum_does_not_overflow():
    check(
        value_of(torch.full((1000,), 60_000.0, dtype=torch.float16)), torch.full((1000,), 6e4, dtype=torch.float16)
    )


@pytest.mark.parametrize(
    "transform", [torch.t, lambda t: t[::2], lambda t: t.expand(5, *t.shape), lambda t: t[:, 1]]
)
def test_views_and_strides(transform):
    tensor = transform(torch.randn(20, 30))
    check(value_of(tensor), tensor)


def test_complex():
    tensor = torch.randn(20, dtype=torch.complex64)
    summary = value_of(tensor)
    assert summary["norm"] == pytest.approx(tensor.norm().item(), rel=1e-5)
    assert (summary["nans"], summary["shape"]) == (0, [20])


@pytest.mark.filterwarnings("ignore:Sparse")
def test_sparse():
    dense = torch.zeros(10, 10)
    dense[2, 3], dense[4, 5] = -3.0, 7.0
    for tensor in (dense.to_sparse(), dense.to_sparse_csr()):
        check(value_of(tensor), tensor)
    twice = torch.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (20,))
    assert value_of(twice)["max"] == 3.0, "not coalesced"


def test_empty():
    assert value_of(torch.ones(0)) == []
    assert value_of(torch.ones(0, 3)) == []


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize(
    "build",
    [
        lambda: torch.rand(20, device="meta"),
        lambda: torch.quantize_per_tensor(torch.rand(20), 0.1, 0, torch.quint8),
        lambda: torch.nested.nested_tensor_from_jagged(
            torch.ones(9), offsets=torch.tensor([0, 4, 9]), lengths=torch.tensor([2, 3])
        ),
    ],
    ids=["meta", "quantized", "nested with gaps"],
)
def test_unknown_with_a_reason(build):
    found = value_of(build())
    assert is_unknown(found) and found["unknown"]


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
def test_a_nested_tensor_has_the_values_of_its_parts(layout):
    parts = [torch.tensor([1.0, 2.0]), torch.tensor([3.0, -4.0, 5.0])]
    nested = torch.nested.nested_tensor(parts, layout=layout, requires_grad=True)
    assert value_of(nested) == [1, 2, 3, -4, 5]
    large = torch.nested.nested_tensor([torch.rand(4, 3), torch.rand(2, 3)], layout=layout)
    assert value_of(large)["norm"] == pytest.approx(large.values().norm().item())


class Wrapping(torch.Tensor):
    """A subclass that keeps its elements in another tensor."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    def __init__(self, inner):
        self.inner = inner

    def __tensor_flatten__(self):
        return ["inner"], None

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), options=None):
        raise AssertionError(f"{function} was called")


def test_a_wrapper_of_one_tensor_has_its_values():
    assert value_of(Wrapping(torch.tensor([1.0, 2.0]))) == [1, 2]


def test_gradients_of_a_batch_of_rows():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with inspector.record() as recording:
        rows = torch.autograd.grad(x**2, x, torch.eye(3), is_grads_batched=True)
    gradients = [row["gradient"] for _, row in recording.calls[0].graph.functions()]
    assert gradients == [torch.eye(3).tolist(), rows[0].tolist()]


@pytest.mark.parametrize("size", [0, 40, 279])
@pytest.mark.parametrize("first", [0, 50])
@pytest.mark.parametrize("turned", [False, True])
def test_a_storage_that_is_smaller_than_its_tensor_is_not_read(size, first, turned):
    tensor = torch.rand(120)[first : first + 20]
    tensor = tensor.view(4, 5).t() if turned else tensor
    enough = 4 * (first + 20)
    tensor.untyped_storage().resize_(enough)
    assert not is_unknown(value_of(tensor))
    tensor.untyped_storage().resize_(min(size, enough - 1))
    found = value_of(tensor)
    assert found["unknown"] == f"its storage is {'too small' if size else 'empty'} (sharded or freed)"


def test_float8():
    tensor = torch.linspace(-3, 3, 20).to(torch.float8_e4m3fn)
    check(value_of(tensor), tensor)


def test_none_is_none():
    assert value_of(None) is None


def test_nothing_of_it_is_seen():
    """No graph, no version, no random numbers, no function or dispatch mode of the script's."""
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode

    seen = []

    class Functions(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            seen.append(function)
            return function(*args, **(kwargs or {}))

    class Operations(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.append(function)
            return function(*args, **(kwargs or {}))

    tensor = torch.rand(50, requires_grad=True)
    state, number = torch.get_rng_state(), torch._C._autograd._get_sequence_nr()
    with Functions(), Operations():
        batch = Batch()
        pending = batch.add(tensor)
        batch.read()
        assert seen == []
    assert is_summary(pending.value)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch._C._autograd._get_sequence_nr() == number
    assert tensor._version == 0 and torch.is_grad_enabled()


def test_the_value_is_that_of_the_moment():
    batch = Batch()
    tensor = torch.tensor([1.0, 2.0])
    pending = batch.add(tensor)
    tensor.zero_()
    batch.read()
    assert pending.value == [1.0, 2.0]


def test_an_inference_tensor():
    with torch.inference_mode():
        tensor = torch.arange(20.0)
    check(value_of(tensor), tensor.clone())


def buckets_of(tensor):
    """How many elements of a tensor lie in each power of two, by comparisons with torch in float64."""
    wide = tensor.detach().to_dense().reshape(-1)
    magnitudes = (wide.abs() if wide.is_complex() else wide).to(torch.float64).abs()
    return {
        exponent: count
        for exponent in range(-160, 130)
        if (count := int(((magnitudes >= 2.0**exponent) & (magnitudes < 2.0 ** (exponent + 1))).sum()))
    }


def buckets(histogram):
    counts = enumerate(histogram["counts"], start=histogram["exponent"] or 0)
    return {exponent: count for exponent, count in counts if count}


@pytest.mark.parametrize("dtype", [*DTYPES, torch.complex64], ids=str)
@pytest.mark.parametrize("transform", [lambda t: t, torch.t, lambda t: t[:, 3:7]], ids=["whole", "t", "slice"])
def test_the_histogram_of_a_small_tensor_counts_all(dtype, transform):
    tensor = transform((torch.randn(20, 25) * 10).to(dtype))
    found = value_of(tensor)["histogram"]
    assert found["counted"] == tensor.numel()
    assert buckets(found) == buckets_of(tensor)


def test_zeros_and_what_is_no_number_are_in_no_bucket():
    tensor = torch.tensor([0.0, -0.0, math.nan, math.inf, -math.inf, 1.0, -1.5, 2.0, 1e-40, 0.25])
    found = value_of(tensor)["histogram"]
    assert buckets(found) == buckets_of(tensor) == {-133: 1, -2: 1, 0: 2, 1: 1}
    assert found["counted"] == 10
    assert value_of(torch.zeros(20))["histogram"] == {"counted": 20, "exponent": None, "counts": []}


@pytest.mark.parametrize("shape", [(1000,), (64, 64), (3, 5, 7, 11, 13), (2, 100_003)])
@pytest.mark.parametrize("transform", [lambda t: t, lambda t: t.transpose(0, -1), lambda t: t[..., ::2]])
def test_the_histogram_of_a_large_tensor_is_of_a_sample_of_it(shape, transform):
    torch.manual_seed(0)
    tensor = transform(torch.randn(shape))
    found = value_of(tensor)["histogram"]
    assert 200 <= found["counted"] <= 511
    assert sum(found["counts"]) == found["counted"]
    whole = buckets_of(tensor)
    for exponent, count in buckets(found).items():
        share, expected = count / found["counted"], whole.get(exponent, 0) / tensor.numel()
        assert expected > 0 and share == pytest.approx(expected, abs=0.12)


def test_the_sample_keeps_to_no_column():
    tensor = torch.zeros(64, 64)
    tensor[:, 32:] = 1.0
    found = value_of(tensor)["histogram"]
    assert found["counts"][0] / found["counted"] == pytest.approx(0.5, abs=0.05)


def test_a_light_recording_has_the_norm_alone():
    tensor = torch.randn(30, 20)
    for elements in (tensor, tensor.t(), tensor.half(), torch.full((100,), 1e-30), torch.full((100,), 3e30)):
        summary = Batch("light").add(elements).value
        assert summary.keys() == {"shape", "dtype", "norm"}
        assert summary["norm"] == pytest.approx(elements.double().norm().item(), rel=1e-5, abs=0)


@pytest.mark.parametrize("size", [1e-30, 1e-19, 1e30])
def test_squares_that_float32_cannot_hold(size):
    tensor = torch.full((300_000,), size)
    assert value_of(tensor)["norm"] == pytest.approx(tensor.double().norm().item(), rel=1e-5)
    assert value_of(tensor)["mean"] == pytest.approx(size, rel=1e-5)


def test_blocks_of_a_large_tensor():
    torch.manual_seed(0)
    large = torch.randn(700, 600)
    for tensor in (large, large.t(), large[:, 1:], large.to(torch.bfloat16), (large * 3).to(torch.int32)):
        check(value_of(tensor), tensor)
    large[600, 3], large[5, 5], large[7, 7] = math.nan, math.inf, 0.0
    summary = value_of(large)
    assert (summary["nans"], summary["infinities"], summary["zeros"]) == (1, 1, 1)
    assert all(math.isnan(summary[key]) for key in ("norm", "mean", "min", "max"))


@settings(max_examples=100)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_views_of_the_same_elements_have_the_same_extent(shape, random):
    whole = torch.arange(math.prod(shape) + 4.0)[2:-2].view(shape)
    order = random.sample(range(len(shape)), len(shape))
    view = whole.permute(order)
    assert memory_extent(view) == memory_extent(whole)
    part = whole.narrow(0, 0, random.randint(1, shape[0]))
    assert sorted(in_memory_order(part, memory_extent(part)).reshape(-1).tolist()) == sorted(
        part.reshape(-1).tolist()
    )


@pytest.mark.parametrize(
    "look",
    [
        lambda batch, tensor: batch.add(tensor),
        lambda batch, tensor: batch.add(tensor, counted=True),
        lambda batch, tensor: batch.flowing((tensor,))[0],
    ],
    ids=["of any time", "of the forward", "within backward"],
)
def test_what_is_met_again_is_measured_again_if_it_was_written(look):
    batch = Batch()
    tensor = torch.randn(40, 30)
    first = look(batch, tensor).value
    assert look(batch, tensor.t()).value == {**first, "shape": [30, 40]}
    assert look(batch, tensor.view(-1)).value == {**first, "shape": [1200]}
    tensor[3, 4] = 1000.0
    check(look(batch, tensor).value, tensor)
    check(look(batch, tensor[:20]).value, tensor[:20])


@pytest.mark.parametrize("counted", [False, True])
def test_a_write_that_no_version_counts_is_seen(counted):
    earlier = Batch()
    tensor = torch.randn(40, 30)
    before = earlier.add(tensor, counted=counted).value
    tensor.data.mul_(2)
    earlier.counts_writes = False
    after = Batch("full", earlier).add(tensor, counted=counted).value
    check(after, tensor)
    assert after != before


def test_a_write_by_way_of_an_array_is_seen():
    batch = Batch()
    tensor = torch.randn(40, 30)
    batch.add(tensor, counted=True)
    tensor.numpy()[:] *= 2
    check(batch.add(tensor, counted=True).value, tensor)


def test_memory_that_another_tensor_has_now_was_not_met():
    """The allocator gives the memory of one to the next, which has the same version."""
    batch = Batch()
    for number in range(20):
        tensor = torch.full((40, 30), float(number))
        check(batch.add(tensor, counted=True).value, tensor)
        del tensor


def test_no_memory_is_kept_alive():
    batch = Batch()
    tensor = torch.randn(1000)
    batch.add(tensor)
    memory = torch.multiprocessing.reductions.StorageWeakRef(tensor.untyped_storage())
    del tensor
    assert memory.expired()
    batch.read()


SEVENTH_DIGIT = 3e-7
"""Relative error of a number of which seven digits are right."""


@pytest.mark.parametrize("level", ["full", "light"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "build",
    [
        lambda: torch.full((1_000_000,), 0.7),
        lambda: torch.tensor(0.7).expand(1_000_000),
        lambda: torch.full((1000, 1, 7), 0.7).expand(1000, 30, 7),
        lambda: torch.full((700, 900), 0.7).t(),
        lambda: torch.full((700, 900), 0.7)[:, ::2],
        lambda: torch.full((40, 30, 20), 0.7).transpose(0, 2),
        lambda: torch.linspace(0.5, 1.5, 999_983),
        *(lambda n=n: torch.full((n,), 0.7) for n in (511, 513, 16_385, 32_769, 131_073)),
    ],
)
def test_seven_digits_of_a_norm_and_a_mean_are_right(build, dtype, level):
    tensor = build().to(dtype) if dtype is not torch.float32 else build()
    batch = Batch(level)
    found = batch.add(tensor).value if batch.read() is None else None
    batch.read()
    wide = tensor.to(torch.float64)
    assert found["norm"] == pytest.approx(float(torch.linalg.vector_norm(wide)), rel=SEVENTH_DIGIT)
    if level == "full":
        assert found["mean"] == pytest.approx(float(wide.mean()), rel=SEVENTH_DIGIT)


def test_a_mean_has_no_digits_that_rounding_made_up():
    tensor = torch.tensor([0.1, -0.3, 0.7, -0.5] * 1000)
    tensor -= tensor.to(torch.float64).mean().to(torch.float32)
    assert value_of(tensor)["mean"] == 0
    assert value_of(tensor.to(torch.float64))["mean"] == float(tensor.to(torch.float64).mean())


def test_counts_of_an_expanded_tensor_are_those_of_all_elements():
    tensor = torch.tensor([0.0, 1.0, math.inf, math.nan]).unsqueeze(1).expand(4, 50_000)
    check(value_of(tensor), tensor)
    check(value_of(tensor[:2]), tensor[:2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
@pytest.mark.parametrize(
    "special", [(math.inf,), (-math.inf,), (math.inf, -math.inf), (math.nan,), (math.nan, math.inf)]
)
def test_numbers_of_large_tensors_that_are_not_finite_are_those_of_torch(dtype, special):
    tensor = torch.ones(3 * BLOCK, dtype=dtype)
    tensor[: len(special)] = torch.tensor(special, dtype=dtype)
    tensor[-1] = 0
    found = statistics(tensor)
    exact = tensor.double()
    wanted = exact.norm(), exact.mean(), exact.amin(), exact.amax(), 1, exact.isnan().sum(), exact.isinf().sum()
    assert list(found) == pytest.approx([float(number) for number in wanted], nan_ok=True)
