// From a call to a launch: how to cut it up, and which instance of a kernel serves it.
//
// Instances: 16-byte vectors with K fixed (the windows in use) or given at run time; single values
// with K given at run time for rows that are not aligned and for float64; the same with 64-bit
// offsets for maps of 2^31 elements or more.
#pragma once

#include "gather_tile.cuh"

namespace gfla::cuda {

// What a kernel stages per quad, and how its lanes work.
struct Wish {
  int vector = 1;             // channels per thread
  int out_height = 0, out_width = 0;  // what the tiles cover
  size_t element = 0;         // bytes of a staged value; 0: nothing is staged
  bool groups = false;        // lanes are a power of two and see all channels of their quad
};

constexpr int kMaxCells = 4096;  // beyond, one quad alone would not fit anyway

inline int64_t ceil_div(int64_t value, int64_t by) { return (value + by - 1) / by; }

inline size_t staged_bytes(const Plan& plan, const Wish& wish) {
  return plan.quads() * (sizeof(Quad) + plan.stride * wish.element);
}

inline void set_tiles(Plan& plan, const GatherCall& call, const Wish& wish) {
  plan.tiles_x = static_cast<int>(ceil_div(wish.out_width, int64_t{2} << plan.x_shift));
  plan.tiles_y = static_cast<int>(ceil_div(wish.out_height, int64_t{2} << plan.y_shift));
  plan.tiles = call.batch * plan.tiles_x * plan.tiles_y;
}

// Widens or narrows the tile by a factor of two, so that it stays nearly square.
inline void grow(Plan& plan) { ++(plan.x_shift <= plan.y_shift ? plan.x_shift : plan.y_shift); }
inline void shrink(Plan& plan) { --(plan.y_shift >= plan.x_shift ? plan.y_shift : plan.x_shift); }

inline void set_lanes(Plan& plan, const GatherCall& call, const Wish& wish) {
  plan.vectors = call.channels / wish.vector;
  if (wish.groups) {
    plan.lanes = 4;
    while (plan.lanes < 32 && plan.lanes < plan.vectors) plan.lanes *= 2;
    plan.chunks = static_cast<int>(ceil_div(plan.vectors, plan.lanes));
  } else {
    plan.chunks = static_cast<int>(ceil_div(plan.vectors, 32));
    plan.lanes = static_cast<int>(ceil_div(plan.vectors, plan.chunks));
  }
}

inline Plan make_plan(const GatherCall& call, const Wish& wish) {
  Plan plan;
  set_lanes(plan, call, wish);
  const int64_t cells = (int64_t{call.window} + 2) * (call.window + 2);
  if (wish.element > 0 && cells <= kMaxCells) {
    plan.cells = static_cast<int>(cells);
    plan.stride = 4 * plan.cells + 4;  // neighbouring quads start in different banks
    if (staged_bytes(plan, wish) > kSharedBytes) plan.cells = plan.stride = 0;
  }
  while (plan.quads() < kUsualQuads) grow(plan);
  while (plan.quads() < kMaxQuads && plan.quads() * plan.lanes < 2 * kThreads) grow(plan);
  while (plan.quads() > 1 && staged_bytes(plan, wish) > kSharedBytes) shrink(plan);
  set_tiles(plan, call, wish);
  while (plan.quads() > 4 && plan.tiles < 2 * call.multiprocessors) {
    shrink(plan);
    set_tiles(plan, call, wish);
  }
  const int64_t items = static_cast<int64_t>(plan.quads()) * plan.lanes;
  plan.threads = static_cast<int>(items >= kThreads ? kThreads : ceil_div(items, 32) * 32);
  plan.shared = wish.element > 0 ? staged_bytes(plan, wish) : 0;
  plan.blocks_x = plan.tiles < call.max_blocks ? plan.tiles : call.max_blocks;
  const bool spread = !wish.groups && plan.tiles < 2 * call.multiprocessors;
  plan.blocks_y = spread ? (plan.chunks < 65535 ? plan.chunks : 65535) : 1;
  return plan;
}

using Kernel = void (*)(GatherCall, Plan);

inline void launch(Kernel kernel, const GatherCall& call, const Plan& plan, cudaStream_t stream) {
  GatherCall call_argument = call;
  Plan plan_argument = plan;
  void* arguments[] = {&call_argument, &plan_argument};
  // What it returns stays the last error too, which the caller checks.
  (void)cudaLaunchKernel(
      reinterpret_cast<const void*>(kernel),
      dim3(static_cast<unsigned>(plan.blocks_x), static_cast<unsigned>(plan.blocks_y)),
      dim3(static_cast<unsigned>(plan.threads)), arguments, plan.shared, stream);
}

// Calls body with a null pointer of the type that the call's kind names.
template <typename Body>
void for_kind(Kind kind, const Body& body) {
  switch (kind) {
    case Kind::kFloat:
      return body(static_cast<float*>(nullptr));
    case Kind::kDouble:
      return body(static_cast<double*>(nullptr));
    case Kind::kHalf:
      return body(static_cast<__half*>(nullptr));
    case Kind::kBFloat16:
      return body(static_cast<__nv_bfloat16*>(nullptr));
  }
}

// Channels per thread.
template <typename T>
int vector_of(const GatherCall& call) {
  constexpr int kWidest = 16 / sizeof(T);
  const bool wide = call.wide || std::is_same_v<T, double>;
  return !wide && call.aligned && call.channels % kWidest == 0 ? kWidest : 1;
}

}  // namespace gfla::cuda
