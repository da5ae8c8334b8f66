#include "cuda/repack.h"

#include "cuda/kernels/kernels.h"
#include "cuda/quant_layout.h"

namespace exl::cuda {

namespace {

template <typename T>
T* written(Device& device, T* to, const std::vector<T>& values) {
  device.write(to, values.data(), values.size() * sizeof(T));
  return to;
}

Type type_of(int32_t dtype) {
  return dtype == EXL_F32 ? Type::F32 : dtype == EXL_BF16 ? Type::BF16 : Type::F16;
}

}  // namespace

bool repack(Device& device, const Source& source, ExlWeight& weight) {
  std::vector<std::pair<int, int64_t>> groups;
  for (int32_t g = 0; g < source->group_count; g++)
    groups.push_back({source->groups[g].bits, source->groups[g].rows});
  const QuantLayout layout = plan_quant_layout(groups);
  if (!layout.objection.empty()) return false;

  const int64_t out = source->dims[0], in = source->dims[1];
  const size_t strips = size_t((out + kStripOutputs - 1) / kStripOutputs);
  const size_t scale_count = strips * groups.size() * kStripOutputs;
  auto* codes = source.allocate<uint32_t>(strips * size_t(layout.words_per_strip), "");
  auto* scales = source.allocate<uint16_t>(scale_count, ".scales");
  const bool has_zeros = source.has(EXL_PIECE_ZEROS);
  auto* zeros = has_zeros ? source.allocate<uint8_t>(scale_count, ".zeros") : nullptr;
  auto* chunks =
      written(device, source.allocate<uint32_t>(layout.chunks.size(), ".chunks"), layout.chunks);
  uint16_t* permutation = nullptr;
  const std::vector<int32_t> features = source.fetch(EXL_PIECE_FEATURES);
  if (!features.empty())
    permutation = written(device, source.allocate<uint16_t>(features.size(), ".features"),
                          std::vector<uint16_t>(features.begin(), features.end()));
  const RepackCodesParams of_codes{.words = source.stage<uint32_t>(EXL_PIECE_CODES),
                                   .places = source.stage<int32_t>(EXL_PIECE_PLACES),
                                   .chunks = chunks,
                                   .codes = codes,
                                   .in = int(in),
                                   .out = int(out),
                                   .words_per_strip = layout.words_per_strip};
  const RepackScalesParams of_scales{.scales = source.stage<Half>(EXL_PIECE_SCALES),
                                     .zeros = source.stage<uint8_t>(EXL_PIECE_ZEROS),
                                     .to_scales = reinterpret_cast<Half*>(scales),
                                     .to_zeros = zeros,
                                     .groups = int(groups.size()),
                                     .out = int(out)};
  device.run(source->label, [&] {
    repack_codes(device.stream(), of_codes);
    repack_scales(device.stream(), of_scales);
  });
  weight.repacked = {.codes = codes,
                     .scales = reinterpret_cast<const Half*>(scales),
                     .zeros = zeros,
                     .chunks = chunks,
                     .permutation = permutation,
                     .in = int(in),
                     .out = int(out),
                     .groups = int(groups.size()),
                     .max_bits = layout.max_bits,
                     .words_per_strip = layout.words_per_strip,
                     .block_shared_bytes = device.block_shared_bytes()};
  return true;
}

bool make_halves(Device& device, const Source& source, ExlWeight& weight) {
  if (source->dtype == EXL_F16) return false;
  const int64_t count = source->dims[0] * (source->rank == 2 ? source->dims[1] : 1);
  weight.data = source.allocate<uint16_t>(size_t(count), "");
  weight.dtype = EXL_F16;
  // Frequencies of RoPE are needed as they were, and vectors are small.
  const bool is_vector = source->rank == 1 && source->dtype == EXL_F32;
  if (is_vector) weight.floats = source.keep<float>(EXL_PIECE_DATA, ".fp32");
  const ToHalfParams params{.x = is_vector ? weight.floats : source.stage<void>(EXL_PIECE_DATA),
                            .y = static_cast<Half*>(weight.data),
                            .count = count,
                            .type = type_of(source->dtype)};
  device.run(source->label, [&] { to_half(device.stream(), params); });
  return true;
}

}  // namespace exl::cuda
