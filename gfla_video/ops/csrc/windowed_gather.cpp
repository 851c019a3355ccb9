// Schemas of the operators; the kernels register themselves, device by device.
#include <torch/library.h>

TORCH_LIBRARY(gfla_video, m) {
  m.def("windowed_gather(Tensor source, Tensor weights, Tensor base) -> Tensor");
  m.def(
      "windowed_gather_grad_source(Tensor grad, Tensor weights, Tensor base, SymInt height, "
      "SymInt width) -> Tensor");
  m.def(
      "windowed_gather_grad_weights(Tensor grad, Tensor source, Tensor base, SymInt window) "
      "-> Tensor");
}
