// What the parts of the native test program share.
#pragma once

#include <string>

namespace exl::test {

// Counts, and says what did not hold.
void check(bool holds, const std::string& what);

// Of other files, called by main().
void cache();  // keys and values: how they are stored, and attention over them
void quant_linear();
void sampling();  // from the largest logits alone
void launches();  // what a launch says to the driver
void device();
void ops();  // shapes of operands
void device_faults();

}  // namespace exl::test
