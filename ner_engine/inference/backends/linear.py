"""Linear layers on a CPU: oneDNN's kernels with packed weights and what follows fused in, and
beside each a plain way to the same figures.

The kernels are not public. Each is tried once on small matrices; any surprise means the plain way.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, Self

import torch
from torch.nn import functional

_PROBED: Final = (AttributeError, RuntimeError, TypeError, NotImplementedError)


class Linear(Protocol):
    """``x`` ``(tokens, in)`` to ``(tokens, out)``. ``add`` is added to the result and may be
    overwritten; never given to a layer with GELU."""

    def __call__(self, x: torch.Tensor, *, add: torch.Tensor | None = None) -> torch.Tensor: ...


# Float


def float_linear(
    weight: torch.Tensor,
    bias: torch.Tensor,
    dtype: torch.dtype,
    *,
    gelu: bool = False,
    fused: bool = True,
) -> Linear:
    """A layer that computes in ``dtype`` (float32 or bfloat16), followed by GELU where wanted."""
    weight, bias = weight.to(dtype).contiguous(), bias.to(dtype).contiguous()
    return (_packed_linear if fused and has_packed_linear(dtype) else _plain_linear)(
        weight, bias, gelu
    )


def _plain_linear(weight: torch.Tensor, bias: torch.Tensor, gelu: bool) -> Linear:
    def apply(x: torch.Tensor, *, add: torch.Tensor | None = None) -> torch.Tensor:
        y = functional.linear(x, weight, bias)
        if add is not None:
            y += add
        return functional.gelu(y) if gelu else y

    return apply


def _packed_linear(weight: torch.Tensor, bias: torch.Tensor, gelu: bool) -> Linear:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, 128)
    # Without the registers of AVX-512 a GELU inside the product costs six times what it costs after
    # it, and an addition is no gain.
    fuses = torch.cpu._is_avx512_supported()

    def apply(x: torch.Tensor, *, add: torch.Tensor | None = None) -> torch.Tensor:
        y: torch.Tensor
        if add is not None and fuses:
            y = torch.ops.mkldnn._linear_pointwise.binary(x, add, packed, bias, "add")
            return y
        if gelu and fuses:
            y = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "gelu", [], "none")
            return y
        y = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
        if add is not None:
            y += add
        return functional.gelu(y) if gelu else y

    return apply


@lru_cache
def has_packed_linear(dtype: torch.dtype) -> bool:
    """Whether the packed kernels are here and compute what they should."""
    return _agree(
        lambda weight, bias, gelu: _packed_linear(weight.to(dtype), bias.to(dtype), gelu), dtype
    )


# Int8


@dataclass(frozen=True, slots=True)
class Quantizer:
    """Floats as uint8: ``q = x / scale + zero_point``, rounded and clamped. The same for every
    text, so none depends on its neighbours."""

    scale: float
    zero_point: int

    @classmethod
    def for_range(cls, low: float, high: float) -> Self:
        """The finest that reaches from ``low`` to ``high`` and holds 0 exactly."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, 1e-6) / 255
        return cls(scale, round(-low / scale))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """uint8, contiguous, of the shape of ``x``."""
        if not _has_quantize():
            return (
                (x.float() / self.scale)
                .round_()
                .add_(self.zero_point)
                .clamp_(0, 255)
                .to(torch.uint8)
            )
        return _quantize(x.float().contiguous(), self.scale, self.zero_point)

    def back(self, q: torch.Tensor) -> torch.Tensor:
        """float32 again."""
        return (q.float() - self.zero_point) * self.scale


def _quantize(x: torch.Tensor, scale: float, zero_point: int) -> torch.Tensor:
    """One pass over float32 ``x``. Its bytes are then looked at as they lie: asking for them by
    ``int_repr`` costs six times the pass."""
    found = torch.quantize_per_tensor(x, scale, zero_point, torch.quint8)
    return torch.empty(0, dtype=torch.uint8).set_(found.untyped_storage(), 0, x.shape, x.stride())


@lru_cache
def _has_quantize() -> bool:
    x = torch.linspace(-3, 3, 64).view(4, 16)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that quantized tensors will go one day: then this says no
            found = _quantize(x, 0.02, 100)
        return torch.equal(found, (x / 0.02).round().add(100).clamp(0, 255).to(torch.uint8))
    except _PROBED:
        return False


class Int8Linear:
    """A layer that multiplies uint8 inputs by int8 weights, each output with a scale of its own.

    Gives ``dtype``, or uint8 for the next layer where ``output`` is its quantizer. Takes floats, or
    uint8 of its own quantizer. ``limit`` is the largest weight, by itself what this processor
    multiplies exactly.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor,
        quantizer: Quantizer,
        *,
        dtype: torch.dtype = torch.float32,
        output: Quantizer | None = None,
        gelu: bool = False,
        fused: bool = True,
        limit: int | None = None,
    ) -> None:
        self._bias, self._quantizer, self._dtype, self._output, self._gelu = (
            bias.float(),
            quantizer,
            dtype,
            output,
            gelu,
        )
        self._scales = weight.abs().amax(dim=1).clamp_min(1e-9) / (limit or weight_limit())
        rows = (weight / self._scales[:, None]).round_().to(torch.int8)
        self._fused = fused
        if fused:
            self._zeros = torch.zeros(len(rows), dtype=torch.int64)
            self._weight = torch.ops.onednn.qlinear_prepack(rows, [128, rows.shape[1]])
        else:
            self._weight = rows.float() * self._scales[:, None]

    def __call__(self, x: torch.Tensor, *, add: torch.Tensor | None = None) -> torch.Tensor:
        q = x if x.dtype == torch.uint8 else self._quantizer(x)
        if self._fused:
            return self._product(q, add)
        y = _plain_linear(self._weight, self._bias, self._gelu)(self._quantizer.back(q), add=add)
        return self._output(y) if self._output else y.to(self._dtype)

    def _product(self, q: torch.Tensor, add: torch.Tensor | None) -> torch.Tensor:
        given = (
            q,
            self._quantizer.scale,
            self._quantizer.zero_point,
            self._weight,
            self._scales,
            self._zeros,
        )
        linear = torch.ops.onednn.qlinear_pointwise
        y: torch.Tensor
        if add is not None:
            y = linear.binary(
                *given, add, self._bias, 1.0, 0, add.dtype, 1.0, 0, "sum", 1.0, "none", [], ""
            )
            return y
        scale, zero_point, dtype = (
            (self._output.scale, self._output.zero_point, torch.uint8)
            if self._output
            else (1.0, 0, self._dtype)
        )
        y = linear(
            *given,
            self._bias,
            scale,
            zero_point,
            dtype,
            "gelu" if self._gelu else "none",
            [],
            "none",
        )
        return y


def weight_limit() -> int:
    """The largest int8 weight. Without VNNI two products are added in 16 bits, where 2 * 255 * 64
    is what fits."""
    return 127 if torch.cpu._is_vnni_supported() else 64


@lru_cache
def has_int8_linear(dtype: torch.dtype = torch.float32) -> bool:
    """Whether the int8 kernels are here, are quick (with AVX2 at least), and compute what they
    should, with ``dtype`` as their float output."""
    if not torch.cpu._is_avx2_supported():
        return False
    weight, bias, x, add = _small()
    quantizer = Quantizer.for_range(-1, 1)
    output = Quantizer.for_range(-0.2, 10)
    expected = functional.linear(x, weight, bias)
    try:
        plain = Int8Linear(weight, bias, quantizer, dtype=dtype)(x)
        with_gelu = output.back(Int8Linear(weight, bias, quantizer, gelu=True, output=output)(x))
        with_sum = Int8Linear(weight, bias, quantizer)(x, add=add.clone())
    except _PROBED:
        return False
    pairs = ((plain, expected), (with_gelu, functional.gelu(expected)), (with_sum, expected + add))
    return plain.dtype == dtype and all(
        torch.allclose(found.float(), wanted, atol=0.1) for found, wanted in pairs
    )


def _agree(make: Callable[[torch.Tensor, torch.Tensor, bool], Linear], dtype: torch.dtype) -> bool:
    """Whether ``make`` gives layers that agree with float32 about small matrices."""
    weight, bias, x, add = _small()
    expected = functional.linear(x, weight, bias)
    try:
        with_gelu = make(weight, bias, True)(x.to(dtype)).float()
        with_sum = make(weight, bias, False)(x.to(dtype), add=add.to(dtype)).float()
    except _PROBED:
        return False
    return torch.allclose(with_gelu, functional.gelu(expected), atol=0.05) and torch.allclose(
        with_sum, expected + add, atol=0.05
    )


def _small() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A weight ``(8, 8)``, a bias, an input ``(3, 8)`` and something to add, all within -1 and
    1."""
    return tuple(
        torch.linspace(-1, 1, rows * columns).view(rows, columns).squeeze(0)
        for rows, columns in ((8, 8), (1, 8), (3, 8), (3, 8))
    )  # type: ignore[return-value]
