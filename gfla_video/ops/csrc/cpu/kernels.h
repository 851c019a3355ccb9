// What the compiled variants of the CPU kernels share: their arguments and their table.
//
// The kernels of kernels.inc are compiled once per instruction set; the best that the processor has
// is chosen at run time, so that one build runs everywhere.
#pragma once

#include "../windowed_gather.h"

namespace gfla::cpu {

// One call's arguments. Values of `source` and `rows` lie channels innermost: position (b, y, x) of
// the source starts at b * source_batch + (y * width + x) * channels. Weights and base have strides.
template <typename T>
struct GatherTask {
  GatherShape shape;
  const T* source = nullptr;  // [B, H, W, C], values that are read
  int64_t source_batch = 0;   // elements from one picture to the next (0: one for all)
  const T* rows = nullptr;    // [B, h, w, C], gradient of the output (backward only)
  int64_t rows_batch = 0;
  T* out = nullptr;               // what is written, dense, channels innermost
  const T* weights = nullptr;     // [B, K*K, h, w]
  int64_t weight_strides[4] = {};  // of b, j, y, x
  const int32_t* base = nullptr;  // [B, 2, h, w]
  int64_t base_strides[4] = {};   // of b, (x|y), y, x
};

// Output rows (b * h + y) in [begin, end).
template <typename T>
using RowKernel = void (*)(const GatherTask<T>&, int64_t begin, int64_t end);

// All output rows of one picture, channels in [begin, end) of what is written, zeros first.
template <typename T>
using ChannelKernel = void (*)(const GatherTask<T>&, int64_t picture, int64_t begin, int64_t end);

template <typename T>
struct KernelTable {
  RowKernel<T> forward;
  RowKernel<T> grad_weights;
  ChannelKernel<T> grad_source;
};

namespace baseline {
template <typename T>
KernelTable<T> table();
}
#if defined(__x86_64__) && defined(__GNUC__)
#define GFLA_X86_VARIANTS 1
namespace avx2 {
template <typename T>
KernelTable<T> table();
}
namespace avx512 {
template <typename T>
KernelTable<T> table();
}
#endif

}  // namespace gfla::cpu
