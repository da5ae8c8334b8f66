#pragma once

#include <string>

// Counts, and says what did not hold.
void check(bool holds, const std::string& what);

// Keys and values: how they are stored, and attention over them.
void cache();
