#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "esper/configs/errors.h"

namespace esper::configs {

/// What lies over what, weakest first.
enum class Strength : int { kDefault, kProfile, kFile, kEnvironment, kCommandLine };

/// Where a value came from: a file with its line, or a source without lines ("command line").
struct Origin {
    std::string source;
    int line = 0;
    Strength strength = Strength::kFile;
    std::string to_string() const;
};

struct Problem {
    ConfigError code;
    Origin origin;
    std::string message;
};

/// Everything found wrong with a configuration, gathered so that one report names it all.
class Problems {
  public:
    void add(ConfigError code, Origin origin, std::string message);
    bool empty() const { return count_ == 0; }
    std::size_t size() const { return count_; }
    const std::vector<Problem>& kept() const { return kept_; }

    /// One error for all of them; its value is theirs where they are of one kind, else kSeveral.
    Error report() const;

  private:
    /// A hostile file can make any number of problems; this many are worth reading.
    static constexpr std::size_t kKept = 50;
    std::vector<Problem> kept_;
    std::size_t count_ = 0;
    bool mixed_ = false;
};

/// `unknown key 'x' (did you mean 'y'?)` for a word of any length.
std::string with_suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace esper::configs
