#pragma once

#include <string>

namespace exl::test {

void check(bool holds, const std::string& what);

// Of other files, called by main().
void device();
void device_faults();

}  // namespace exl::test
