#include "cuda/kernels/elementwise.cuh"

#include "cuda/launch.cuh"

namespace exl::cuda {

namespace {

template <int kVector>
dim3 blocks(int64_t elements) {
  return unsigned(ceil_div(elements, kElementThreads * kVector));
}

std::string too_many(int64_t elements) {
  if (ceil_div(elements, kElementThreads) <= INT32_MAX) return {};
  return std::to_string(elements) + " elements, more than a grid has threads";
}

template <typename From, typename To>
void pick_rows(Stream stream, const PickRows<From, To>& p) {
  const int64_t elements = p.count * p.columns;
  if (p.columns % 8 == 0)
    launch(pick_rows_kernel<From, To, 8>, blocks<8>(elements), kElementThreads, 0, stream, p);
  else
    launch(pick_rows_kernel<From, To, 1>, blocks<1>(elements), kElementThreads, 0, stream, p);
}

template <typename T>
void start_add(Stream stream, const AddParams& p) {
  if (p.count % 8 == 0)
    launch(add_kernel<T, 8>, blocks<8>(p.count), kElementThreads, 0, stream, p);
  else
    launch(add_kernel<T, 1>, blocks<1>(p.count), kElementThreads, 0, stream, p);
}

template <typename T>
void start_to_half(Stream stream, const ToHalfParams& p) {
  if (p.count % 8 == 0)
    launch(to_half_kernel<T, 8>, blocks<8>(p.count), kElementThreads, 0, stream, p);
  else
    launch(to_half_kernel<T, 1>, blocks<1>(p.count), kElementThreads, 0, stream, p);
}

}  // namespace

std::string add_refuses(const AddParams& p) {
  if (p.type == Type::BF16) return "a residual stream of bfloats";
  return too_many(p.count);
}

void add(Stream stream, const AddParams& p) {
  if (p.count == 0) return;
  p.type == Type::F32 ? start_add<float>(stream, p) : start_add<half>(stream, p);
}

std::string silu_mul_refuses(const SiluMulParams& p) {
  if (p.stride < p.columns) return "rows that overlap";
  return too_many(p.rows * p.columns);
}

void silu_mul(Stream stream, const SiluMulParams& p) {
  const int64_t elements = p.rows * p.columns;
  if (elements == 0) return;
  // `gate` and `up` may be the halves of one tensor, which need not start on 16 bytes.
  const auto aligned = [](const void* address) {
    return reinterpret_cast<uintptr_t>(address) % 16 == 0;
  };
  if (p.columns % 8 == 0 && p.stride % 8 == 0 && aligned(p.gate) && aligned(p.up))
    launch(silu_mul_kernel<8>, blocks<8>(elements), kElementThreads, 0, stream, p);
  else
    launch(silu_mul_kernel<1>, blocks<1>(elements), kElementThreads, 0, stream, p);
}

std::string to_half_refuses(const ToHalfParams& p) {
  if (p.type == Type::F16) return "halves that are halves already";
  return too_many(p.count);
}

void to_half(Stream stream, const ToHalfParams& p) {
  if (p.count == 0) return;
  p.type == Type::F32 ? start_to_half<float>(stream, p) : start_to_half<__nv_bfloat16>(stream, p);
}

std::string embed_refuses(const EmbedParams& p) {
  if (p.type == Type::BF16) return "a residual stream of bfloats";
  return too_many(p.rows * p.columns);
}

void embed(Stream stream, const EmbedParams& p) {
  if (p.rows == 0) return;
  if (p.type == Type::F32)
    pick_rows<half, float>(stream,
                           {p.table, p.tokens, static_cast<float*>(p.y), p.rows, p.columns});
  else
    pick_rows<half, half>(stream, {p.table, p.tokens, static_cast<half*>(p.y), p.rows, p.columns});
}

std::string gather_rows_refuses(const GatherRowsParams& p) {
  if (p.type == Type::BF16) return "a residual stream of bfloats";
  return too_many(p.count * p.columns);
}

void gather_rows(Stream stream, const GatherRowsParams& p) {
  if (p.count == 0) return;
  if (p.type == Type::F32)
    pick_rows<float, float>(stream, {static_cast<const float*>(p.x), p.outputs,
                                     static_cast<float*>(p.y), p.count, p.columns});
  else
    pick_rows<half, half>(stream, {static_cast<const half*>(p.x), p.outputs,
                                   static_cast<half*>(p.y), p.count, p.columns});
}

std::string copy_pages_refuses(const CopyPagesParams& p) {
  if (p.page_bytes % 16) return "pages of " + std::to_string(p.page_bytes) + " bytes, not 16 n";
  if (p.count > 65535) return std::to_string(p.count) + " pages at once, more than 65535";
  return {};
}

void copy_pages(Stream stream, const CopyPagesParams& p) {
  if (p.count == 0) return;
  const dim3 grid(blocks<16>(p.page_bytes).x, unsigned(p.count));
  launch(copy_pages_kernel, grid, kElementThreads, 0, stream, p);
}

const void* any_kernel() { return reinterpret_cast<const void*>(copy_pages_kernel); }

}  // namespace exl::cuda
