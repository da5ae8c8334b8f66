// Weights on their way to the device.
#include <memory>

#include "cuda/call.h"
#include "cuda/repack.h"
#include "cuda/source.h"

namespace exl::cuda {

namespace {

// As it is on disk, for kernels that are not in a hurry.
void keep_as_it_is(Device& device, const Source& source, simple::QuantMatrix& matrix) {
  matrix.codes = source.keep<uint32_t>(EXL_PIECE_CODES, "");
  matrix.scale_codes = source.keep<uint32_t>(EXL_PIECE_SCALE_CODES, ".scales");
  matrix.scale_max = source.keep<uint16_t>(EXL_PIECE_SCALE_MAX, ".scale_max");
  matrix.scales = {source.keep<void>(EXL_PIECE_SCALES, ".scales"), source->scale_type};
  matrix.zero_codes = source.keep<uint32_t>(EXL_PIECE_ZERO_CODES, ".zeros");
  matrix.zero_offset = source->zero_offset;

  const std::vector<int32_t> features = source.fetch(EXL_PIECE_FEATURES);
  const std::vector<int32_t> places = code_places(source);
  std::vector<simple::PackedRow> rows;
  for (int32_t g = 0; g < source->group_count; g++)
    for (int32_t i = 0; i < source->groups[g].rows; i++) {
      const size_t p = rows.size();
      rows.push_back({places[p] / 32, places[p] % 32, source->groups[g].bits, g,
                      features.empty() ? int32_t(p) : features[p]});
    }
  auto* packed = source.allocate<simple::PackedRow>(rows.size(), ".rows");
  device.write(packed, rows.data(), rows.size() * sizeof rows[0]);
  matrix.packed = packed;
}

}  // namespace

std::vector<int32_t> code_places(const Source& source) {
  std::vector<int32_t> places;
  for (const int32_t row : source.fetch(EXL_PIECE_STORED_ROWS)) places.push_back(row * 4);
  if (!places.empty()) return places;
  int32_t bit = 0;
  for (int32_t g = 0; g < source->group_count; g++)
    for (int32_t i = 0; i < source->groups[g].rows; i++, bit += source->groups[g].bits)
      places.push_back(bit);
  return places;
}

ExlWeight* load_weight(Device& device, const ExlWeightSource& from) {
  const Source source(from);
  auto weight = std::make_unique<ExlWeight>();
  weight->quantised = from.quantised != 0;
  weight->dtype = from.dtype;
  weight->rank = from.rank;
  weight->dims[0] = from.dims[0], weight->dims[1] = from.dims[1];
  if (!weight->quantised) {
    if (!make_halves(device, source, *weight)) weight->data = source.keep<void>(EXL_PIECE_DATA, "");
  } else if (!repack(device, source, *weight)) {
    keep_as_it_is(device, source, weight->matrix);
  }
  return weight.release();
}

}  // namespace exl::cuda
