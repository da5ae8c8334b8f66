// Every function the addon exports. They throw exl::Error; addon.cpp turns that into an ExlError.
#pragma once

#include "napi/environment.h"

namespace exl {

uint32_t handle(const Napi::CallbackInfo& info, size_t index);
Napi::Value typed_array(Napi::Env env, const HostValue& value);

Napi::Value op_table(const Napi::CallbackInfo& info);
Napi::Value cpu_target(const Napi::CallbackInfo& info);
Napi::Value error_codes(const Napi::CallbackInfo& info);

Napi::Value lock_file(const Napi::CallbackInfo& info);

Napi::Value backends(const Napi::CallbackInfo& info);
Napi::Value open_device(const Napi::CallbackInfo& info);
Napi::Value close_device(const Napi::CallbackInfo& info);
Napi::Value drain(const Napi::CallbackInfo& info);
Napi::Value release(const Napi::CallbackInfo& info);
Napi::Value trim(const Napi::CallbackInfo& info);
Napi::Value totals(const Napi::CallbackInfo& info);
Napi::Value buffers(const Napi::CallbackInfo& info);

Napi::Value create_loader(const Napi::CallbackInfo& info);
Napi::Value loader_state(const Napi::CallbackInfo& info);
Napi::Value load_weight(const Napi::CallbackInfo& info);
Napi::Value create_cache(const Napi::CallbackInfo& info);
Napi::Value cache_token_bytes(const Napi::CallbackInfo& info);
Napi::Value copy_pages(const Napi::CallbackInfo& info);
Napi::Value create_tensor(const Napi::CallbackInfo& info);
Napi::Value read_tensor(const Napi::CallbackInfo& info);

Napi::Value create_vocabulary(const Napi::CallbackInfo& info);
Napi::Value create_sampler(const Napi::CallbackInfo& info);
Napi::Value feed_sampler(const Napi::CallbackInfo& info);
Napi::Value rewind_sampler(const Napi::CallbackInfo& info);
Napi::Value sampler_distribution(const Napi::CallbackInfo& info);
Napi::Value sampler_draw(const Napi::CallbackInfo& info);

Napi::Value infer(const Napi::CallbackInfo& info);
Napi::Value compile(const Napi::CallbackInfo& info);
Napi::Value step(const Napi::CallbackInfo& info);
Napi::Value set_slots(const Napi::CallbackInfo& info);
Napi::Value run_op(const Napi::CallbackInfo& info);
Napi::Value read_value(const Napi::CallbackInfo& info);
Napi::Value write_value(const Napi::CallbackInfo& info);

}  // namespace exl
