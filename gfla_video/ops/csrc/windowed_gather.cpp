// Schemas of the operators and the checks that all devices share.
#include "windowed_gather.h"

#include <torch/library.h>

#include <cmath>

namespace gfla {
namespace {

bool is_floating(at::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kHalf || type == at::kBFloat16;
}

void check_value_type(const at::Tensor& tensor, const char* name) {
  TORCH_CHECK_VALUE(
      is_floating(tensor.scalar_type()), name,
      " must be float32, float64, float16 or bfloat16, got ", tensor.scalar_type());
}

void check_partner(const at::Tensor& tensor, const at::Tensor& values, const char* name) {
  const auto type = tensor.scalar_type();
  TORCH_CHECK_VALUE(
      type == values.scalar_type() || type == accumulation_type(values.scalar_type()), name,
      " must have the type of the values or their accumulation type, got ", type, " beside ",
      values.scalar_type());
  TORCH_CHECK_VALUE(
      tensor.device() == values.device(), name, " is on ", tensor.device(), ", the values on ",
      values.device());
}

void check_base(const at::Tensor& base, const at::Tensor& values, const at::Tensor& at_positions) {
  TORCH_CHECK_VALUE(base.scalar_type() == at::kInt, "base must be int32, got ", base.scalar_type());
  TORCH_CHECK_VALUE(
      base.dim() == 4 && base.size(0) == at_positions.size(0) && base.size(1) == 2 &&
          base.size(2) == at_positions.size(2) && base.size(3) == at_positions.size(3),
      "base must be [B, 2, h, w] for the positions ", at_positions.sizes(), ", got ", base.sizes());
  TORCH_CHECK_VALUE(
      base.device() == values.device(), "base is on ", base.device(), ", the values on ",
      values.device());
}

int64_t window_of(int64_t taps) {
  const auto window = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(taps))));
  TORCH_CHECK_VALUE(
      window > 0 && window * window == taps, "weights must have K*K channels for a whole K, got ",
      taps);
  return window;
}

void check_source_size(const GatherShape& shape) {
  TORCH_CHECK_VALUE(
      shape.empty() || shape.height * shape.width > 0, "source is empty: ", shape.height, " x ",
      shape.width);
}

}  // namespace

at::ScalarType accumulation_type(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

GatherShape check_forward(
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

GatherShape check_grad_source(
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

GatherShape check_grad_weights(
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

TORCH_LIBRARY(gfla_video, m) {
  m.def("windowed_gather(Tensor source, Tensor weights, Tensor base) -> Tensor");
  m.def(
      "windowed_gather_grad_source(Tensor grad, Tensor weights, Tensor base, SymInt height, "
      "SymInt width) -> Tensor");
  m.def(
      "windowed_gather_grad_weights(Tensor grad, Tensor source, Tensor base, SymInt window) "
      "-> Tensor");
}
