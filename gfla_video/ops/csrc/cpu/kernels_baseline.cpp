// The CPU kernels for any processor (SSE2 on x86-64, NEON on 64-bit Arm).
#include "kernels.h"

#include <vector>

#define GFLA_VECTOR_BYTES 16

namespace gfla::cpu::baseline {
#include "kernels.inc"
}  // namespace gfla::cpu::baseline
