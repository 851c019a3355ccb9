// The CPU kernels for AVX2 with fused multiply-add.
#include "kernels.h"

#include <vector>

#if defined(GFLA_X86_VARIANTS)
#define GFLA_VECTOR_BYTES 32

// After the includes: nothing shared with other files may be compiled for this instruction set.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace gfla::cpu::avx2 {
#include "kernels.inc"
}  // namespace gfla::cpu::avx2

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
