#include "cpu/pack.h"

#include <algorithm>

#include "cpu/thread_pool.h"

namespace exl::cpu {

namespace {

// Places bits [low_bit, low_bit + width) of every code in a plane whose bytes hold 8 / width quads.
std::byte* pack_plane(int width, int low_bit, const uint8_t (&codes)[kChunk][kTile],
                      std::byte* target) {
  const int quads_per_vector = 8 / width, mask = (1 << width) - 1;
  for (int vector = 0; vector < 8 / quads_per_vector; vector++, target += 4 * kTile)
    for (int lane = 0; lane < kTile; lane++)
      for (int b = 0; b < 4; b++) {
        int byte = 0;
        for (int i = 0; i < quads_per_vector; i++) {
          const int row = 4 * (vector * quads_per_vector + i) + b;
          byte |= (codes[row][lane] >> low_bit & mask) << (i * width);
        }
        target[4 * lane + b] = std::byte(byte);
      }
  return target;
}

}  // namespace

void pack_chunk(int bits, const uint8_t (&codes)[kChunk][kTile], std::byte* target) {
  switch (bits) {
    case 3:
      target = pack_plane(2, 0, codes, target);
      break;
    case 5:
    case 6:
      target = pack_plane(4, 0, codes, target);
      break;
    default:
      pack_plane(bits, 0, codes, target);
      return;
  }
  if (bits == 6)
    pack_plane(2, 4, codes, target);
  else
    pack_plane(1, bits - 1, codes, target);
}

std::shared_ptr<PackedMatrix> pack(const AffineMatrix& matrix, const Allocator& allocate,
                                   const std::string& label, ThreadPool& pool) {
  auto packed = std::make_shared<PackedMatrix>();
  packed->shape = matrix.source.shape;

  // Where each padded row comes from; -1 pads a group to whole chunks.
  std::vector<int32_t> packed_row;
  for (int64_t p = 0; const QuantGroup& group : matrix.groups) {
    const int64_t chunks = (group.rows + kChunk - 1) / kChunk;
    packed->groups.push_back({group.bits, int(chunks), 1 << (group.bits - 1)});
    packed->chunks += chunks;
    packed->spans += (chunks + kSpan - 1) / kSpan;
    packed->tile_bytes += chunks * group.bits * 4 * kTile;
    for (int64_t i = 0; i < chunks * kChunk; i++)
      packed_row.push_back(i < group.rows ? int32_t(p + i) : -1);
    p += group.rows;
  }
  const bool padded = int64_t(packed_row.size()) != matrix.in;
  if (padded || !matrix.features.empty()) {
    packed->features =
        allocate(packed_row.size() * sizeof(int32_t), Kind::Weights, label + ".features");
    int32_t* features = packed->features->as<int32_t>();
    for (size_t i = 0; i < packed_row.size(); i++) {
      const int32_t p = packed_row[i];
      features[i] = p < 0 || matrix.features.empty() ? p : matrix.features[size_t(p)];
    }
  }

  const int64_t tiles = packed->tiles(), groups = int64_t(packed->groups.size());
  packed->codes = allocate(size_t(tiles * packed->tile_bytes), Kind::Weights, label);
  packed->scales = allocate(size_t(tiles * groups * kTile) * 2, Kind::Weights, label + ".scales");
  if (matrix.has_zeros)
    packed->zeros = allocate(size_t(tiles * groups * kTile), Kind::Weights, label + ".zeros");
  {
    const GroupScales decoded = matrix.scales(allocate, Kind::Staging, label + ".staging");
    for (int64_t g = 0; g < groups; g++)
      for (int64_t n = 0; n < matrix.out; n++) {
        const int64_t to = (n / kTile * groups + g) * kTile + n % kTile;
        packed->scales->as<uint16_t>()[to] = decoded.scale->as<uint16_t>()[g * matrix.out + n];
        if (matrix.has_zeros)
          packed->zeros->as<uint8_t>()[to] = decoded.zero->as<uint8_t>()[g * matrix.out + n];
      }
  }

  int64_t width = std::max<int64_t>(kStagingBytes / (matrix.words * 4) / kTile, 1) * kTile;
  width = std::min(width, tiles * kTile);
  const BufferPtr staging =
      allocate(size_t(matrix.words * width) * 4, Kind::Staging, label + ".staging");
  uint32_t* words = staging->as<uint32_t>();

  for (int64_t column = 0; column < matrix.out; column += width) {
    const int64_t columns = std::min(width, matrix.out - column);
    matrix.codes.read(uint64_t(column) * 4, words, size_t(columns) * 4, size_t(matrix.words),
                      uint64_t(matrix.out) * 4);
    pool.parallel((columns + kTile - 1) / kTile, [&](int64_t tile, int) {
      const int64_t count = std::min<int64_t>(kTile, columns - tile * kTile);
      std::byte* target = packed->codes->data() + (column / kTile + tile) * packed->tile_bytes;
      const int32_t* row = packed_row.data();
      for (const PackedGroup& group : packed->groups)
        for (int c = 0; c < group.chunks; c++, row += kChunk, target += group.bits * 4 * kTile) {
          uint8_t codes[kChunk][kTile] = {};
          for (int i = 0; i < kChunk; i++)
            if (row[i] >= 0)
              decode_row(matrix.places[size_t(row[i])], words + tile * kTile, columns, count,
                         codes[i]);
          pack_chunk(group.bits, codes, target);
        }
    });
  }
  return packed;
}

}  // namespace exl::cpu
