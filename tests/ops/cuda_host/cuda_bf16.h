// Stands in for CUDA's header of the same name: bfloat16 by its bits.
#pragma once

#include "cuda_runtime_api.h"

struct __nv_bfloat16 {
  uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 value) {
  const uint32_t wide = static_cast<uint32_t>(value.bits) << 16;
  float result;
  __builtin_memcpy(&result, &wide, sizeof(result));
  return result;
}

inline __nv_bfloat16 __float2bfloat16_rn(float value) {
  uint32_t wide;
  __builtin_memcpy(&wide, &value, sizeof(wide));
  if (value != value) return {0x7fff};
  return {static_cast<uint16_t>((wide + 0x7fff + (wide >> 16 & 1)) >> 16)};
}
