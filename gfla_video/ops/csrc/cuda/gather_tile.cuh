// Tiles, quads and boxes: how the three kernels share the work and reuse what they load.
//
// A block serves a tile of output positions, cut into quads of 2 x 2 neighbours. A thread serves
// one channel vector (16 bytes where rows are aligned) of one quad, so neighbouring threads read
// neighbouring channels, and narrow maps put several quads into one warp.
//
// The gather is bound by the L1 cache and not by memory: K * K rows are read for each one that is
// written. Flows are smooth, so the four windows of a quad overlap: their common box of about
// (K+1)^2 cells is read once for all four ("joint") instead of K^2 taps four times, 49 loads for
// 144 at K = 6. Quads whose windows lie apart read them one by one ("separate").
//
// The weights are staged in shared memory as groups of four, one per position of the quad: by
// cell of the box (zero outside of a position's window) where joint, by tap where separate.
// Windows too large for that (K > 53 in float32) are read separately, weights from memory.
#pragma once

#include "gather_math.cuh"

namespace gfla::cuda {

constexpr int kThreads = 256;
constexpr int kMaxQuads = 64;                // of a tile
constexpr int kUsualQuads = 16;              // 8 x 8 positions
constexpr size_t kSharedBytes = 48 * 1024;   // what every device gives without asking

// Four windows and their box, in source pixels.
struct Quad {
  int x, y;           // first output position; the others are right of, below and across
  int valid;          // bit p: position p lies inside of the output
  int joint;          // the box is read once for all four
  int left, top, columns, rows;
  int base_x[4], base_y[4];  // top left of each window; of the first where not valid
};

// How a call is cut up; made on the host by make_plan.
struct Plan {
  int vectors = 0;   // channel vectors of a row
  int lanes = 0;     // threads side by side on one quad
  int chunks = 0;    // times that these lanes cover the row
  int x_shift = 0, y_shift = 0;  // a tile has 2^x_shift * 2^y_shift quads
  int tiles_x = 0, tiles_y = 0;
  int64_t tiles = 0;
  int cells = 0;     // groups of four staged per quad; 0: too many, nothing is staged
  int stride = 0;    // elements from one quad's staged weights to the next
  int threads = 0;
  int64_t blocks_x = 0;
  int blocks_y = 1;  // over chunks, where the tiles alone do not fill the device
  size_t shared = 0;

  __host__ __device__ int quads() const { return 1 << (x_shift + y_shift); }
};

struct Tile {
  int64_t b;
  int x, y;  // first output position
};

__device__ __forceinline__ Tile locate_tile(const Plan& plan, int64_t index) {
  const int64_t row = index / plan.tiles_x;
  Tile tile;
  tile.b = row / plan.tiles_y;
  tile.x = static_cast<int>(index - row * plan.tiles_x) << (plan.x_shift + 1);
  tile.y = static_cast<int>(row - tile.b * plan.tiles_y) << (plan.y_shift + 1);
  return tile;
}

// Shared memory: the quads, then what is staged for each.
template <typename A>
struct Shared {
  Quad* quads;
  A* staged;

  __device__ Shared(unsigned char* bytes, const Plan& plan)
      : quads(reinterpret_cast<Quad*>(bytes)),
        staged(reinterpret_cast<A*>(bytes + plan.quads() * sizeof(Quad))) {}
};
static_assert(sizeof(Quad) % 16 == 0, "what follows the quads is read 16 bytes at a time");

__device__ __forceinline__ Quad locate_quad(
    const GatherCall& call, const Plan& plan, const Tile& tile, int q) {
  Quad quad;
  quad.x = tile.x + 2 * (q & ((1 << plan.x_shift) - 1));
  quad.y = tile.y + 2 * (q >> plan.x_shift);
  quad.valid = quad.joint = quad.left = quad.top = quad.columns = quad.rows = 0;
  if (quad.x >= call.out_width || quad.y >= call.out_height) return quad;
  int right = 0, bottom = 0;
#pragma unroll
  for (int p = 0; p < 4; ++p) {
    const int x = quad.x + (p & 1), y = quad.y + (p >> 1);
    quad.base_x[p] = quad.base_x[0];
    quad.base_y[p] = quad.base_y[0];
    if (x >= call.out_width || y >= call.out_height) continue;
    quad.valid |= 1 << p;
    const int bx = read_base(call.base, tile.b, 0, y, x, call.window, call.width);
    const int by = read_base(call.base, tile.b, 1, y, x, call.window, call.height);
    quad.base_x[p] = bx;
    quad.base_y[p] = by;
    quad.left = p == 0 || bx < quad.left ? bx : quad.left;
    quad.top = p == 0 || by < quad.top ? by : quad.top;
    right = p == 0 || bx > right ? bx : right;
    bottom = p == 0 || by > bottom ? by : bottom;
  }
  quad.columns = right - quad.left + call.window;
  quad.rows = bottom - quad.top + call.window;
  // A joint cell costs four multiply-adds where a separate tap costs one.
  const int widest = call.window + 2;
  quad.joint = plan.cells > 0 && quad.columns <= widest && quad.rows <= widest &&
               quad.columns * quad.rows <= 3 * call.window * call.window;
  return quad;
}

// All threads of the block; a barrier must follow.
__device__ __forceinline__ void locate_quads(
    const GatherCall& call, const Plan& plan, const Tile& tile, Quad* quads) {
  for (int q = threadIdx.x; q < plan.quads(); q += blockDim.x) {
    quads[q] = locate_quad(call, plan, tile, q);
  }
}

// Which group of four holds tap (ky, kx) of position p.
__device__ __forceinline__ int staged_cell(const Quad& quad, int p, int ky, int kx, int window) {
  return quad.joint ? (quad.base_y[p] - quad.top + ky) * quad.columns +
                          (quad.base_x[p] - quad.left + kx)
                    : ky * window + kx;
}

// Whether cell (row, column) of the box belongs to the window of position p.
__device__ __forceinline__ bool in_window(
    const Quad& quad, int p, int row, int column, int window) {
  return static_cast<unsigned>(quad.top + row - quad.base_y[p]) < static_cast<unsigned>(window) &&
         static_cast<unsigned>(quad.left + column - quad.base_x[p]) <
             static_cast<unsigned>(window);
}

// Visits every (quad, position, tap) of a tile once with all threads. `tap_first` says what
// neighbouring threads visit: taps of one position, or one tap of neighbouring positions.
template <int K, typename Body>
__device__ __forceinline__ void for_each_tap(
    const Plan& plan, int window, bool tap_first, const Body& body) {
  const int side = K > 0 ? K : window;
  const int taps = side * side, shift = plan.x_shift + plan.y_shift + 2;
  for (int i = threadIdx.x; i < taps << shift; i += blockDim.x) {
    int q, p, tap;
    if (tap_first) {
      tap = i % taps;
      p = i / taps & 3;
      q = i / taps >> 2;
    } else {
      tap = i >> shift;
      const int x = i & ((2 << plan.x_shift) - 1);
      const int y = (i & ((1 << shift) - 1)) >> (plan.x_shift + 1);
      p = (y & 1) * 2 + (x & 1);
      q = ((y >> 1) << plan.x_shift) + (x >> 1);
    }
    body(q, p, tap, tap / side, tap % side);
  }
}

// Locates the quads of a tile and stages their weights; ends with a barrier.
template <int K, typename A>
__device__ __forceinline__ void stage_weights(
    const GatherCall& call, const Plan& plan, const Tile& tile, const Shared<A>& shared) {
  locate_quads(call, plan, tile, shared.quads);
  for (int i = threadIdx.x; i < plan.quads() * plan.stride; i += blockDim.x) shared.staged[i] = 0;
  __syncthreads();
  if (plan.cells > 0) {
    for_each_tap<K>(
        plan, call.window, call.weights.tap == 1,
        [&](int q, int p, int tap, int ky, int kx) {
          const Quad& quad = shared.quads[q];
          if (!(quad.valid >> p & 1)) return;
          shared.staged[q * plan.stride + 4 * staged_cell(quad, p, ky, kx, call.window) + p] =
              read_weight<A>(
                  call.weights, tile.b, tap, quad.y + (p >> 1), quad.x + (p & 1));
        });
  }
  __syncthreads();
}

// The staged weights of one tap, or the weights in memory where nothing is staged.
template <typename A>
__device__ __forceinline__ Four<A> tap_weights(
    const GatherCall& call, const Plan& plan, const Tile& tile, const Quad& quad,
    const Four<A>* staged, int tap) {
  if (plan.cells > 0) return staged[tap];
  Four<A> weights;
#pragma unroll
  for (int p = 0; p < 4; ++p) {
    weights.value[p] = quad.valid >> p & 1 ? read_weight<A>(
                                                 call.weights, tile.b, tap, quad.y + (p >> 1),
                                                 quad.x + (p & 1))
                                           : A(0);
  }
  return weights;
}

// A channels-last map at one channel vector: where its pixels are.
template <typename T, typename Offset>
struct Picture {
  T* data;
  int height, width;
  Offset channels;

  __device__ __forceinline__ T* row(int y) const {
    return data + static_cast<Offset>(clamp(y, 0, height - 1)) * width * channels;
  }
  __device__ __forceinline__ T* pixel(T* row_start, int x) const {
    return row_start + static_cast<Offset>(clamp(x, 0, width - 1)) * channels;
  }
};

// Output pixel of position p.
__device__ __forceinline__ int64_t pixel_of(const GatherCall& call, const Quad& quad, int p) {
  return static_cast<int64_t>(quad.y + (p >> 1)) * call.out_width + quad.x + (p & 1);
}

// Gradient rows of a quad at one channel vector; zero where there is no position or no channel.
template <typename T, int N, typename A>
__device__ __forceinline__ void load_quad_rows(
    A (&rows)[4][N], const GatherCall& call, const Tile& tile, const Quad& quad, int vector,
    bool loads) {
  const T* map = static_cast<const T*>(call.grad.data) + tile.b * call.grad.batch + vector * N;
#pragma unroll
  for (int p = 0; p < 4; ++p) {
    Pack<T, N> pack = {};
    if (loads && (quad.valid >> p & 1)) {
      pack = load_pack<T, N>(map + pixel_of(call, quad, p) * call.channels);
    }
#pragma unroll
    for (int e = 0; e < N; ++e) rows[p][e] = widen(pack.value[e]);
  }
}

// Calls body(row, first column, number of columns as a type) until the whole box is served. K fixes
// the three widths that a joint box can have, so that all loads of a row are under way at once.
template <int K, typename Body>
__device__ __forceinline__ void for_each_strip(const Quad& quad, const Body& body) {
  if constexpr (K > 0) {
    if (quad.columns == K) {
      for (int row = 0; row < quad.rows; ++row) {
        body(row, 0, std::integral_constant<int, K>{});
      }
    } else if (quad.columns == K + 1) {
      for (int row = 0; row < quad.rows; ++row) {
        body(row, 0, std::integral_constant<int, K + 1>{});
      }
    } else {
      for (int row = 0; row < quad.rows; ++row) {
        body(row, 0, std::integral_constant<int, K + 2>{});
      }
    }
  } else {
    for (int row = 0; row < quad.rows; ++row) {
      int column = 0;
      for (; column + 4 <= quad.columns; column += 4) {
        body(row, column, std::integral_constant<int, 4>{});
      }
      for (; column < quad.columns; ++column) body(row, column, std::integral_constant<int, 1>{});
    }
  }
}

}  // namespace gfla::cuda
