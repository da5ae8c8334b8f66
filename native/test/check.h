// What the parts of the native test program share.
#pragma once

#include <string>

namespace exl::test {

// Counts, and says what did not hold.
void check(bool holds, const std::string& what);
// What is said with it from now on.
void set_context(const std::string& context);

// Of other files, called by main().
void cache();  // keys and values: how they are stored, and attention over them
void quant_linear();
void sampling();  // from the largest logits alone
void launches();  // what a launch says to the driver
void device();
void ops();  // shapes of operands
void slabs();
void faults(bool all);  // every call of the driver fails, with every error if `all`

}  // namespace exl::test
