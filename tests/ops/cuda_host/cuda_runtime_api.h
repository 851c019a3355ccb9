// Stands in for CUDA's headers: lets a host compiler build the kernels of gfla_video/ops/csrc/cuda
// and simulator.cpp run them. Only what those kernels use.
//
// Each CUDA thread is a fiber. __syncthreads and shuffles hand over to the others and check what
// the hardware leaves undefined: that all threads reach a barrier, all lanes of a mask a shuffle.
#pragma once

#include <cstddef>
#include <cstdint>

#define __global__
#define __device__
#define __host__
#define __shared__
#define __forceinline__ inline
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  explicit dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

using cudaStream_t = void*;
using cudaError_t = int;

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

cudaError_t cudaLaunchKernel(
    const void* function, dim3 grid, dim3 block, void** arguments, size_t shared,
    cudaStream_t stream);

void __syncthreads();

// Hands `bits` to the lanes of the mask and returns those of lane `from`.
uint64_t exchange_bits(unsigned mask, uint64_t bits, int lane_mask);

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  __builtin_memcpy(&bits, &value, sizeof(T));
  bits = exchange_bits(mask, bits, lane_mask);
  __builtin_memcpy(&value, &bits, sizeof(T));
  return value;
}

// Plain reads: misaligned vectors are caught here, where a host would forgive them.
void check_aligned(const void* address, size_t bytes);

template <typename T>
T __ldg(const T* from) {
  check_aligned(from, sizeof(T));
  return *from;
}

template <typename T>
T atomicAdd(T* to, T value) {
  check_aligned(to, sizeof(T));
  const T before = *to;
  *to = before + value;
  return before;
}
