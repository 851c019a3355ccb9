// Memory whose neighbours may not be touched, and values of all kinds in it.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "gather_math.cuh"

// Bytes between two pages without access: flush with the upper one (`high`) or with the lower one.
class Guarded {
 public:
  Guarded(size_t bytes, bool high) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t body = (bytes + page - 1) / page * page;
    size_ = body + 2 * page;
    void* start = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) std::abort();
    start_ = static_cast<char*>(start);
    if (body > 0 && mprotect(start_ + page, body, PROT_READ | PROT_WRITE) != 0) std::abort();
    data_ = start_ + page + (high ? body - bytes : 0);
    std::memset(data_, 0xff, bytes);  // no numbers: what is not written shows
  }
  ~Guarded() { munmap(start_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  void* data() const { return data_; }

 private:
  char* start_ = nullptr;
  char* data_ = nullptr;
  size_t size_ = 0;
};

inline size_t size_of(gfla::cuda::Kind kind) {
  using gfla::cuda::Kind;
  return kind == Kind::kDouble ? 8 : kind == Kind::kFloat ? 4 : 2;
}

inline gfla::cuda::Kind accumulation_of(gfla::cuda::Kind kind) {
  using gfla::cuda::Kind;
  return kind == Kind::kDouble ? Kind::kDouble : Kind::kFloat;
}

inline double get(const void* data, gfla::cuda::Kind kind, int64_t at) {
  using gfla::cuda::Kind;
  switch (kind) {
    case Kind::kFloat:
      return static_cast<const float*>(data)[at];
    case Kind::kDouble:
      return static_cast<const double*>(data)[at];
    case Kind::kHalf:
      return __half2float(static_cast<const __half*>(data)[at]);
    default:
      return __bfloat162float(static_cast<const __nv_bfloat16*>(data)[at]);
  }
}

inline void set(void* data, gfla::cuda::Kind kind, int64_t at, double value) {
  using gfla::cuda::Kind;
  const auto narrow = static_cast<float>(value);
  switch (kind) {
    case Kind::kFloat:
      static_cast<float*>(data)[at] = narrow;
      break;
    case Kind::kDouble:
      static_cast<double*>(data)[at] = value;
      break;
    case Kind::kHalf:
      static_cast<__half*>(data)[at] = __float2half_rn(narrow);
      break;
    default:
      static_cast<__nv_bfloat16*>(data)[at] = __float2bfloat16_rn(narrow);
  }
}
