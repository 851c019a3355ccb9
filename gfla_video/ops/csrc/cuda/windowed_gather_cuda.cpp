// The windowed gather on CUDA devices: tensors to kernel calls, registration.
//
// Nothing here waits for the device, and memory comes from the caching allocator alone, so calls
// may be captured in a CUDA graph. Kernels run on the current stream of the tensors' device.
#include "../maps.h"
#include "../windowed_gather.h"
#include "gather_launch.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <initializer_list>
#include <limits>
#include <optional>

namespace gfla::cuda {
namespace {

using at::Tensor;

constexpr int64_t kSizeLimit = int64_t{1} << 30;  // of heights, widths and channels
constexpr int64_t kWindowLimit = 1 << 14;         // of K: K * K and sizes + K stay far inside int

Kind kind_of(const Tensor& tensor, const char* name) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return Kind::kFloat;
    case at::kDouble:
      return Kind::kDouble;
    case at::kHalf:
      return Kind::kHalf;
    case at::kBFloat16:
      return Kind::kBFloat16;
    default:
      TORCH_CHECK_VALUE(
          false, name, " must be float32, float64, float16 or bfloat16, got ",
          tensor.scalar_type());
  }
}

// Sizes and the base; the caller adds what it reads and writes.
GatherCall make_call(const GatherShape& shape, const Tensor& base) {
  for (const int64_t size :
       {shape.channels, shape.height, shape.width, shape.out_height, shape.out_width}) {
    TORCH_CHECK_VALUE(size < kSizeLimit, "the CUDA kernels take sizes below 2^30, got ", size);
  }
  TORCH_CHECK_VALUE(
      shape.window <= kWindowLimit, "the CUDA kernels take windows up to ", kWindowLimit, ", got ",
      shape.window);
  GatherCall call;
  call.batch = shape.batch;
  call.channels = static_cast<int>(shape.channels);
  call.height = static_cast<int>(shape.height);
  call.width = static_cast<int>(shape.width);
  call.out_height = static_cast<int>(shape.out_height);
  call.out_width = static_cast<int>(shape.out_width);
  call.window = static_cast<int>(shape.window);
  constexpr int64_t kNarrow = std::numeric_limits<int32_t>::max();
  const int64_t narrow_pixels = kNarrow / shape.channels;
  call.wide = shape.height * shape.width > narrow_pixels ||
              shape.out_height * shape.out_width > narrow_pixels;
  call.aligned = true;
  call.multiprocessors = at::cuda::getCurrentDeviceProperties()->multiProcessorCount;
  call.base = {base.const_data_ptr<int32_t>(), base.stride(0), base.stride(1), base.stride(2),
               base.stride(3)};
  return call;
}

Maps use_maps(GatherCall& call, const Tensor& maps) {
  const int64_t bytes = maps.element_size();
  const auto address = reinterpret_cast<uintptr_t>(maps.const_data_ptr());
  const bool steps_fit = maps.size(0) == 1 || maps.stride(0) * bytes % 16 == 0;
  call.aligned = call.aligned && address % 16 == 0 && steps_fit;
  return {maps.const_data_ptr(), maps.stride(0)};
}

TapWeights use_weights(const Tensor& weights) {
  return {weights.const_data_ptr(), kind_of(weights, "weights"), weights.stride(0),
          weights.stride(1), weights.stride(2), weights.stride(3)};
}

Tensor windowed_gather(const Tensor& source, const Tensor& weights, const Tensor& base) {
  const auto shape = check_forward(source, weights, base);
  const c10::cuda::CUDAGuard guard(source.device());
  auto out = new_maps(
      source, source.scalar_type(), shape.channels, shape.out_height, shape.out_width);
  if (shape.empty()) return out;
  const Tensor rows = channels_innermost(source, source.scalar_type());
  auto call = make_call(shape, base);
  call.kind = kind_of(source, "source");
  call.source = use_maps(call, rows);
  call.weights = use_weights(weights);
  call.out = out.mutable_data_ptr();
  launch_forward(call, c10::cuda::getCurrentCUDAStream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

// Sorts the positions by their base and adds up in that order: see gather_grad_ordered.cuh.
Tensor ordered_grad_source(GatherCall& call, const Tensor& grad, cudaStream_t stream) {
  auto out = new_maps(grad, grad.scalar_type(), call.channels, call.height, call.width);
  const int64_t keys = base_keys(call);
  call.wide = call.wide || keys >= std::numeric_limits<int32_t>::max();
  const auto key_options = grad.options().dtype(call.wide ? at::kLong : at::kInt);
  Tensor unsorted = at::empty({call.batch * call.out_height * call.out_width}, key_options);
  call.out = unsorted.mutable_data_ptr();
  launch_base_keys(call, stream);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  const auto [sorted, positions] = at::sort(unsorted, std::optional<bool>(true), /*dim=*/0);
  const Tensor starts = at::searchsorted(sorted, at::arange(keys + 1, key_options));
  call.order = {sorted.const_data_ptr(), positions.const_data_ptr<int64_t>(),
                starts.const_data_ptr<int64_t>()};
  call.out = out.mutable_data_ptr();
  launch_grad_source_ordered(call, stream);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

Tensor scattered_grad_source(GatherCall& call, const Tensor& grad, cudaStream_t stream) {
  auto sums = new_maps(
      grad, accumulation_type(grad.scalar_type()), call.channels, call.height, call.width);
  sums.zero_();
  call.out = sums.mutable_data_ptr();
  launch_grad_source(call, stream);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return sums.to(grad.scalar_type());
}

Tensor windowed_gather_grad_source(
    const Tensor& grad, const Tensor& weights, const Tensor& base, int64_t height, int64_t width) {
  const auto shape = check_grad_source(grad, weights, base, height, width);
  const c10::cuda::CUDAGuard guard(grad.device());
  if (shape.empty()) {
    return new_maps(grad, grad.scalar_type(), shape.channels, height, width).zero_();
  }
  const Tensor rows = channels_innermost(grad, grad.scalar_type());
  auto call = make_call(shape, base);
  call.kind = kind_of(grad, "grad");
  call.grad = use_maps(call, rows);
  call.weights = use_weights(weights);
  const auto stream = c10::cuda::getCurrentCUDAStream();
  return at::globalContext().deterministicAlgorithms() ? ordered_grad_source(call, grad, stream)
                                                       : scattered_grad_source(call, grad, stream);
}

Tensor windowed_gather_grad_weights(
    const Tensor& grad, const Tensor& source, const Tensor& base, int64_t window) {
  const auto shape = check_grad_weights(grad, source, base, window);
  const c10::cuda::CUDAGuard guard(source.device());
  auto out = new_maps(
      source, accumulation_type(source.scalar_type()), shape.taps(), shape.out_height,
      shape.out_width);
  if (shape.empty()) return out.zero_();
  // One type for both: where they differ, the gradient has the accumulation type.
  const Tensor grad_rows = channels_innermost(grad, grad.scalar_type());
  const Tensor source_rows = channels_innermost(source, grad.scalar_type());
  auto call = make_call(shape, base);
  call.kind = kind_of(grad, "grad");
  call.grad = use_maps(call, grad_rows);
  call.source = use_maps(call, source_rows);
  call.out = out.mutable_data_ptr();
  launch_grad_weights(call, c10::cuda::getCurrentCUDAStream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

}  // namespace
}  // namespace gfla::cuda

TORCH_LIBRARY_IMPL(gfla_video, CUDA, m) {
  m.impl("windowed_gather", gfla::cuda::windowed_gather);
  m.impl("windowed_gather_grad_source", gfla::cuda::windowed_gather_grad_source);
  m.impl("windowed_gather_grad_weights", gfla::cuda::windowed_gather_grad_weights);
}
