#pragma once

#include <string>

// Counts, and says what did not hold.
void check(bool holds, const std::string& what);

// Quantised matrices.
void quant_linear();
