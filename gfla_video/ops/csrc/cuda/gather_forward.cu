// Instances of the forward kernel.
#include "gather_forward.cuh"
#include "gather_plan.cuh"

namespace gfla::cuda {
namespace {

template <typename T>
Kernel forward_instance(const GatherCall& call, int vector) {
  if (call.wide) return forward_kernel<T, 0, 1, int64_t>;
  if constexpr (!std::is_same_v<T, double>) {
    constexpr int kVector = 16 / sizeof(T);
    if (vector == kVector) {
      switch (call.window) {
        case 2:
          return forward_kernel<T, 2, kVector, int32_t>;
        case 3:
          return forward_kernel<T, 3, kVector, int32_t>;
        case 4:
          return forward_kernel<T, 4, kVector, int32_t>;
        case 5:
          return forward_kernel<T, 5, kVector, int32_t>;
        case 6:
          return forward_kernel<T, 6, kVector, int32_t>;
        default:
          return forward_kernel<T, 0, kVector, int32_t>;
      }
    }
  }
  return forward_kernel<T, 0, 1, int32_t>;
}

}  // namespace

void launch_forward(const GatherCall& call, cudaStream_t stream) {
  for_kind(call.kind, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const int vector = vector_of<T>(call);
    const Wish wish{vector, call.out_height, call.out_width, sizeof(Accumulation<T>), false};
    launch(forward_instance<T>(call, vector), call, make_plan(call, wish), stream);
  });
}

}  // namespace gfla::cuda
