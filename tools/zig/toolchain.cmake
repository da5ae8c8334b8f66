# Cross builds with zig, for `npm run prebuild`, which sets EXL_ZIG (the compiler) and EXL_ZIG_TARGET in the environment.

set(triple $ENV{EXL_ZIG_TARGET})
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${triple}")
if(triple MATCHES "linux")
  set(CMAKE_SYSTEM_NAME Linux)
elseif(triple MATCHES "macos")
  set(CMAKE_SYSTEM_NAME Darwin)
  set(CMAKE_OSX_ARCHITECTURES "" CACHE STRING "")
  set(CMAKE_OSX_SYSROOT "" CACHE STRING "")
else()
  set(CMAKE_SYSTEM_NAME Windows)
endif()

set(CMAKE_CXX_COMPILER ${CMAKE_CURRENT_LIST_DIR}/cxx)
set(CMAKE_AR ${CMAKE_CURRENT_LIST_DIR}/ar)
set(CMAKE_RANLIB ${CMAKE_CURRENT_LIST_DIR}/ranlib)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_MODULE_LINKER_FLAGS_INIT -s)

# What zig links of its own C++ library it links in.
set(EXL_STATIC_STDLIB OFF CACHE BOOL "")
set(EXL_CUDA OFF CACHE STRING "")
