// Compares the CUDA kernels, run by simulator.cpp, with plain loops on random cases.
//
//     harness SEED CASES     exit status 1 and the case's description at the first difference
//
// A case draws types, sizes (all tails, one-pixel maps, K 1..6 and wider), layouts of weights and
// base, flows (smooth, wild, far outside of int32's middle), values that are not finite, 64-bit
// offsets, few blocks (grid-stride) and few or many multiprocessors (tile sizes).
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "buffers.h"
#include "gather_plan.cuh"

using gfla::cuda::GatherCall;
using gfla::cuda::Kind;

namespace {

std::mt19937 generator;

int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }
template <typename T>
T pick(const std::vector<T>& choices) {
  return choices[draw(0, static_cast<int>(choices.size()) - 1)];
}
double normal() { return std::normal_distribution<double>()(generator); }

struct Case {
  GatherCall call;
  std::string text;
  bool high = false;
  std::vector<std::unique_ptr<Guarded>> memory;

  void* reserve(int64_t elements, size_t size) {
    memory.push_back(std::make_unique<Guarded>(elements * size, high));
    return memory.back()->data();
  }
  int64_t positions() const { return int64_t{call.out_height} * call.out_width; }
  int64_t pixels() const { return int64_t{call.height} * call.width; }
  int taps() const { return call.window * call.window; }

  // Values as the kernel sees them.
  double weight(int64_t b, int tap, int y, int x) const {
    const auto& w = call.weights;
    return get(w.data, w.kind, b * w.batch + tap * w.tap + y * w.y + x * w.x);
  }
  int64_t source_at(int64_t b, int tap, int y, int x) const {
    const auto& at = call.base;
    const int64_t bx = at.data[b * at.batch + y * at.y + x * at.x];
    const int64_t by = at.data[b * at.batch + at.axis + y * at.y + x * at.x];
    const int64_t sx = std::clamp<int64_t>(bx + tap % call.window, 0, call.width - 1);
    const int64_t sy = std::clamp<int64_t>(by + tap / call.window, 0, call.height - 1);
    return (sy * call.width + sx) * call.channels;
  }
};

void* fill(Case& c, Kind kind, int64_t elements, bool odd_values) {
  void* data = c.reserve(elements, size_of(kind));
  for (int64_t i = 0; i < elements; ++i) set(data, kind, i, normal());
  if (odd_values) {
    for (int i = 0; i < 3; ++i) {
      const double value = pick<double>({NAN, INFINITY, -INFINITY});
      set(data, kind, draw(0, static_cast<int>(elements) - 1), value);
    }
  }
  return data;
}

// Strides of [B, planes, h, w] in one of three layouts, and how many elements they span.
template <typename View>
int64_t lay_out(const Case& c, View& view, int64_t& plane, int planes, int layout) {
  const int64_t h = c.call.out_height, w = c.call.out_width, b = c.call.batch;
  if (layout == 0) {
    view.x = 1, view.y = w, plane = h * w, view.batch = planes * h * w;
  } else if (layout == 1) {
    plane = 1, view.x = planes, view.y = planes * w, view.batch = planes * h * w;
  } else {  // a slice of something larger, transposed
    view.y = 2, view.x = 2 * h + 3, plane = view.x * w, view.batch = plane * planes + 5;
  }
  return (b - 1) * view.batch + (planes - 1) * plane + (h - 1) * view.y + (w - 1) * view.x + 1;
}

void fill_base(Case& c, int flow) {
  const int64_t count = lay_out(c, c.call.base, c.call.base.axis, 2, draw(0, 2));
  auto* data = static_cast<int32_t*>(c.reserve(count, sizeof(int32_t)));
  c.call.base.data = data;
  const int constant = draw(-8, 8);
  for (int64_t b = 0; b < c.call.batch; ++b) {
    for (int axis = 0; axis < 2; ++axis) {
      const int size = axis ? c.call.height : c.call.width;
      for (int y = 0; y < c.call.out_height; ++y) {
        for (int x = 0; x < c.call.out_width; ++x) {
          int64_t value = (axis ? y : x) - c.call.window / 2;
          if (flow == 1) value += constant + draw(0, 1);
          if (flow == 2) value = draw(-c.call.window - 3, size + 3);
          if (flow == 3) {
            value = pick<int64_t>(
                {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max(), value,
                 -1000000, std::numeric_limits<int32_t>::max() - 2});
          }
          if (flow == 4) value = constant;
          const auto& at = c.call.base;
          data[b * at.batch + axis * at.axis + y * at.y + x * at.x] = static_cast<int32_t>(value);
        }
      }
    }
  }
}

void draw_sizes(Case& c) {
  auto& call = c.call;
  call.kind = pick<Kind>({Kind::kFloat, Kind::kDouble, Kind::kHalf, Kind::kBFloat16});
  call.batch = draw(1, 2);
  call.channels = pick<int>({1, 2, 3, 4, 5, 7, 8, 16, 20, 31, 32, 33, 64, 100, 128, 136, 256, 300,
                             draw(1, 300)});
  const int side = call.channels > 100 ? 6 : 12;
  call.height = draw(1, side);
  call.width = draw(1, side);
  call.out_height = draw(1, side);
  call.out_width = draw(1, side);
  call.window = pick<int>({1, 2, 3, 4, 5, 6, 2, 4, 6, draw(7, 12)});
  if (draw(0, 40) == 0) {  // too wide to be staged
    call.channels = draw(1, 40), call.window = 54;
    call.height = call.width = call.out_height = call.out_width = 3;
  }
  if (draw(0, 9) == 0) call.height = call.width = call.out_height = call.out_width = 1;
}

void fill_values(Case& c, bool odd_values) {
  auto& call = c.call;
  const int64_t shared_source = draw(0, 4) == 0;  // one source for the whole batch
  call.source.batch = shared_source ? 0 : c.pixels() * call.channels;
  call.source.data =
      fill(c, call.kind, (shared_source ? 1 : call.batch) * c.pixels() * call.channels, odd_values);
  call.grad.batch = c.positions() * call.channels;
  call.grad.data = fill(c, call.kind, call.batch * call.grad.batch, odd_values);
  call.weights.kind = draw(0, 1) ? call.kind : accumulation_of(call.kind);
  const int64_t count = lay_out(c, call.weights, call.weights.tap, c.taps(), draw(0, 2));
  call.weights.data = fill(c, call.weights.kind, count, false);
}

Case make_case() {
  Case c;
  auto& call = c.call;
  c.high = draw(0, 1);
  draw_sizes(c);
  const int flow = draw(0, 4), odd_values = draw(0, 4) == 0;
  fill_values(c, odd_values);
  fill_base(c, flow);
  call.aligned = true;
  for (const auto* maps : {&call.source, &call.grad}) {
    call.aligned &= reinterpret_cast<uintptr_t>(maps->data) % 16 == 0;
    call.aligned &= call.batch == 1 || maps->batch * size_of(call.kind) % 16 == 0;
  }
  call.wide = draw(0, 9) == 0;
  call.multiprocessors = pick<int>({1, 1, 4, 132});
  call.max_blocks = pick<int64_t>({1, 2, 1 << 20});
  const char* kinds[] = {"float", "double", "half", "bfloat16"};
  char text[400];
  std::snprintf(
      text, sizeof(text),
      "%s weights %s B %d C %d source %dx%d out %dx%d K %d flow %d weight strides %ld %ld %ld "
      "aligned %d wide %d odd values %d blocks %ld multiprocessors %d",
      kinds[static_cast<int>(call.kind)], kinds[static_cast<int>(call.weights.kind)],
      static_cast<int>(call.batch), call.channels, call.height, call.width, call.out_height,
      call.out_width, call.window, flow, static_cast<long>(call.weights.tap),
      static_cast<long>(call.weights.y), static_cast<long>(call.weights.x), call.aligned,
      call.wide, odd_values, static_cast<long>(call.max_blocks), call.multiprocessors);
  c.text = text;
  return c;
}

// A sum and the size of its terms, which rounding is measured by.
struct Sum {
  double value = 0, size = 0;
  void add(double term) {
    value += term;
    size += std::fabs(term);
  }
};

struct Expected {
  std::vector<Sum> out, grad_source, grad_weights;
};

Expected plain_loops(const Case& c) {
  const auto& call = c.call;
  const int channels = call.channels;
  Expected e;
  e.out.resize(call.batch * c.positions() * channels);
  e.grad_source.resize(call.batch * c.pixels() * channels);
  e.grad_weights.resize(call.batch * c.positions() * c.taps());
  for (int64_t b = 0; b < call.batch; ++b) {
    for (int y = 0; y < call.out_height; ++y) {
      for (int x = 0; x < call.out_width; ++x) {
        const int64_t l = int64_t{y} * call.out_width + x, row = b * c.positions() + l;
        for (int tap = 0; tap < c.taps(); ++tap) {
          const double weight = c.weight(b, tap, y, x);
          const int64_t at = c.source_at(b, tap, y, x);
          for (int channel = 0; channel < channels; ++channel) {
            const double source =
                get(call.source.data, call.kind, b * call.source.batch + at + channel);
            const double grad =
                get(call.grad.data, call.kind, b * call.grad.batch + l * channels + channel);
            e.out[row * channels + channel].add(weight * source);
            e.grad_source[b * c.pixels() * channels + at + channel].add(weight * grad);
            e.grad_weights[row * c.taps() + tap].add(grad * source);
          }
        }
      }
    }
  }
  return e;
}

void compare(
    const Case& c, const char* name, const void* got, Kind kind, const std::vector<Sum>& expected) {
  const double sums = c.call.kind == Kind::kDouble ? 1e-13 : 4e-6;
  const double rounding = kind == Kind::kHalf ? 5e-4 : kind == Kind::kBFloat16 ? 4e-3 : 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double value = get(got, kind, static_cast<int64_t>(i)), right = expected[i].value;
    // Which of infinite and no number it is may depend on what is added first.
    const bool same = std::isfinite(right)
                          ? std::fabs(value - right) <=
                                sums * expected[i].size + rounding * std::fabs(right) + 1e-7
                          : !std::isfinite(value);
    if (same) continue;
    std::fprintf(
        stderr, "%s differs at %zu of %zu: %.9g instead of %.9g\n%s\n", name, i, expected.size(),
        value, right, c.text.c_str());
    std::exit(1);
  }
}

template <typename Key>
void order_positions(Case& c) {
  auto& call = c.call;
  const int64_t count = call.batch * c.positions(), keys = gfla::cuda::base_keys(call);
  auto* unsorted = static_cast<Key*>(c.reserve(count, sizeof(Key)));
  call.out = unsorted;
  gfla::cuda::launch_base_keys(call, nullptr);
  auto* positions = static_cast<int64_t*>(c.reserve(count, sizeof(int64_t)));
  std::iota(positions, positions + count, 0);
  std::stable_sort(
      positions, positions + count,
      [&](int64_t a, int64_t b) { return unsorted[a] < unsorted[b]; });
  auto* sorted = static_cast<Key*>(c.reserve(count, sizeof(Key)));
  for (int64_t i = 0; i < count; ++i) sorted[i] = unsorted[positions[i]];
  auto* starts = static_cast<int64_t*>(c.reserve(keys + 1, sizeof(int64_t)));
  for (int64_t key = 0; key <= keys; ++key) {
    starts[key] = std::lower_bound(sorted, sorted + count, key) - sorted;
  }
  call.order = {sorted, positions, starts};
}

void run_case() {
  Case c = make_case();
  auto& call = c.call;
  const Kind sums = accumulation_of(call.kind);
  const auto expected = plain_loops(c);
  const auto result = [&](size_t elements, Kind kind) {
    const bool before = c.high;
    // Memory from an allocator is aligned to 16 bytes; the upper guard then lies a little off.
    if (elements * size_of(kind) % 16 != 0) c.high = false;
    void* out = c.reserve(static_cast<int64_t>(elements), size_of(kind));
    c.high = before;
    return call.out = out;
  };

  result(expected.out.size(), call.kind);
  gfla::cuda::launch_forward(call, nullptr);
  compare(c, "forward", call.out, call.kind, expected.out);

  result(expected.grad_weights.size(), sums);
  gfla::cuda::launch_grad_weights(call, nullptr);
  compare(c, "grad_weights", call.out, sums, expected.grad_weights);

  result(expected.grad_source.size(), sums);
  std::memset(call.out, 0, expected.grad_source.size() * size_of(sums));
  gfla::cuda::launch_grad_source(call, nullptr);
  compare(c, "grad_source", call.out, sums, expected.grad_source);

  call.wide ? order_positions<int64_t>(c) : order_positions<int32_t>(c);
  result(expected.grad_source.size(), call.kind);
  gfla::cuda::launch_grad_source_ordered(call, nullptr);
  compare(c, "grad_source_ordered", call.out, call.kind, expected.grad_source);
}

}  // namespace

int main(int count, char** arguments) {
  const int seed = count > 1 ? std::atoi(arguments[1]) : 0;
  const int cases = count > 2 ? std::atoi(arguments[2]) : 20;
  for (int i = 0; i < cases; ++i) {
    generator.seed(static_cast<unsigned>(seed * 100003 + i));
    run_case();
  }
  std::printf("%d cases agree\n", cases);
  return 0;
}
