// Forward kernel: out[l] = sum_j weights[j, l] * source[clamp(base(l) + j)], whole rows of C.
#pragma once

#include "gather_tile.cuh"

namespace gfla::cuda {

// All four windows from their common box. Weights are zero outside of a position's window, which
// changes nothing unless a value there is infinite or not a number: see below.
template <typename T, int K, int N, typename Offset, typename A>
__device__ __forceinline__ void gather_joint(
    A (&sum)[4][N], const Picture<const T, Offset>& source, const Quad& quad,
    const Four<A>* staged) {
  for_each_strip<K>(quad, [&](int row, int column, auto columns) {
    constexpr int kColumns = decltype(columns)::value;
    const T* line = source.row(quad.top + row);
    const Four<A>* weights = staged + row * quad.columns + column;
    Pack<T, N> packs[kColumns];
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      packs[c] = load_pack<T, N>(source.pixel(line, quad.left + column + c));
    }
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      const Four<A> weight = weights[c];
#pragma unroll
      for (int e = 0; e < N; ++e) {
        const A value = widen(packs[c].value[e]);
#pragma unroll
        for (int p = 0; p < 4; ++p) sum[p][e] += weight.value[p] * value;
      }
    }
  });
}

// The same, each position inside of its window only: for boxes with values that are not finite.
template <typename T, int N, typename Offset, typename A>
__device__ void gather_exact(
    A (&sum)[4][N], const Picture<const T, Offset>& source, const Quad& quad,
    const Four<A>* staged, int window) {
  for (int cell = 0; cell < quad.rows * quad.columns; ++cell) {
    const int row = cell / quad.columns, column = cell % quad.columns;
    const Pack<T, N> pack =
        load_pack<T, N>(source.pixel(source.row(quad.top + row), quad.left + column));
#pragma unroll
    for (int p = 0; p < 4; ++p) {
      if (!in_window(quad, p, row, column, window)) continue;
#pragma unroll
      for (int e = 0; e < N; ++e) sum[p][e] += staged[cell].value[p] * widen(pack.value[e]);
    }
  }
}

// Each position's window by itself.
template <typename T, int K, int N, typename Offset, typename A>
__device__ __forceinline__ void gather_separate(
    A (&sum)[4][N], const Picture<const T, Offset>& source, const GatherCall& call,
    const Plan& plan, const Tile& tile, const Quad& quad, const Four<A>* staged) {
  const int window = K > 0 ? K : call.window;
  for (int ky = 0; ky < window; ++ky) {
    const T* lines[4];
#pragma unroll
    for (int p = 0; p < 4; ++p) lines[p] = source.row(quad.base_y[p] + ky);
#pragma unroll K > 0 ? K : 2
    for (int kx = 0; kx < window; ++kx) {
      const Four<A> weight = tap_weights(call, plan, tile, quad, staged, ky * window + kx);
      Pack<T, N> packs[4];
#pragma unroll
      for (int p = 0; p < 4; ++p) {
        packs[p] = load_pack<T, N>(source.pixel(lines[p], quad.base_x[p] + kx));
      }
#pragma unroll
      for (int p = 0; p < 4; ++p) {
#pragma unroll
        for (int e = 0; e < N; ++e) sum[p][e] += weight.value[p] * widen(packs[p].value[e]);
      }
    }
  }
}

template <typename T, int K, int N, typename Offset>
__global__ void __launch_bounds__(kThreads, 2)
    forward_kernel(const GatherCall call, const Plan plan) {
  using A = Accumulation<T>;
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  const Shared<A> shared(shared_bytes, plan);
  const int64_t pixels = static_cast<int64_t>(call.out_height) * call.out_width;
  for (int64_t index = blockIdx.x; index < plan.tiles; index += gridDim.x) {
    const Tile tile = locate_tile(plan, index);
    stage_weights<K, A>(call, plan, tile, shared);
    for (int chunk = blockIdx.y; chunk < plan.chunks; chunk += gridDim.y) {
      for (int item = threadIdx.x; item < plan.quads() * plan.lanes; item += blockDim.x) {
        const int q = item / plan.lanes;
        const int vector = chunk * plan.lanes + item - q * plan.lanes;
        const Quad& quad = shared.quads[q];
        if (vector >= plan.vectors || quad.valid == 0) continue;
        const Four<A>* staged = reinterpret_cast<const Four<A>*>(shared.staged + q * plan.stride);
        const Picture<const T, Offset> source{
            static_cast<const T*>(call.source.data) + tile.b * call.source.batch + vector * N,
            call.height, call.width, call.channels};
        A sum[4][N] = {};
        if (quad.joint) {
          gather_joint<T, K, N>(sum, source, quad, staged);
          if (!all_finite(sum)) {
            memset(sum, 0, sizeof(sum));
            gather_exact<T, N>(sum, source, quad, staged, call.window);
          }
        } else {
          gather_separate<T, K, N>(sum, source, call, plan, tile, quad, staged);
        }
        T* out = static_cast<T*>(call.out) + tile.b * pixels * call.channels + vector * N;
#pragma unroll
        for (int p = 0; p < 4; ++p) {
          if (!(quad.valid >> p & 1)) continue;
          const Offset pixel =
              static_cast<Offset>(quad.y + (p >> 1)) * call.out_width + quad.x + (p & 1);
          store_pack<T, N>(out + pixel * call.channels, sum[p]);
        }
      }
    }
    __syncthreads();
  }
}

}  // namespace gfla::cuda
