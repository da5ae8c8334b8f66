// Whole pages from the operating system.
#pragma once

#include <cstddef>

namespace exl {

size_t page_size();

// Zeroed memory, or null if there is none. `bytes` is a multiple of the page size.
void* map_pages(size_t bytes);
void unmap_pages(void* address, size_t bytes);

// Asks the C library to give free heap memory back.
void trim_heap();

}  // namespace exl
