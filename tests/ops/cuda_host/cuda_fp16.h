// Stands in for CUDA's header of the same name: float16 by its bits, subnormal numbers included.
#pragma once

#include <cmath>

#include "cuda_runtime_api.h"

struct __half {
  uint16_t bits;
};

inline float __half2float(__half value) {
  const int exponent = value.bits >> 10 & 31, fraction = value.bits & 1023;
  float size = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                             : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  if (exponent == 31) size = fraction ? NAN : INFINITY;
  return value.bits >> 15 ? -size : size;
}

inline __half __float2half_rn(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (value != value) return {0x7e00};
  const float size = std::fabs(value);
  if (size >= 65520.0f) return {static_cast<uint16_t>(sign | 0x7c00)};
  int exponent = 0;
  std::frexp(size, &exponent);
  if (size == 0 || exponent < -13) exponent = -13;  // subnormal: steps of 2^-24
  const auto steps = static_cast<unsigned>(std::nearbyint(std::ldexp(size, 11 - exponent)));
  return {static_cast<uint16_t>(sign | (((exponent + 13) << 10) + steps))};
}
