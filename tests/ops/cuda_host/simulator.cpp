// Runs kernels on the host: blocks one after another, the threads of a block as fibers.
//
// GFLA_ORDER=backward lets the fibers take turns in the opposite order: a result that depends on it
// is a race in shared memory. Shared memory starts as garbage, and what lies behind it is watched.
#include <setjmp.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "gather_plan.cuh"

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace gfla::cuda {
constexpr size_t kWatched = 64;
alignas(16) unsigned char shared_bytes[kSharedBytes + kWatched];
}  // namespace gfla::cuda

namespace {

constexpr size_t kStack = 128 * 1024;
constexpr unsigned char kGarbage = 0xff;  // floats of these bytes are no numbers

[[noreturn]] void fail(const char* what) {
  std::fprintf(
      stderr, "simulator: %s (thread %u, block %u)\n", what, threadIdx.x, blockIdx.x);
  std::exit(1);
}

struct Fiber {
  ucontext_t context;  // where it begins
  jmp_buf place;       // where it goes on: jumps need no system call, unlike swapcontext
  std::unique_ptr<char[]> stack{new char[kStack]};
  bool started = false, running = false;
  long barriers = 0;  // reached
  long shuffles = 0;
  unsigned mask = 0;
  uint64_t sent[2] = {};  // two, because a lane may be one shuffle ahead
};

std::vector<Fiber> fibers;
jmp_buf scheduler;
unsigned current = 0, finished = 0;
long arrivals = 0;  // at barriers, of all threads
gfla::cuda::Kernel kernel = nullptr;
const gfla::cuda::GatherCall* call = nullptr;
const gfla::cuda::Plan* plan = nullptr;

void run_thread() {
  kernel(*call, *plan);
  fibers[current].running = false;
  ++finished;
  _longjmp(scheduler, 1);
}

void hand_over() {
  if (_setjmp(fibers[current].place) == 0) _longjmp(scheduler, 1);
}

void resume(Fiber& fiber) {
  if (_setjmp(scheduler) != 0) return;
  if (fiber.started) _longjmp(fiber.place, 1);
  fiber.started = true;
  setcontext(&fiber.context);
}

void run_block(unsigned threads, size_t shared) {
  using gfla::cuda::shared_bytes;
  std::memset(shared_bytes, kGarbage, sizeof(shared_bytes));
  while (fibers.size() < threads) fibers.emplace_back();
  finished = 0;
  arrivals = 0;
  for (unsigned t = 0; t < threads; ++t) {
    Fiber& fiber = fibers[t];
    fiber.started = false;
    fiber.running = true;
    fiber.barriers = fiber.shuffles = 0;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStack;
    makecontext(&fiber.context, run_thread, 0);
  }
  const char* order = std::getenv("GFLA_ORDER");
  const bool backward = order != nullptr && std::strcmp(order, "backward") == 0;
  while (finished < threads) {
    for (unsigned turn = 0; turn < threads; ++turn) {
      current = backward ? threads - 1 - turn : turn;
      threadIdx.x = current;
      if (fibers[current].running) resume(fibers[current]);
    }
  }
  for (unsigned t = 1; t < threads; ++t) {
    if (fibers[t].barriers != fibers[0].barriers) fail("threads met different barriers");
  }
  for (size_t i = shared; i < sizeof(shared_bytes); ++i) {
    if (shared_bytes[i] != kGarbage) fail("wrote behind its shared memory");
  }
}

}  // namespace

cudaError_t cudaLaunchKernel(
    const void* function, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t) {
  kernel = reinterpret_cast<gfla::cuda::Kernel>(const_cast<void*>(function));
  call = static_cast<const gfla::cuda::GatherCall*>(arguments[0]);
  plan = static_cast<const gfla::cuda::Plan*>(arguments[1]);
  if (grid.x == 0 || grid.y == 0 || grid.y > 65535) fail("the grid is empty or too high");
  if (block.x == 0 || block.x > 1024 || block.x % 32 != 0) fail("the block is of a wrong size");
  if (shared > gfla::cuda::kSharedBytes) fail("too much shared memory");
  gridDim = grid;
  blockDim = block;
  for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y) {
    for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) run_block(block.x, shared);
  }
  return 0;
}

void __syncthreads() {
  const long reached = ++fibers[current].barriers;
  ++arrivals;
  // Nobody passes a barrier before all have come, so this many arrivals say that they have.
  while (arrivals < reached * static_cast<long>(blockDim.x)) {
    if (finished > 0) fail("a thread left before a barrier that others wait at");
    hand_over();
  }
}

uint64_t exchange_bits(unsigned mask, uint64_t bits, int lane_mask) {
  const unsigned self = current, lane = self & 31, first = self - lane;
  const unsigned from = lane ^ static_cast<unsigned>(lane_mask);
  if (!(mask >> lane & 1)) fail("a lane shuffles outside of its mask");
  if (!(mask >> from & 1)) fail("a lane reads from outside of the mask");
  Fiber& fiber = fibers[self];
  const long number = ++fiber.shuffles;
  fiber.mask = mask;
  fiber.sent[number & 1] = bits;
  for (unsigned other = 0; other < 32; ++other) {
    if (!(mask >> other & 1)) continue;
    while (fibers[first + other].shuffles < number) {
      if (!fibers[first + other].running) fail("a lane left before a shuffle of its mask");
      hand_over();
    }
    if (fibers[first + other].shuffles == number && fibers[first + other].mask != mask) {
      fail("lanes shuffle with different masks");
    }
  }
  return fibers[first + from].sent[number & 1];
}

void check_aligned(const void* address, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(address) % bytes != 0) fail("an access is not aligned");
}
