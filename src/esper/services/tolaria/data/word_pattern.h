#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// A regular expression that divides a text into words: what fits it, and what lies between.
/// Matched by PCRE2 with Unicode's classes and a limit on the work of a match.
class WordPattern {
  public:
    /// Error: kCorrupt for a pattern that is none.
    static Result<WordPattern> compile(const std::string& pattern);

    /// The pieces of a text that is UTF-8, in order, without empty ones. Error: kTooLarge where a
    /// match takes too long.
    Result<std::vector<std::string_view>> divide(std::string_view utf8) const;

  private:
    WordPattern() = default;
    std::shared_ptr<void> code_;
};

}  // namespace esper::tolaria
