// Values, vectors and clamps of the CUDA kernels.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "gather_launch.h"

namespace gfla::cuda {

// float32 for half types and float32, float64 for float64.
template <typename T>
using Accumulation = std::conditional_t<std::is_same_v<T, double>, double, float>;

__device__ __forceinline__ float widen(float value) { return value; }
__device__ __forceinline__ double widen(double value) { return value; }
__device__ __forceinline__ float widen(__half value) { return __half2float(value); }
__device__ __forceinline__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }

template <typename T>
__device__ __forceinline__ T narrow(Accumulation<T> value) {
  if constexpr (std::is_same_v<T, __half>) {
    return __float2half_rn(value);
  } else if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __float2bfloat16_rn(value);
  } else {
    return value;
  }
}

// N neighbouring channels; 16 bytes move as one load or store.
template <typename T, int N>
struct alignas(N * sizeof(T)) Pack {
  T value[N];
};

template <typename T, int N>
__device__ __forceinline__ Pack<T, N> load_pack(const T* from) {
  Pack<T, N> pack;
  if constexpr (sizeof(pack) == sizeof(uint4)) {
    const uint4 raw = __ldg(reinterpret_cast<const uint4*>(from));
    memcpy(static_cast<void*>(&pack), &raw, sizeof(raw));
  } else {
#pragma unroll
    for (int e = 0; e < N; ++e) pack.value[e] = __ldg(from + e);
  }
  return pack;
}

template <typename T, int N>
__device__ __forceinline__ void store_pack(T* to, const Accumulation<T> (&values)[N]) {
  Pack<T, N> pack;
#pragma unroll
  for (int e = 0; e < N; ++e) pack.value[e] = narrow<T>(values[e]);
  if constexpr (sizeof(pack) == sizeof(uint4)) {
    uint4 raw;
    memcpy(&raw, static_cast<const void*>(&pack), sizeof(raw));
    *reinterpret_cast<uint4*>(to) = raw;
  } else {
#pragma unroll
    for (int e = 0; e < N; ++e) to[e] = pack.value[e];
  }
}

// The weights of one tap (or cell) for the four positions of a quad.
template <typename A>
struct alignas(16) Four {
  A value[4];
};

__device__ __forceinline__ int clamp(int value, int low, int high) {
  const int raised = value < low ? low : value;
  return raised > high ? high : raised;
}

// False where any of the values is infinite or not a number.
template <typename A, int N>
__device__ __forceinline__ bool all_finite(const A (&values)[4][N]) {
  A probe = 0;
#pragma unroll
  for (int p = 0; p < 4; ++p) {
#pragma unroll
    for (int e = 0; e < N; ++e) probe += values[p][e] * A(0);
  }
  return probe == A(0);
}

// One weight in the accumulation type. The kind is the same for all threads: a uniform branch is
// cheaper than one set of kernels per type of weights.
template <typename A>
__device__ __forceinline__ A read_weight(
    const TapWeights& weights, int64_t b, int tap, int y, int x) {
  const int64_t at = b * weights.batch + tap * weights.tap + y * weights.y + x * weights.x;
  switch (weights.kind) {
    case Kind::kFloat:
      return static_cast<A>(__ldg(static_cast<const float*>(weights.data) + at));
    case Kind::kDouble:
      return static_cast<A>(__ldg(static_cast<const double*>(weights.data) + at));
    case Kind::kHalf:
      return static_cast<A>(widen(__ldg(static_cast<const __half*>(weights.data) + at)));
    default:
      return static_cast<A>(widen(__ldg(static_cast<const __nv_bfloat16*>(weights.data) + at)));
  }
}

// One coordinate of a window's top left, clamped so that adding taps cannot overflow: farther out
// every tap is the border anyway.
__device__ __forceinline__ int read_base(
    const WindowBase& base, int64_t b, int axis, int y, int x, int window, int size) {
  const int64_t at = b * base.batch + axis * base.axis + y * base.y + x * base.x;
  return clamp(__ldg(base.data + at), -window, size + window);
}

}  // namespace gfla::cuda
