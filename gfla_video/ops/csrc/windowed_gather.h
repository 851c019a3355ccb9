// The windowed gather: shapes, checks and the functions that each device implements.
//
//     out[b, c, l] = sum_j weights[b, j, l] * source[b, c, clamp(base(l) + j)],   j = ky * K + kx
//
// Convention: base = (x, y) of the window's top left in source pixels; taps outside of the source
// take its border. Any int32 base is safe: it is clamped to [-K, size + K] before taps are added,
// which changes no result. Half types accumulate in float32.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace gfla {

struct GatherShape {
  int64_t batch = 0;
  int64_t channels = 0;
  int64_t height = 0;  // of the source
  int64_t width = 0;
  int64_t out_height = 0;
  int64_t out_width = 0;
  int64_t window = 0;  // K

  int64_t taps() const { return window * window; }
  bool empty() const { return batch * channels * out_height * out_width == 0; }
};

// float32 for half types and float32, float64 for float64.
at::ScalarType accumulation_type(at::ScalarType type);

// The shapes of each of the three functions; throws (ValueError in Python) where they do not fit.
GatherShape check_forward(
    const at::Tensor& source, const at::Tensor& weights, const at::Tensor& base);
GatherShape check_grad_source(
    const at::Tensor& grad, const at::Tensor& weights, const at::Tensor& base, int64_t height,
    int64_t width);
GatherShape check_grad_weights(
    const at::Tensor& grad, const at::Tensor& source, const at::Tensor& base, int64_t window);

}  // namespace gfla
