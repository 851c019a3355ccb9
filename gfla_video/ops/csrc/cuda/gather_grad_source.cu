// Instances of the kernels for the gradient of the source. Bound by atomics or by memory: no
// instances for fixed windows.
#include "gather_grad_ordered.cuh"
#include "gather_grad_source.cuh"
#include "gather_plan.cuh"

namespace gfla::cuda {
namespace {

template <typename T>
Kernel scatter_instance(const GatherCall& call, int vector) {
  if (call.wide) return grad_source_kernel<T, 1, int64_t>;
  if constexpr (!std::is_same_v<T, double>) {
    if (vector > 1) return grad_source_kernel<T, 16 / sizeof(T), int32_t>;
  }
  return grad_source_kernel<T, 1, int32_t>;
}

template <typename T>
Kernel ordered_instance(const GatherCall& call, int vector) {
  if (call.wide) return grad_source_ordered_kernel<T, 1, int64_t>;
  if constexpr (!std::is_same_v<T, double>) {
    if (vector > 1) return grad_source_ordered_kernel<T, 16 / sizeof(T), int32_t>;
  }
  return grad_source_ordered_kernel<T, 1, int32_t>;
}

}  // namespace

void launch_grad_source(const GatherCall& call, cudaStream_t stream) {
  for_kind(call.kind, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const int vector = vector_of<T>(call);
    const Wish wish{vector, call.out_height, call.out_width, sizeof(Accumulation<T>), false};
    launch(scatter_instance<T>(call, vector), call, make_plan(call, wish), stream);
  });
}

void launch_base_keys(const GatherCall& call, cudaStream_t stream) {
  Plan plan;
  plan.threads = kThreads;
  const int64_t positions = call.batch * call.out_height * call.out_width;
  const int64_t blocks = ceil_div(positions, kThreads);
  plan.blocks_x = blocks < call.max_blocks ? blocks : call.max_blocks;
  launch(call.wide ? base_keys_kernel<int64_t> : base_keys_kernel<int32_t>, call, plan, stream);
}

void launch_grad_source_ordered(const GatherCall& call, cudaStream_t stream) {
  for_kind(call.kind, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const int vector = vector_of<T>(call);
    const Wish wish{vector, call.height, call.width, 0, false};
    launch(ordered_instance<T>(call, vector), call, make_plan(call, wish), stream);
  });
}

}  // namespace gfla::cuda
