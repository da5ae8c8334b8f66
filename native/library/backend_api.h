/* What the addon and a backend in a shared library of its own share, and all they share: C
   functions over plain structs. Nothing here throws; no C++ type crosses. docs/architecture.md says
   who owns what.

   A function that can fail returns an ExlCode and, unless that is EXL_OK, fills in the message. A
   device is used by one thread at a time, except where a function says otherwise. */
#ifndef EXL_BACKEND_API_H
#define EXL_BACKEND_API_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes with any change to this file: both sides must have been built from the same one. */
#define EXL_BACKEND_ABI 4u

/* The one symbol a library exports: ExlBackendEntry. */
#define EXL_BACKEND_ENTRY "exl_backend"

typedef int32_t ExlCode;
enum {
  EXL_OK = 0,
  EXL_OUT_OF_MEMORY,
  EXL_DEVICE_UNAVAILABLE,
  EXL_DEVICE_LOST, /* of everything after the failure that left the device unusable */
  EXL_UNSUPPORTED_OP,
  EXL_INVALID_ARGUMENT,
  EXL_INTERNAL,
  EXL_HOST_FAILED /* a callback failed: the host knows why */
};

typedef struct ExlMessage {
  char text[2048];
} ExlMessage;

/* In the order of exl::Dtype. */
enum { EXL_F64, EXL_F32, EXL_F16, EXL_BF16, EXL_I32 };

typedef struct ExlDevice ExlDevice; /* a context and its streams */
typedef struct ExlWeight ExlWeight; /* what the library knows about a weight; owns no memory */
typedef struct ExlGraph ExlGraph;   /* launches, recorded */

typedef struct ExlDeviceInfo {
  char name[256];
  uint64_t total_bytes, free_bytes;
  int32_t usable;
  char reason[512]; /* why it is not usable */
} ExlDeviceInfo;

typedef struct ExlTraits {
  int32_t activation_type; /* of every value of a program */
  int32_t cache_type;      /* of keys and values in an fp16 cache */
  int32_t records;         /* steps may be recorded as graphs */
  uint64_t page_bytes;     /* the driver takes large memory in multiples of it */
} ExlTraits;

/* Device memory is zeroed; pinned memory is the host's, and the device can copy it by itself. */
enum { EXL_MEMORY_DEVICE, EXL_MEMORY_PINNED };

/* ---- Weights ----------------------------------------------------------------------------------

   Nothing writes to a weight while a step of a program that has it may run: from the end of
   weight_load to weight_free its bytes stay as they are. So a kernel may read weights before the
   launches ahead of it have ended, and kernels do. Whoever swaps or streams weights has to
   synchronise first.

   A plain weight is EXL_PIECE_DATA, row-major. A quantised matrix W [in, out], whatever the format it
   came in, is small integers times scales, in packed order:

     W[p, n] = half((code[p, n] - zero[g(p), n]) * scale[g(p), n])   multiplies   x[feature[p]]

   The code of row p in column n starts at bit place[p] % 32 of word [place[p] / 32, n], and goes on in
   the next word of its column. */
enum {
  EXL_PIECE_DATA,     /* dtype [dims] */
  EXL_PIECE_CODES,    /* uint32 [words, out] */
  EXL_PIECE_PLACES,   /* int32 [in] */
  EXL_PIECE_SCALES,   /* half [groups, out] */
  EXL_PIECE_ZEROS,    /* uint8 [groups, out]; absent: 2^(bits - 1) */
  EXL_PIECE_FEATURES, /* int32 [in]; absent: p */
  EXL_PIECES
};

typedef struct ExlGroup {
  int32_t bits;
  int32_t rows;
} ExlGroup;

typedef struct ExlWeightSource {
  const char* label;
  int32_t quantised;
  int32_t dtype; /* of a plain weight */
  int32_t rank;
  int64_t dims[2]; /* [out, in], or [size] */

  const ExlGroup* groups; /* of a quantised one */
  int32_t group_count;

  uint64_t piece_bytes[EXL_PIECES]; /* 0: absent */

  /* Device memory that lives as long as the weight or, as staging, until weight_load returns. The
     label of the weight with `suffix` names it on the ledger. */
  void* context;
  ExlCode (*allocate)(void* context, int32_t staging, uint64_t bytes, const char* suffix,
                      void** address);
  /* Copies `bytes` of a piece from `offset` on to device memory, in order with later launches. */
  ExlCode (*copy)(void* context, int32_t piece, uint64_t offset, uint64_t bytes, void* target);
  /* Copies a whole piece to host memory; for small ones. */
  ExlCode (*fetch)(void* context, int32_t piece, void* target);
} ExlWeightSource;

/* ---- Calls ------------------------------------------------------------------------------------
 */

typedef struct ExlTensor {
  void* data; /* on the device */
  int32_t dtype;
  int32_t rank;
  int64_t dims[4];
} ExlTensor;

/* How an element of a cache is stored; native/core/cache.h says what the codes mean. */
enum { EXL_CACHE_PLAIN, EXL_CACHE_E5M2, EXL_CACHE_INT8, EXL_CACHE_INT4 };

typedef struct ExlCacheSide {
  void* codes;
  void* scales;  /* null: there are none */
  int32_t code;  /* EXL_CACHE_PLAIN: as ExlTraits::cache_type */
  int32_t group; /* elements that share a scale */
} ExlCacheSide;

/* Both sides are `pages` times as many bytes as a page takes. How elements lie within a page is the
   library's own affair: pages are only ever copied as a whole. */
typedef struct ExlLayerCache {
  int64_t pages, key_heads, dim;
  ExlCacheSide keys, values;
} ExlLayerCache;

typedef struct ExlInput {
  ExlTensor tensor;
  const ExlWeight* weight;    /* or null */
  const ExlLayerCache* cache; /* or null */
} ExlInput;

/* One op. Sizes are the largest when a kernel is selected, and those of the step when it runs. */
typedef struct ExlCall {
  const char* op;
  const char* path; /* whose it is, for a person: model.layers.3.mlp.gate_proj */
  const ExlInput*
      inputs; /* in the order of the declaration of the op in native/ops; absent ones are empty */
  int32_t input_count;
  const ExlTensor* outputs;
  int32_t output_count;
  const double* attributes;
  const char* const* attribute_names;
  int32_t attribute_count;
  void* scratch; /* as much device memory as select() asked for */
} ExlCall;

/* ---- The table --------------------------------------------------------------------------------
 */

typedef struct ExlBackendApi {
  uint32_t abi;
  const char* kind;  /* "cuda" */
  const char* build; /* for a person: "CUDA 13.0 for sm_80, sm_90" */

  /* From any thread. Fails, saying why, where no device can be used at all. */
  ExlCode (*list_devices)(ExlDeviceInfo* list, int32_t capacity, int32_t* count, ExlMessage*);
  ExlCode (*open)(int32_t index, ExlDevice** device, ExlTraits* traits, ExlMessage*);
  /* Gives everything the library holds for the device back to the driver. */
  void (*close)(ExlDevice*);

  /* From any thread. `reserved` is what was taken from the driver. */
  ExlCode (*allocate)(ExlDevice*, int32_t memory, uint64_t bytes, void** address,
                      uint64_t* reserved, ExlMessage*);
  void (*free)(ExlDevice*, int32_t memory, void* address);
  /* At once, to device memory that nothing in flight uses. From any thread. */
  ExlCode (*write)(ExlDevice*, void* to, const void* from, uint64_t bytes, ExlMessage*);

  /* In order with launches. They return at once if the host memory is pinned. */
  ExlCode (*upload)(ExlDevice*, void* to, const void* from, uint64_t bytes, ExlMessage*);
  ExlCode (*download)(ExlDevice*, void* to, const void* from, uint64_t bytes, ExlMessage*);
  ExlCode (*copy)(ExlDevice*, void* to, const void* from, uint64_t bytes, ExlMessage*);
  /* Waits for everything so far. */
  ExlCode (*synchronize)(ExlDevice*, ExlMessage*);

  ExlCode (*weight_load)(ExlDevice*, const ExlWeightSource*, ExlWeight** weight, ExlMessage*);
  void (*weight_free)(ExlWeight*);

  /* Chooses a kernel, or lists what each candidate objects to. */
  ExlCode (*select)(ExlDevice*, const ExlCall*, int32_t* kernel, uint64_t* scratch, ExlMessage*);
  /* Launches and returns. Several calls have the same first input, and leave what they would leave
     one after another. */
  ExlCode (*run)(ExlDevice*, int32_t kernel, const ExlCall* const* calls, int32_t count,
                 ExlMessage*);

  /* What is launched in between is recorded and not run; with `overlap`, launches may begin before
     those before them have ended, if the device can. end() returns no graph if it fails, and also
     ends a recording that a launch has made invalid. */
  ExlCode (*capture_begin)(ExlDevice*, int32_t overlap, ExlMessage*);
  ExlCode (*capture_end)(ExlDevice*, ExlGraph** graph, ExlMessage*);
  ExlCode (*graph_launch)(ExlDevice*, ExlGraph*, ExlMessage*);
  void (*graph_free)(ExlDevice*, ExlGraph*);
} ExlBackendApi;

typedef const ExlBackendApi* (*ExlBackendEntry)(void);

#ifdef __cplusplus
}
#endif

#endif
