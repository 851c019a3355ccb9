// The windowed gather on the CPU: tensors to kernel arguments, threads, registration.
//
// Half types are widened to float32 once before the gather: that touches every value once, while
// the gather reads each one K * K times.
#include "../maps.h"
#include "../windowed_gather.h"
#include "kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <type_traits>

namespace gfla::cpu {
namespace {

constexpr int64_t kWorkPerThread = 65536;  // multiply-adds that are worth waking a thread up
constexpr int64_t kChannelBlock = 16;      // channels of a scattering thread come in these steps

template <typename T>
const KernelTable<T>& kernels() {
  static const KernelTable<T> chosen = [] {
#if defined(GFLA_X86_VARIANTS)
    __builtin_cpu_init();
    const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) {
      return avx512::table<T>();
    }
    if (fma) return avx2::table<T>();
#endif
    return baseline::table<T>();
  }();
  return chosen;
}

template <typename T>
GatherTask<T> make_task(const GatherShape& shape, const at::Tensor& base) {
  GatherTask<T> task;
  task.shape = shape;
  task.base = base.const_data_ptr<int32_t>();
  std::copy_n(base.strides().begin(), 4, task.base_strides);
  return task;
}

template <typename T>
void set_source(GatherTask<T>& task, const at::Tensor& source) {
  task.source = source.const_data_ptr<T>();
  task.source_batch = source.stride(0);
}

template <typename T>
void set_rows(GatherTask<T>& task, const at::Tensor& rows) {
  task.rows = rows.const_data_ptr<T>();
  task.rows_batch = rows.stride(0);
}

template <typename T>
void set_weights(GatherTask<T>& task, const at::Tensor& weights) {
  task.weights = weights.const_data_ptr<T>();
  std::copy_n(weights.strides().begin(), 4, task.weight_strides);
}

template <typename T>
void over_rows(RowKernel<T> kernel, const GatherTask<T>& task) {
  const auto& shape = task.shape;
  const int64_t work = shape.out_width * shape.taps() * shape.channels;
  const int64_t grain = std::max<int64_t>(1, kWorkPerThread / std::max<int64_t>(1, work));
  at::parallel_for(
      0, shape.batch * shape.out_height, grain,
      [&](int64_t begin, int64_t end) { kernel(task, begin, end); });
}

// Blocks of channels: as many tasks as threads where the channels allow it.
template <typename T>
void over_channels(ChannelKernel<T> kernel, const GatherTask<T>& task) {
  const auto& shape = task.shape;
  const int64_t threads = at::get_num_threads();
  const int64_t wanted = (threads + shape.batch - 1) / shape.batch;
  const int64_t share = (shape.channels + wanted - 1) / wanted;
  const int64_t block = (share + kChannelBlock - 1) / kChannelBlock * kChannelBlock;
  const int64_t blocks = (shape.channels + block - 1) / block;
  at::parallel_for(0, shape.batch * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t first = item % blocks * block;
      kernel(task, item / blocks, first, std::min(first + block, shape.channels));
    }
  });
}

template <typename Body>
void for_type(at::ScalarType type, const Body& body) {
  if (type == at::kDouble) {
    body(double{});
  } else {
    body(float{});
  }
}

at::Tensor windowed_gather(
    const at::Tensor& source, const at::Tensor& weights, const at::Tensor& base) {
  const auto shape = check_forward(source, weights, base);
  const auto type = accumulation_type(source.scalar_type());
  auto out = new_maps(source, type, shape.channels, shape.out_height, shape.out_width);
  if (!shape.empty()) {
    const auto values = channels_innermost(source, type), factors = weights.to(type);
    for_type(type, [&](auto zero) {
      using T = decltype(zero);
      auto task = make_task<T>(shape, base);
      set_source<T>(task, values);
      set_weights<T>(task, factors);
      task.out = out.mutable_data_ptr<T>();
      over_rows<T>(kernels<T>().forward, task);
    });
  }
  return out.to(source.scalar_type());
}

at::Tensor windowed_gather_grad_source(
    const at::Tensor& grad, const at::Tensor& weights, const at::Tensor& base, int64_t height,
    int64_t width) {
  const auto shape = check_grad_source(grad, weights, base, height, width);
  const auto type = accumulation_type(grad.scalar_type());
  auto out = new_maps(grad, type, shape.channels, height, width);
  if (shape.empty()) {
    out.zero_();
  } else {
    const auto rows = channels_innermost(grad, type), factors = weights.to(type);
    for_type(type, [&](auto zero) {
      using T = decltype(zero);
      auto task = make_task<T>(shape, base);
      set_rows<T>(task, rows);
      set_weights<T>(task, factors);
      task.out = out.mutable_data_ptr<T>();
      over_channels<T>(kernels<T>().grad_source, task);
    });
  }
  return out.to(grad.scalar_type());
}

at::Tensor windowed_gather_grad_weights(
    const at::Tensor& grad, const at::Tensor& source, const at::Tensor& base, int64_t window) {
  const auto shape = check_grad_weights(grad, source, base, window);
  const auto type = accumulation_type(source.scalar_type());
  auto out = new_maps(grad, type, shape.taps(), shape.out_height, shape.out_width);
  if (shape.empty()) return out.zero_();
  const auto rows = channels_innermost(grad, type), values = channels_innermost(source, type);
  for_type(type, [&](auto zero) {
    using T = decltype(zero);
    auto task = make_task<T>(shape, base);
    set_rows<T>(task, rows);
    set_source<T>(task, values);
    task.out = out.mutable_data_ptr<T>();
    over_rows<T>(kernels<T>().grad_weights, task);
  });
  return out;
}

}  // namespace
}  // namespace gfla::cpu

TORCH_LIBRARY_IMPL(gfla_video, CPU, m) {
  m.impl("windowed_gather", &gfla::cpu::windowed_gather);
  m.impl("windowed_gather_grad_source", &gfla::cpu::windowed_gather_grad_source);
  m.impl("windowed_gather_grad_weights", &gfla::cpu::windowed_gather_grad_weights);
}
