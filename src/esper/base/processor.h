#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace esper {

/// Physical cores among these processors, by the kernel's lists of which of them share one
/// (`<topology>/cpu<n>/topology/thread_siblings_list`). 0 where that cannot be read.
int physical_cores(const std::vector<int>& processors, const std::filesystem::path& topology);

/// Physical cores that this process may run on; processors where cores cannot be told. At least 1.
int physical_cores();

/// What the kernel says of the first processor under that name ("flags", "model name"); "" where it
/// says nothing.
std::string processor_info(std::string_view name);

/// Whether the processor has the instructions AVX512-BF16, by the kernel's list of its features.
bool has_avx512_bf16();
/// Whether the processor multiplies bf16 numbers itself: by AVX512-BF16 or by AMX.
bool multiplies_bf16();

}  // namespace esper
