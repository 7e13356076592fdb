"""Linear layers on a CPU: oneDNN's fused kernels with packed weights, and plain fallbacks.

The kernels are not public. Each is probed once on small matrices; after any surprise the fallback
is used.
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
    """A layer from ``x`` ``(tokens, in)`` to ``(tokens, out)``.

    ``add`` is added to the result and may be overwritten; layers with GELU never get it.
    """

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
    """Return a layer that computes in ``dtype`` (float32 or bfloat16), with GELU if asked for."""
    weight, bias = weight.to(dtype).contiguous(), bias.to(dtype).contiguous()
    if fused and has_packed_linear(dtype):
        return _packed_linear(weight, bias, gelu)
    return _plain_linear(weight, bias, gelu)


def _plain_linear(weight: torch.Tensor, bias: torch.Tensor, gelu: bool) -> Linear:
    def apply(x: torch.Tensor, *, add: torch.Tensor | None = None) -> torch.Tensor:
        y = functional.linear(x, weight, bias)
        if add is not None:
            y += add
        return functional.gelu(y) if gelu else y

    return apply


def _packed_linear(weight: torch.Tensor, bias: torch.Tensor, gelu: bool) -> Linear:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, 128)
    # Without the registers of AVX-512 a GELU inside the product costs six times as much as after
    # it, and an addition gains nothing.
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
    """Return whether the packed kernels exist and compute the right results."""
    return _agree(
        lambda weight, bias, gelu: _packed_linear(weight.to(dtype), bias.to(dtype), gelu), dtype
    )


# Int8


@dataclass(frozen=True, slots=True)
class Quantizer:
    """Floats as uint8: ``q = x / scale + zero_point``, rounded and clamped.

    It is the same for every text, so no text depends on its neighbours.
    """

    scale: float
    zero_point: int

    @classmethod
    def for_range(cls, low: float, high: float) -> Self:
        """Return the finest quantizer from ``low`` to ``high`` that represents 0 exactly."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, 1e-6) / 255
        return cls(scale, round(-low / scale))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x`` as contiguous uint8 of the same shape."""
        if _has_quantize():
            return _quantize(x.float().contiguous(), self.scale, self.zero_point)
        rounded = (x.float() / self.scale).round_().add_(self.zero_point)
        return rounded.clamp_(0, 255).to(torch.uint8)

    def back(self, q: torch.Tensor) -> torch.Tensor:
        """Return ``q`` as float32."""
        return (q.float() - self.zero_point) * self.scale


def _quantize(x: torch.Tensor, scale: float, zero_point: int) -> torch.Tensor:
    """Quantize float32 ``x`` in one pass, and return its bytes without a copy.

    ``int_repr`` would cost six times as much as the pass.
    """
    found = torch.quantize_per_tensor(x, scale, zero_point, torch.quint8)
    return torch.empty(0, dtype=torch.uint8).set_(found.untyped_storage(), 0, x.shape, x.stride())


@lru_cache
def _has_quantize() -> bool:
    x = torch.linspace(-3, 3, 64).view(4, 16)
    try:
        with warnings.catch_warnings():
            # Quantized tensors are deprecated; once they are removed, this returns False.
            warnings.simplefilter("ignore")
            found = _quantize(x, 0.02, 100)
        return torch.equal(found, (x / 0.02).round().add(100).clamp(0, 255).to(torch.uint8))
    except _PROBED:
        return False


class Int8Linear:
    """A layer that multiplies uint8 inputs by int8 weights, with one scale per output.

    Inputs are floats, or uint8 of ``quantizer``. Outputs are ``dtype``, or uint8 of ``output``, the
    quantizer of the next layer. ``limit`` is the largest weight; the default is the largest that
    this processor multiplies exactly.
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
        self._bias, self._gelu, self._dtype = bias.float(), gelu, dtype
        self._quantizer, self._output = quantizer, output
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
        scale, zero_point, dtype = 1.0, 0, self._dtype
        if self._output:
            scale, zero_point = self._output.scale, self._output.zero_point
            dtype = torch.uint8
        after = "gelu" if self._gelu else "none"
        y = linear(*given, self._bias, scale, zero_point, dtype, after, [], "none")
        return y


def weight_limit() -> int:
    """Return the largest int8 weight that this processor multiplies exactly.

    Without VNNI two products are added in 16 bits, which 2 * 255 * 64 just fits.
    """
    return 127 if torch.cpu._is_vnni_supported() else 64


@lru_cache
def has_int8_linear(dtype: torch.dtype = torch.float32) -> bool:
    """Return whether the int8 kernels exist, are fast (with AVX2) and compute the right results.

    ``dtype`` is their float output.
    """
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
    """Return whether the layers of ``make`` agree with float32 on small matrices."""
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
    """Return a weight ``(8, 8)``, bias, input ``(3, 8)`` and addend, all between -1 and 1."""
    weight = torch.linspace(-1, 1, 64).view(8, 8)
    bias = torch.linspace(-1, 1, 8)
    x, add = torch.linspace(-1, 1, 24).view(3, 8), torch.linspace(-1, 1, 24).view(3, 8)
    return weight, bias, x, add
