// The CPU kernels for AVX-512.
#include "kernels.h"

#include <vector>

#if defined(GFLA_X86_VARIANTS)
#define GFLA_VECTOR_BYTES 64

// After the includes: nothing shared with other files may be compiled for this instruction set.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,fma,prefer-vector-width=512")
#endif

namespace gfla::cpu::avx512 {
#include "kernels.inc"
}  // namespace gfla::cpu::avx512

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
