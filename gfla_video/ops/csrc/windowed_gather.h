// The windowed gather: its shapes and the checks that all devices share.
//
// All of it is inline: the libraries of the devices are loaded one by one and hide their symbols.
//
//     out[b, c, l] = sum_j weights[b, j, l] * source[b, c, clamp(base(l) + j)],   j = ky * K + kx
//
// Convention: base = (x, y) of the window's top left in source pixels; taps outside of the source
// take its border. Any int32 base is safe: it is clamped to [-K, size + K] before taps are added,
// which changes no result. Half types accumulate in float32.
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
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
inline at::ScalarType accumulation_type(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

inline bool is_floating(at::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kHalf || type == at::kBFloat16;
}

inline void check_value_type(const at::Tensor& tensor, const char* name) {
  TORCH_CHECK_VALUE(
      is_floating(tensor.scalar_type()), name,
      " must be float32, float64, float16 or bfloat16, got ", tensor.scalar_type());
}

inline void check_partner(const at::Tensor& tensor, const at::Tensor& values, const char* name) {
  const auto type = tensor.scalar_type();
  TORCH_CHECK_VALUE(
      type == values.scalar_type() || type == accumulation_type(values.scalar_type()), name,
      " must have the type of the values or their accumulation type, got ", type, " beside ",
      values.scalar_type());
  TORCH_CHECK_VALUE(
      tensor.device() == values.device(), name, " is on ", tensor.device(), ", the values on ",
      values.device());
}

inline void check_base(const at::Tensor& base, const at::Tensor& values, const at::Tensor& at_positions) {
  TORCH_CHECK_VALUE(base.scalar_type() == at::kInt, "base must be int32, got ", base.scalar_type());
  TORCH_CHECK_VALUE(
      base.dim() == 4 && base.size(0) == at_positions.size(0) && base.size(1) == 2 &&
          base.size(2) == at_positions.size(2) && base.size(3) == at_positions.size(3),
      "base must be [B, 2, h, w] for the positions ", at_positions.sizes(), ", got ", base.sizes());
  TORCH_CHECK_VALUE(
      base.device() == values.device(), "base is on ", base.device(), ", the values on ",
      values.device());
}

inline int64_t window_of(int64_t taps) {
  const auto window = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(taps))));
  TORCH_CHECK_VALUE(
      window > 0 && window * window == taps, "weights must have K*K channels for a whole K, got ",
      taps);
  return window;
}

inline void check_source_size(const GatherShape& shape) {
  TORCH_CHECK_VALUE(
      shape.height >= 0 && shape.width >= 0, "the source's size must not be negative: ",
      shape.height, " x ", shape.width);
  TORCH_CHECK_VALUE(
      shape.empty() || shape.height * shape.width > 0, "source is empty: ", shape.height, " x ",
      shape.width);
}

// The shapes of each of the three functions; ValueError in Python where they do not fit.
inline GatherShape check_forward(
    const at::Tensor& source, const at::Tensor& weights, const at::Tensor& base) {
  check_value_type(source, "source");
  check_partner(weights, source, "weights");
  TORCH_CHECK_VALUE(
      source.dim() == 4 && weights.dim() == 4 && source.size(0) == weights.size(0),
      "expected source [B, C, H, W] and weights [B, K*K, h, w], got ", source.sizes(), " and ",
      weights.sizes());
  check_base(base, source, weights);
  GatherShape shape{
      source.size(0),  source.size(1),  source.size(2),           source.size(3),
      weights.size(2), weights.size(3), window_of(weights.size(1))};
  check_source_size(shape);
  return shape;
}

inline GatherShape check_grad_source(
    const at::Tensor& grad, const at::Tensor& weights, const at::Tensor& base, int64_t height,
    int64_t width) {
  check_value_type(grad, "grad");
  check_partner(weights, grad, "weights");
  TORCH_CHECK_VALUE(
      grad.dim() == 4 && weights.dim() == 4 && grad.size(0) == weights.size(0) &&
          grad.size(2) == weights.size(2) && grad.size(3) == weights.size(3),
      "expected grad [B, C, h, w] and weights [B, K*K, h, w], got ", grad.sizes(), " and ",
      weights.sizes());
  check_base(base, grad, weights);
  GatherShape shape{grad.size(0),    grad.size(1),    height, width, weights.size(2),
                    weights.size(3), window_of(weights.size(1))};
  check_source_size(shape);
  return shape;
}

inline GatherShape check_grad_weights(
    const at::Tensor& grad, const at::Tensor& source, const at::Tensor& base, int64_t window) {
  check_value_type(source, "source");
  check_partner(grad, source, "grad");
  TORCH_CHECK_VALUE(
      grad.dim() == 4 && source.dim() == 4 && grad.size(0) == source.size(0) &&
          grad.size(1) == source.size(1),
      "expected grad [B, C, h, w] and source [B, C, H, W], got ", grad.sizes(), " and ",
      source.sizes());
  TORCH_CHECK_VALUE(window > 0, "the window must be at least 1, got ", window);
  check_base(base, source, grad);
  GatherShape shape{source.size(0), source.size(1), source.size(2), source.size(3),
                    grad.size(2),   grad.size(3),   window};
  check_source_size(shape);
  return shape;
}

}  // namespace gfla
