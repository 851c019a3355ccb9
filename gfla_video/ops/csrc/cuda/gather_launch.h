// The CUDA kernels as seen from C++: plain pointers and sizes, no torch.
//
// windowed_gather_cuda.cpp (tensors) fills a GatherCall; the .cu files (kernels) serve it. Keeping
// torch's headers out of the .cu files makes the build for many architectures quick, and lets a
// host compiler run the same kernels in a test (tests/ops/cuda_host).
//
// Convention (windowed_gather.h): out[b, c, l] = sum_j weights[b, j, l] * source[b, c,
// clamp(base(l) + j)], j = ky * K + kx, base = (x, y) of the window's top left. Source, gradient
// and results are channels-last maps: the C values of a position are one contiguous row.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace gfla::cuda {

enum class Kind : int { kFloat, kDouble, kHalf, kBFloat16 };

// Weights [B, K*K, h, w] anywhere in memory; strides in elements.
struct TapWeights {
  const void* data = nullptr;
  Kind kind = Kind::kFloat;
  int64_t batch = 0, tap = 0, y = 0, x = 0;
};

// Base [B, 2, h, w] anywhere in memory; strides in elements.
struct WindowBase {
  const int32_t* data = nullptr;
  int64_t batch = 0, axis = 0, y = 0, x = 0;
};

// Channels-last maps; one map may serve a whole batch (stride 0).
struct Maps {
  const void* data = nullptr;
  int64_t batch = 0;  // elements from one map to the next
};

// Positions sorted by their window's base, for the ordered gradient (gather_grad_ordered.cuh).
// Key type: int64 where GatherCall::wide, else int32.
struct BaseOrder {
  const void* keys = nullptr;          // sorted keys, one per position
  const int64_t* positions = nullptr;  // flat position (b, y, x) of each key
  const int64_t* starts = nullptr;     // first entry of each key; one more than there are keys
};

struct GatherCall {
  Kind kind = Kind::kFloat;  // of source, gradient and out
  int64_t batch = 0;
  int channels = 0, height = 0, width = 0, out_height = 0, out_width = 0, window = 0;
  bool aligned = false;      // rows start at multiples of 16 bytes: vector loads
  bool wide = false;         // one map has 2^31 elements or more: 64-bit offsets inside a map
  int multiprocessors = 1;   // of the device: small problems are cut finer to fill it
  int64_t max_blocks = 0x7fffffff;
  Maps source, grad;
  TapWeights weights;
  WindowBase base;
  BaseOrder order;
  void* out = nullptr;  // packed channels-last
};

// out [B, C, h, w] of `kind` from source, weights, base.
void launch_forward(const GatherCall& call, cudaStream_t stream);

// out [B, K*K, h, w] in the accumulation type from grad, source, base.
void launch_grad_weights(const GatherCall& call, cudaStream_t stream);

// Adds to out [B, C, H, W] in the accumulation type (zeroed before), from grad, weights, base.
void launch_grad_source(const GatherCall& call, cudaStream_t stream);

// out: one key per position (int64 where wide, else int32), from base.
void launch_base_keys(const GatherCall& call, cudaStream_t stream);

// out [B, C, H, W] of `kind` from grad, weights, base and their order; the same in every run.
void launch_grad_source_ordered(const GatherCall& call, cudaStream_t stream);

// Number of different keys: bases of one map are clamped to [-K, size + K].
inline int64_t base_keys(const GatherCall& call) {
  const int64_t margin = 2 * int64_t{call.window} + 1;
  return call.batch * (call.height + margin) * (call.width + margin);
}

}  // namespace gfla::cuda
