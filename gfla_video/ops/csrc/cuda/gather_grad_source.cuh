// Gradient of the source: grad_source[clamp(base(l) + j)] += weights[j, l] * grad[l].
//
// A thread scatters one channel vector of one quad. Where the quad's windows overlap, their four
// contributions to a cell of the common box are summed first: 49 atomic additions for 144 at
// K = 6, of 16 bytes each on Hopper and newer. Half types add up in float32.
// gather_grad_ordered.cuh holds the other way, without atomics.
#pragma once

#include "gather_tile.cuh"

namespace gfla::cuda {

template <typename A, int N>
__device__ __forceinline__ void add_values(A* to, const A (&values)[N]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  constexpr bool kFours = std::is_same_v<A, float> && N % 4 == 0;
  if constexpr (kFours) {
#pragma unroll
    for (int e = 0; e < N; e += 4) {
      atomicAdd(
          reinterpret_cast<float4*>(to + e),
          make_float4(values[e], values[e + 1], values[e + 2], values[e + 3]));
    }
  } else
#endif
  {
#pragma unroll
    for (int e = 0; e < N; ++e) atomicAdd(to + e, values[e]);
  }
}

// One thread's share of a joint box. `exact`: a gradient is infinite or not a number, and must
// not reach cells outside of its position's window, where its weight is zero.
template <int N, typename Offset, typename A>
__device__ __forceinline__ void scatter_joint(
    const Picture<A, Offset>& target, const A (&grad)[4][N], const Quad& quad,
    const Four<A>* staged, int window, bool exact) {
  for (int row = 0; row < quad.rows; ++row) {
    A* line = target.row(quad.top + row);
    for (int column = 0; column < quad.columns; ++column) {
      const Four<A> weight = staged[row * quad.columns + column];
      A sum[N] = {};
      bool reached = false;
#pragma unroll
      for (int p = 0; p < 4; ++p) {
        const bool inside = exact ? (quad.valid >> p & 1) && in_window(quad, p, row, column, window)
                                  : weight.value[p] != A(0);
        reached |= inside;
        if (exact && !inside) continue;
#pragma unroll
        for (int e = 0; e < N; ++e) sum[e] += weight.value[p] * grad[p][e];
      }
      if (reached) add_values<A, N>(target.pixel(line, quad.left + column), sum);
    }
  }
}

template <int N, typename Offset, typename A>
__device__ __forceinline__ void scatter_separate(
    const Picture<A, Offset>& target, const A (&grad)[4][N], const GatherCall& call,
    const Plan& plan, const Tile& tile, const Quad& quad, const Four<A>* staged) {
  for (int ky = 0; ky < call.window; ++ky) {
    for (int kx = 0; kx < call.window; ++kx) {
      const Four<A> weight = tap_weights(call, plan, tile, quad, staged, ky * call.window + kx);
#pragma unroll
      for (int p = 0; p < 4; ++p) {
        if (!(quad.valid >> p & 1)) continue;
        A values[N];
#pragma unroll
        for (int e = 0; e < N; ++e) values[e] = weight.value[p] * grad[p][e];
        add_values<A, N>(
            target.pixel(target.row(quad.base_y[p] + ky), quad.base_x[p] + kx), values);
      }
    }
  }
}

template <typename T, int N, typename Offset>
__global__ void __launch_bounds__(kThreads, 2)
    grad_source_kernel(const GatherCall call, const Plan plan) {
  using A = Accumulation<T>;
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  const Shared<A> shared(shared_bytes, plan);
  const int64_t pixels = static_cast<int64_t>(call.height) * call.width;
  for (int64_t index = blockIdx.x; index < plan.tiles; index += gridDim.x) {
    const Tile tile = locate_tile(plan, index);
    stage_weights<0, A>(call, plan, tile, shared);
    for (int chunk = blockIdx.y; chunk < plan.chunks; chunk += gridDim.y) {
      for (int item = threadIdx.x; item < plan.quads() * plan.lanes; item += blockDim.x) {
        const int q = item / plan.lanes;
        const int vector = chunk * plan.lanes + item - q * plan.lanes;
        const Quad& quad = shared.quads[q];
        if (vector >= plan.vectors || quad.valid == 0) continue;
        const Four<A>* staged = reinterpret_cast<const Four<A>*>(shared.staged + q * plan.stride);
        const Picture<A, Offset> target{
            static_cast<A*>(call.out) + tile.b * pixels * call.channels + vector * N, call.height,
            call.width, call.channels};
        A grad[4][N];
        load_quad_rows<T, N>(grad, call, tile, quad, vector, true);
        if (quad.joint) {
          scatter_joint<N>(target, grad, quad, staged, call.window, !all_finite(grad));
        } else {
          scatter_separate<N>(target, grad, call, plan, tile, quad, staged);
        }
      }
    }
    __syncthreads();
  }
}

}  // namespace gfla::cuda
