#include "ops/embed.h"

#include "ops/gather_rows.h"
#include "reference/reference.h"

namespace exl::reference {

namespace {

std::string embed_refuses(const Call& call) {
  return weight_as<PlainWeight>(EmbedCall(call).table) ? "" : "the table is quantised";
}

void embed(Backend&, const Call& call, const Run&) {
  const EmbedCall op(call);
  const auto* table = weight_as<PlainWeight>(op.table);
  const int64_t hidden = op.y.columns();
  for (int64_t r = 0; r < op.y.rows(); r++)
    for (int64_t c = 0; c < hidden; c++)
      op.y.as<double>()[r * hidden + c] = table->at(op.tokens.as<int32_t>()[r] * hidden + c);
}

void gather_rows(Backend&, const Call& call, const Run&) {
  const GatherRowsCall op(call);
  const int64_t columns = op.y.columns();
  for (int64_t i = 0; i < op.y.rows(); i++)
    for (int64_t c = 0; c < columns; c++)
      op.y.as<double>()[i * columns + c] =
          op.x.as<double>()[op.outputs.as<int32_t>()[i] * columns + c];
}

constexpr Kernel kKernels[] = {
    {.op = &ops::embed, .name = "reference", .refuses = embed_refuses, .run = embed},
    {.op = &ops::gather_rows, .name = "reference", .run = gather_rows},
};

}  // namespace

constinit const Kernels embed_kernels = kKernels;

}  // namespace exl::reference
