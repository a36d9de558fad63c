#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "esper/base/error.h"

namespace esper::cli {

/// A key and the values that are tried.
struct SweptKey {
    std::string path;
    std::vector<std::string> values;
};

/// A key and its value, as texts.
using Setting = std::pair<std::string, std::string>;

/// One value of each key.
struct Combination {
    std::string name;               ///< `c1`, `c2`, …
    std::vector<Setting> settings;  ///< of the keys with several values
    std::string yaml;               ///< the whole configuration
    std::string in_words() const;   ///< `model.width=64 model.depth=2`
};

/// A run of a sweep: one combination with one seed.
struct SweepRun {
    std::size_t combination = 0;
    std::uint64_t seed = 0;
    std::string name;  ///< of its folder, below the sweep's: `c1-s0`
};

/// All runs of a sweep, as its folder keeps them: sweep.json, and a configuration of each
/// combination.
struct SweepPlan {
    std::string source;  ///< the configuration that was given, for people
    std::string run_name;
    std::vector<Combination> combinations;
    std::vector<std::uint64_t> seeds;
    int threads = 1;

    std::vector<SweepRun> runs() const;  ///< all seeds of the first combination, then the next
};

/// `a,b` gives two values, `[1,2],[3,4]` two lists. Error: kBadOption for a word without `=` or
/// value, and for a value named twice.
Result<SweptKey> parse_swept_key(const std::string& word);

/// Plans the runs of every combination of the keys with `seeds` seeds, `jobs` at a time, and checks
/// each combination as `esper train --dry-run` does. Errors: the first that a combination has, with
/// all others of them on standard error.
Result<SweepPlan> plan_sweep(const std::string& source, const std::vector<std::string>& words,
                             int seeds, int jobs);

/// Makes the folder; sweep.json comes last. Errors: those of writing.
Status write_sweep(const SweepPlan& plan, const std::filesystem::path& folder);
bool is_sweep(const std::filesystem::path& folder);
/// Errors: kBadRecord for a sweep.json that no sweep wrote, those of reading.
Result<SweepPlan> read_sweep(const std::filesystem::path& folder);
/// What the two differ in, to be said to whoever asks to go on with another sweep; empty: nothing.
std::string difference(const SweepPlan& kept, const SweepPlan& asked);

}  // namespace esper::cli
