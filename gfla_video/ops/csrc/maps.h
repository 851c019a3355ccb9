// Maps with channels innermost in memory, for all devices.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace gfla {

// Pictures whose values lie channels innermost; pictures themselves may lie anywhere, so that one
// source that serves a whole batch (expand) is converted once, if at all.
inline at::Tensor channels_innermost(const at::Tensor& values, at::ScalarType type) {
  if (values.size(0) > 1 && values.stride(0) == 0) {
    return channels_innermost(values.narrow(0, 0, 1), type).expand(values.sizes());
  }
  const auto result = values.to(type);
  const int64_t channels = result.size(1), width = result.size(3);
  const bool fits = (channels == 1 || result.stride(1) == 1) &&
                    (width == 1 || result.stride(3) == channels) &&
                    (result.size(2) == 1 || result.stride(2) == width * channels);
  return fits ? result : result.contiguous(at::MemoryFormat::ChannelsLast);
}

inline at::Tensor new_maps(
    const at::Tensor& like, at::ScalarType type, int64_t channels, int64_t height, int64_t width) {
  return at::empty(
      {like.size(0), channels, height, width},
      like.options().dtype(type).memory_format(at::MemoryFormat::ChannelsLast));
}

}  // namespace gfla
