#include "cuda/kernels/sample.cuh"

#include "cuda/launch.cuh"

namespace exl::cuda {

void arg_max(Stream stream, const ArgMaxParams& p) {
  if (p.rows.rows == 0) return;
  launch(arg_max_kernel, unsigned(p.rows.rows), kSampleThreads, 0, stream, p);
}

void token_log_prob(Stream stream, const TokenLogProbParams& p) {
  if (p.rows.rows == 0) return;
  launch(token_log_prob_kernel, unsigned(p.rows.rows), kSampleThreads, 0, stream, p);
}

std::string top_k_refuses(const TopKParams& p) {
  if (p.k < 1 || p.k > kMostTopK || p.k > p.rows.vocabulary)
    return "the " + std::to_string(p.k) + " largest of " + std::to_string(p.rows.vocabulary) +
           ", not from 1 to " + std::to_string(kMostTopK);
  return {};
}

void top_k(Stream stream, const TopKParams& p) {
  if (p.rows.rows == 0) return;
  launch(top_k_kernel, unsigned(p.rows.rows), kSampleThreads, 0, stream, p);
}

}  // namespace exl::cuda
