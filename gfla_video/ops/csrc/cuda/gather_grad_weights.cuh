// Gradient of the weights: grad_weights[j, l] = sum_c grad[c, l] * source[c, clamp(base(l) + j)].
//
// A group of 4 to 32 lanes serves a quad and keeps the four gradient rows in registers. Each lane
// multiplies its channels; the four sums (one per position) of a cell or tap then shrink over the
// lanes together: two exchanges leave each quarter of the lanes with one position's sum, the rest
// is an ordinary shuffle reduction. That is 6 shuffles for 4 sums of 32 lanes instead of 20.
// Results gather in shared memory, laid out like staged weights, and leave in whole rows.
#pragma once

#include "gather_tile.cuh"

namespace gfla::cuda {

// The lanes of one quad, inside of one warp.
struct Group {
  int lanes, lane;
  unsigned mask;

  __device__ __forceinline__ explicit Group(int count)
      : lanes(count),
        lane(threadIdx.x & (count - 1)),
        mask(count == 32 ? 0xffffffffu : ((1u << count) - 1) << (threadIdx.x & 31 & ~(count - 1))) {
  }
  // After reduce: the position whose sum this lane holds, and who writes it.
  __device__ __forceinline__ int position() const { return lane / (lanes >> 2); }
  __device__ __forceinline__ bool writes() const { return (lane & ((lanes >> 2) - 1)) == 0; }
};

template <typename A>
__device__ __forceinline__ A reduce_four(const A (&part)[4], const Group& group) {
  const bool upper = group.lane & (group.lanes >> 1), odd = group.lane & (group.lanes >> 2);
  A first = upper ? part[2] : part[0];
  A second = upper ? part[3] : part[1];
  first += __shfl_xor_sync(group.mask, upper ? part[0] : part[2], group.lanes >> 1);
  second += __shfl_xor_sync(group.mask, upper ? part[1] : part[3], group.lanes >> 1);
  A total = odd ? second : first;
  total += __shfl_xor_sync(group.mask, odd ? first : second, group.lanes >> 2);
#pragma unroll
  for (int offset = 4; offset > 0; offset >>= 1) {
    if (offset <= group.lanes >> 3) total += __shfl_xor_sync(group.mask, total, offset);
  }
  return total;
}

// Where the sums of one quad go: staged cells, or memory where nothing is staged.
template <typename A>
struct Sums {
  A* data;
  const Group& group;
  bool active;  // this lane writes, and its position lies inside of the output
  bool again;   // not the first chunk of channels

  __device__ __forceinline__ void put(int64_t at, A total) const {
    if (active) data[at] = again ? data[at] + total : total;
  }
};

template <typename T, int K, int N, typename Offset, typename A>
__device__ __forceinline__ void dot_joint(
    const Sums<A>& sums, const A (&grad)[4][N], const Picture<const T, Offset>& source,
    const Quad& quad, bool loads) {
  for_each_strip<K>(quad, [&](int row, int column, auto columns) {
    constexpr int kColumns = decltype(columns)::value;
    const T* line = source.row(quad.top + row);
    Pack<T, N> packs[kColumns] = {};
    if (loads) {
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        packs[c] = load_pack<T, N>(source.pixel(line, quad.left + column + c));
      }
    }
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      A part[4] = {};
#pragma unroll
      for (int e = 0; e < N; ++e) {
        const A value = widen(packs[c].value[e]);
#pragma unroll
        for (int p = 0; p < 4; ++p) part[p] += grad[p][e] * value;
      }
      const A total = reduce_four(part, sums.group);
      sums.put(4 * (row * quad.columns + column + c) + sums.group.position(), total);
    }
  });
}

// `step` and `first`: where the sum of tap 0 goes, and how far apart the taps are.
template <typename T, int K, int N, typename Offset, typename A>
__device__ __forceinline__ void dot_separate(
    const Sums<A>& sums, int64_t first, int step, const A (&grad)[4][N],
    const Picture<const T, Offset>& source, const Quad& quad, int given_window, bool loads) {
  const int window = K > 0 ? K : given_window;
  for (int ky = 0; ky < window; ++ky) {
    const T* lines[4];
#pragma unroll
    for (int p = 0; p < 4; ++p) lines[p] = source.row(quad.base_y[p] + ky);
#pragma unroll 2
    for (int kx = 0; kx < window; ++kx) {
      Pack<T, N> packs[4] = {};
      if (loads) {
#pragma unroll
        for (int p = 0; p < 4; ++p) {
          packs[p] = load_pack<T, N>(source.pixel(lines[p], quad.base_x[p] + kx));
        }
      }
      A part[4] = {};
#pragma unroll
      for (int p = 0; p < 4; ++p) {
#pragma unroll
        for (int e = 0; e < N; ++e) part[p] += grad[p][e] * widen(packs[p].value[e]);
      }
      const A total = reduce_four(part, sums.group);
      sums.put(first + static_cast<int64_t>(ky * window + kx) * step, total);
    }
  }
}

template <typename T, int K, int N, typename Offset>
__global__ void __launch_bounds__(kThreads, 2)
    grad_weights_kernel(const GatherCall call, const Plan plan) {
  using A = Accumulation<T>;
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  const Shared<A> shared(shared_bytes, plan);
  const Group group(plan.lanes);
  const int groups = blockDim.x / plan.lanes;
  const int64_t taps = static_cast<int64_t>(call.window) * call.window;
  for (int64_t index = blockIdx.x; index < plan.tiles; index += gridDim.x) {
    const Tile tile = locate_tile(plan, index);
    A* out = static_cast<A*>(call.out) + tile.b * call.out_height * call.out_width * taps;
    locate_quads(call, plan, tile, shared.quads);
    __syncthreads();
    for (int q = threadIdx.x / plan.lanes; q < plan.quads(); q += groups) {
      const Quad& quad = shared.quads[q];
      if (quad.valid == 0) continue;
      const int p = group.position();
      Sums<A> sums{shared.staged + q * plan.stride, group,
                   group.writes() && (quad.valid >> p & 1 || plan.cells > 0), false};
      int64_t first = p;
      if (plan.cells == 0) {
        sums.data = out;
        first = taps * pixel_of(call, quad, p);
      }
      for (int chunk = 0; chunk < plan.chunks; ++chunk) {
        const int vector = chunk * plan.lanes + group.lane;
        const bool loads = vector < plan.vectors;
        A grad[4][N];
        load_quad_rows<T, N>(grad, call, tile, quad, vector, loads);
        const Picture<const T, Offset> source{
            static_cast<const T*>(call.source.data) + tile.b * call.source.batch + vector * N,
            call.height, call.width, call.channels};
        sums.again = chunk > 0;
        if (quad.joint) {
          dot_joint<T, K, N>(sums, grad, source, quad, loads);
        } else {
          dot_separate<T, K, N>(
              sums, first, plan.cells > 0 ? 4 : 1, grad, source, quad, call.window, loads);
        }
      }
    }
    __syncthreads();
    if (plan.cells > 0) {
      for_each_tap<K>(plan, call.window, true, [&](int q, int p, int tap, int ky, int kx) {
        const Quad& quad = shared.quads[q];
        if (!(quad.valid >> p & 1)) return;
        out[pixel_of(call, quad, p) * taps + tap] =
            shared.staged[q * plan.stride + 4 * staged_cell(quad, p, ky, kx, call.window) + p];
      });
    }
    __syncthreads();
  }
}

}  // namespace gfla::cuda
