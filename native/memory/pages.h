// Whole pages from the operating system.
#pragma once

#include <cstddef>
#include <cstdint>

namespace exl {

size_t page_size();

// Zeroed memory, or null if there is none. `bytes` is a multiple of the page size. The system may
// put off finding the memory until a page is touched.
void* map_pages(size_t bytes);
// How much the system finds at once in memory of that many bytes.
size_t fault_bytes(size_t mapped);
// Has it found now for some of its pages, if it can be.
void back_pages(void* address, size_t bytes);
void unmap_pages(void* address, size_t bytes);

// Bytes that can be had without pushing others out, as far as the system says; SIZE_MAX if it does
// not.
size_t available_memory();

// Asks the C library to give free heap memory back.
void trim_heap();

}  // namespace exl
