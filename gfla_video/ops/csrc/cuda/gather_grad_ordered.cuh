// Gradient of the source, the same in every run: no atomics, additions in a fixed order.
//
// Positions are sorted by their window's base (stable, so equal bases stay in reading order). The
// windows that reach source pixel (x, y) have bases in [x-K+1, x] x [y-K+1, y], and beyond where
// the pixel lies on the border, which clamped taps fall on. For one row of bases these are one
// segment of the sorted positions; the pixel's threads add the segments up in order and write
// their row once.
#pragma once

#include "gather_tile.cuh"

namespace gfla::cuda {

// From first to last, both included.
struct Range {
  int first, last;
};

// Bases whose windows reach this coordinate.
__device__ __forceinline__ Range reaching_bases(int at, int size, int window) {
  return {at == 0 ? -window : at - window + 1, at == size - 1 ? size + window : at};
}

// Taps of a window at `base` that fall on this coordinate, clamped ones included.
__device__ __forceinline__ Range reaching_taps(int at, int base, int size, int window) {
  const int first = at == 0 ? 0 : at - base, last = at == size - 1 ? window - 1 : at - base;
  return {first < 0 ? 0 : first, last >= window ? window - 1 : last};
}

// First key of a row of bases; add the x coordinate of the base.
__device__ __forceinline__ int64_t row_key(const GatherCall& call, int64_t b, int base_y) {
  const int margin = 2 * call.window + 1;
  return (b * (call.height + margin) + base_y + call.window) * (call.width + margin) + call.window;
}

template <typename Key>
__global__ void __launch_bounds__(kThreads) base_keys_kernel(const GatherCall call, const Plan) {
  const int64_t pixels = static_cast<int64_t>(call.out_height) * call.out_width;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < call.batch * pixels; i += step) {
    const int64_t b = i / pixels;
    const int y = static_cast<int>((i - b * pixels) / call.out_width);
    const int x = static_cast<int>(i - b * pixels - static_cast<int64_t>(y) * call.out_width);
    const int base_x = read_base(call.base, b, 0, y, x, call.window, call.width);
    const int base_y = read_base(call.base, b, 1, y, x, call.window, call.height);
    static_cast<Key*>(call.out)[i] = static_cast<Key>(row_key(call, b, base_y) + base_x);
  }
}

// Adds what the sorted positions [begin, end), all with bases in one row, give to pixel x.
template <typename T, int N, typename Key, typename A>
__device__ __forceinline__ void add_segment(
    A (&sum)[N], const GatherCall& call, const T* grad, int64_t b, int x, const Range& tap_rows,
    int64_t first_key, int64_t begin, int64_t end) {
  const int64_t before = b * call.out_height * call.out_width;
  for (int64_t entry = begin; entry < end; ++entry) {
    const Key position = static_cast<Key>(__ldg(call.order.positions + entry) - before);
    const int out_y = static_cast<int>(position / call.out_width);
    const int out_x = static_cast<int>(position - static_cast<Key>(out_y) * call.out_width);
    const int base_x =
        static_cast<int>(__ldg(static_cast<const Key*>(call.order.keys) + entry) - first_key);
    const Range tap_columns = reaching_taps(x, base_x, call.width, call.window);
    A weight = 0;
    for (int ky = tap_rows.first; ky <= tap_rows.last; ++ky) {
      for (int kx = tap_columns.first; kx <= tap_columns.last; ++kx) {
        weight += read_weight<A>(call.weights, b, ky * call.window + kx, out_y, out_x);
      }
    }
    const Pack<T, N> pack =
        load_pack<T, N>(grad + static_cast<int64_t>(position) * call.channels);
#pragma unroll
    for (int e = 0; e < N; ++e) sum[e] += weight * widen(pack.value[e]);
  }
}

// The plan's tiles are tiles of source pixels here.
template <typename T, int N, typename Key>
__global__ void __launch_bounds__(kThreads, 4)
    grad_source_ordered_kernel(const GatherCall call, const Plan plan) {
  using A = Accumulation<T>;
  const int64_t pixels = static_cast<int64_t>(call.height) * call.width;
  for (int64_t index = blockIdx.x; index < plan.tiles; index += gridDim.x) {
    const Tile tile = locate_tile(plan, index);
    for (int chunk = blockIdx.y; chunk < plan.chunks; chunk += gridDim.y) {
      for (int item = threadIdx.x; item < 4 * plan.quads() * plan.lanes; item += blockDim.x) {
        const int pixel = item / plan.lanes;
        const int vector = chunk * plan.lanes + item - pixel * plan.lanes;
        const int x = tile.x + (pixel & ((2 << plan.x_shift) - 1));
        const int y = tile.y + (pixel >> (plan.x_shift + 1));
        if (vector >= plan.vectors || x >= call.width || y >= call.height) continue;
        const T* grad =
            static_cast<const T*>(call.grad.data) + tile.b * call.grad.batch + vector * N;
        const Range rows = reaching_bases(y, call.height, call.window);
        const Range columns = reaching_bases(x, call.width, call.window);
        A sum[N] = {};
        for (int base_y = rows.first; base_y <= rows.last; ++base_y) {
          const Range taps = reaching_taps(y, base_y, call.height, call.window);
          const int64_t first_key = row_key(call, tile.b, base_y);
          add_segment<T, N, Key>(
              sum, call, grad, tile.b, x, taps, first_key,
              __ldg(call.order.starts + first_key + columns.first),
              __ldg(call.order.starts + first_key + columns.last + 1));
        }
        T* out = static_cast<T*>(call.out) + tile.b * pixels * call.channels + vector * N;
        store_pack<T, N>(
            out + (static_cast<int64_t>(y) * call.width + x) * call.channels, sum);
      }
    }
  }
}

}  // namespace gfla::cuda
