#pragma once
// What an operator call does besides computing its results, as the table of operators says: the
// canonical hash must be the same with every libtorch, so it cannot ask the installed schemas.

#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// Positions of the arguments the call writes into: the first of an in-place operator, the last of
/// an `out` overload, the running statistics of a normalisation that trains.
std::vector<std::size_t> written_arguments(const Instruction& instruction);

/// True when the results may share memory with the first argument: views, in-place operators,
/// operators that may hand their input back (`contiguous`, `to`, `dropout`, …).
bool results_share_first_argument(const Instruction& instruction);

/// True when the call draws from the random generator, so that its place among other such calls is
/// part of what is computed.
bool draws_random_numbers(const Instruction& instruction);

}  // namespace esper::graph
