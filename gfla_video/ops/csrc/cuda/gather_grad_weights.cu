// Instances of the kernel for the gradient of the weights. Only windows 2, 4 and 6 are fixed
// (warps, attention over 3 and over 5 taps): each one costs megabytes of code and 10 seconds of the
// build for all architectures.
#include "gather_grad_weights.cuh"
#include "gather_plan.cuh"

namespace gfla::cuda {
namespace {

template <typename T>
Kernel grad_weights_instance(const GatherCall& call, int vector) {
  if (call.wide) return grad_weights_kernel<T, 0, 1, int64_t>;
  if constexpr (!std::is_same_v<T, double>) {
    constexpr int kVector = 16 / sizeof(T);
    if (vector == kVector) {
      switch (call.window) {
        case 2:
          return grad_weights_kernel<T, 2, kVector, int32_t>;
        case 4:
          return grad_weights_kernel<T, 4, kVector, int32_t>;
        case 6:
          return grad_weights_kernel<T, 6, kVector, int32_t>;
        default:
          return grad_weights_kernel<T, 0, kVector, int32_t>;
      }
    }
  }
  return grad_weights_kernel<T, 0, 1, int32_t>;
}

}  // namespace

void launch_grad_weights(const GatherCall& call, cudaStream_t stream) {
  for_kind(call.kind, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const int vector = vector_of<T>(call);
    const Wish wish{vector, call.out_height, call.out_width, sizeof(Accumulation<T>), true};
    launch(grad_weights_instance<T>(call, vector), call, make_plan(call, wish), stream);
  });
}

}  // namespace gfla::cuda
