// Weights on their way to the device.
#include <memory>

#include "cuda/call.h"
#include "cuda/repack.h"
#include "cuda/source.h"

namespace exl::cuda {

namespace {

// As it came, for kernels that are not in a hurry.
void keep_as_it_is(Device& device, const Source& source, simple::QuantMatrix& matrix) {
  matrix.codes = source.keep<uint32_t>(EXL_PIECE_CODES, "");
  matrix.scales = {source.keep<void>(EXL_PIECE_SCALES, ".scales"), EXL_F16};
  matrix.zeros = source.keep<uint8_t>(EXL_PIECE_ZEROS, ".zeros");

  const std::vector<int32_t> features = source.fetch(EXL_PIECE_FEATURES);
  const std::vector<int32_t> places = source.fetch(EXL_PIECE_PLACES);
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
